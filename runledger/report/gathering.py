"""The one pass over a ledger that a report is made of.

The fold is brought to the start of the period as cheaply as checkpoints allow,
then carried forward by the very events that the report reads; card states are
sampled on the way. Nothing is written: a report leaves no checkpoint behind.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ledger import Ledger
from ledger.payloads import DecisionPayload, Finding
from rules.decide import Judge
from rules.facts.card_standing import CardStanding
from rules.fold import without_superseded
from rules.kinds.kind import findings
from rules.standings import standings
from rules.state import State
from runledger.deciding.folding import History
from runledger.report.cards import CardMap
from runledger.report.collect import Collected
from runledger.report.decision_entries import LEADING_TO_RUNS
from runledger.report.selection import Selection

_LOOKED_BACK_US = 14 * 86_400 * 1_000_000
"""How long before the period a decision may have been made that a run in it followed."""

_TELL_EVERY = 256


class Pass(msgspec.Struct, kw_only=True):
    """What one pass gathered: events, the map of cards, and how all stands at the end."""

    collected: Collected
    cards: CardMap
    state: State
    standings: list[CardStanding]
    findings: tuple[Finding, ...]


class _Looking(History):
    """A history that uses checkpoints and leaves none: looking must not change a ledger."""

    def _checkpoint(self, state: State, since: int, sequence: int, at_us: int) -> None:
        pass


def read(
    ledger: Ledger,
    judge: Judge,
    selection: Selection,
    progress: Callable[[int], None] = lambda _: None,
) -> Pass:
    """Read a selection once, in the order of (time, position)."""
    collected, cards = Collected(selection), CardMap(selection)
    _earlier_decisions(ledger, selection, collected)
    history = _Looking(ledger, judge.fold, persist=True)
    state = history.state_at(selection.upto, selection.since_us - 1)
    period = ledger.read(
        upto=selection.upto,
        since_us=selection.since_us,
        until_us=selection.until_us,
        order="time",
    )
    for count, event in enumerate(without_superseded(period), 1):
        while event.time_us > cards.end_us:
            _sample(judge, state, cards)
        if not count % _TELL_EVERY:
            progress(count)
        judge.fold.apply(state, event)
        cards.happened(event.time_us)
        if selection.includes(event):
            collected.take(event)
            cards.take(event)
    while not cards.done:
        _sample(judge, state, cards)
    cards_at_end = standings(judge.rules, state, selection.until_us)
    return Pass(
        collected=collected,
        cards=cards,
        state=state,
        standings=sorted(
            cards_at_end.cards.values(), key=lambda each: (each.card.node, each.card.pci)
        ),
        findings=findings(cards_at_end.fired),
    )


def _sample(judge: Judge, state: State, cards: CardMap) -> None:
    cards.sample(standings(judge.rules, state, cards.end_us).cards.values())


def _earlier_decisions(ledger: Ledger, selection: Selection, collected: Collected) -> None:
    before = ledger.read(
        upto=selection.upto,
        since_us=selection.since_us - _LOOKED_BACK_US,
        until_us=selection.since_us - 1,
        types=[kind.payload.event_type for kind in LEADING_TO_RUNS],
        order="time",
    )
    for event in before:
        assert isinstance(event.data, DecisionPayload)
        collected.decisions.remember(event.time_us, event.data)
