"""Clean looks: how long, in a row, probes have shown a card ok, and what that leads to.

An error of a card restarts its count, unless so many cards of the node fail
together that the node is to blame, or the line is the noise of a boot: such an
error is no incident of the card. Because that is known only later, a count that
an error ended goes on as a doubt until the error can no longer turn out to be none.
"""

from __future__ import annotations

from ledger import Event
from rules.card import Card, CleanRun, Doubt, OkCount
from rules.folds.context import FoldSettings
from rules.state import State


def shown_ok(card: Card, event: Event, settings: FoldSettings) -> None:
    """A probe showed the card ok: enough of them in a row are a clean run."""
    for doubt in card.doubts:
        doubt.count = doubt.count or _begun(event)
        run = _counted(doubt.count, event, settings)
        if run is not None:
            doubt.runs = [*doubt.runs, run]
    if card.ok is None:
        card.ok = _begun(event)
    run = _counted(card.ok, event, settings)
    if run is not None:
        _note(card, run)


def shown_otherwise(card: Card) -> None:
    """A probe showed the card in another state: the count restarts."""
    card.ok = None
    for doubt in card.doubts:
        doubt.count = None


def interrupt(card: Card, now_us: int, settings: FoldSettings) -> None:
    """The card failed: the count restarts, unless it turns out that it is not to blame."""
    looked_us = card.shown_ok_us or 0
    card.doubts = [
        each
        for each in card.doubts
        if now_us - each.time_us < settings.incident_gap_us or each.time_us >= looked_us
    ]
    if card.ok is not None:
        card.doubts.append(Doubt(time_us=now_us, count=card.ok))
    card.ok = None


def resume(state: State, key: str, since_us: int) -> None:
    """The card is not to blame for its errors since then: the count goes on without them."""
    card = state.cards[key]
    first = next((each for each in card.doubts if each.time_us >= since_us), None)
    if first is None:
        return
    card.doubts = [each for each in card.doubts if each.time_us < since_us]
    card.ok = first.count
    for run in first.runs:
        _note(card, run)


def _begun(event: Event) -> OkCount:
    return OkCount(first_us=event.time_us, last_us=event.time_us, looks=0)


def _counted(count: OkCount, event: Event, settings: FoldSettings) -> CleanRun | None:
    """Count one more clean look; the clean run that it completes."""
    now, spans, level = event.time_us, settings.clean_spans_us, count.level
    count.last_us = now
    count.looks += 1
    if count.looks < settings.reinstate_clean_probes:
        return None
    while level < len(spans) and now - count.first_us >= spans[level]:
        level += 1
    if level == count.level:
        return None
    count.level = level
    return CleanRun(
        time_us=now,
        sequence=event.sequence,
        first_us=count.first_us,
        event=event.id,
        level=level,
    )


def _note(card: Card, run: CleanRun) -> None:
    """Remember a clean run where it can bring a card back that an incident took out."""
    entries = [*card.incidents[-1:], *card.charges[-1:]]
    newest = max((entry.when for entry in entries), default=None)
    if newest is None:
        return
    if all(each.when < newest or each.level < run.level for each in card.clean):
        card.clean.append(run)
