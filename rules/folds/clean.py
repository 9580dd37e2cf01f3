"""Clean probes: the count of probes in a row that show a card ok, and what it leads to.

An error of a card restarts its count, unless so many cards of the node fail
together that the node is to blame: such an error is no incident of the card.
Because that is known only when the last of them has failed, a count that an
error ended goes on as a doubt until the error can no longer turn out to be the
node's.
"""

from __future__ import annotations

from ledger import Event
from rules.folds.context import FoldSettings
from rules.state import Card, CleanRun, Doubt, OkCount, State

_RUNS_KEPT = 2
"""After an incident or a word: to watch, and from watch to ok; more change nothing."""


def shown_ok(state: State, key: str, event: Event, settings: FoldSettings) -> None:
    """A probe showed the card ok: enough of them in a row are a clean run."""
    card = state.cards[key]
    for doubt in card.doubts:
        doubt.count, run = _counted(doubt.count, event, settings)
        if run is not None:
            doubt.runs.append(run)
    card.ok, run = _counted(card.ok, event, settings)
    if run is not None:
        _note(state, key, run)


def shown_otherwise(card: Card) -> None:
    """A probe showed the card in another state: the count restarts."""
    card.ok = None
    for doubt in card.doubts:
        doubt.count = None


def interrupt(card: Card, now_us: int, settings: FoldSettings) -> None:
    """The card failed: the count restarts, unless the node turns out to be to blame."""
    card.doubts = [each for each in card.doubts if _open(each, now_us, settings)]
    if card.ok is not None:
        card.doubts.append(Doubt(time_us=now_us, count=card.ok))
    card.ok = None


def resume(state: State, key: str, now_us: int, settings: FoldSettings) -> None:
    """The card's errors of late are its node's: the count goes on as if they had not been."""
    card = state.cards[key]
    first = next((each for each in card.doubts if _open(each, now_us, settings)), None)
    card.doubts = []
    if first is None:
        return
    card.ok = first.count
    for run in first.runs:
        _note(state, key, run)


def _open(doubt: Doubt, now_us: int, settings: FoldSettings) -> bool:
    return now_us - doubt.time_us < settings.incident_gap_us


def _counted(
    count: OkCount | None, event: Event, settings: FoldSettings
) -> tuple[OkCount | None, CleanRun | None]:
    """The count after one more clean probe; a run that it completes ends it."""
    first_us = event.time_us if count is None else count.first_us
    probes = 1 if count is None else count.probes + 1
    if (
        probes < settings.reinstate_clean_probes
        or event.time_us - first_us < settings.reinstate_after_us
    ):
        return OkCount(first_us=first_us, probes=probes), None
    return None, CleanRun(
        time_us=event.time_us, sequence=event.sequence, first_us=first_us, event=event.id
    )


def _note(state: State, key: str, run: CleanRun) -> None:
    """Remember a clean run where it can change something: a record, or failed jobs before it."""
    card = state.cards[key]
    entries = [*card.incidents[-1:], *card.overrides[-1:]]
    if entries:
        newest = max(entry.when for entry in entries)
        if sum(each.when > newest for each in card.clean[-_RUNS_KEPT:]) < _RUNS_KEPT:
            card.clean.append(run)
    for failure in reversed(state.failures):
        if failure.card == key and failure.time_us < run.first_us:
            if failure.clean_us is not None:
                break
            failure.clean_us = run.time_us
