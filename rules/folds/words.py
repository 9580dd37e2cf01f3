"""Operators' words: on cards, nodes and other subjects, and what a repair showed."""

from __future__ import annotations

from ledger import Event
from ledger.payloads import OverrideSet, RepairDone
from ledger.times import parse_time
from rules.card import Card, Override
from rules.folds.context import FoldSettings
from rules.folds.identity import card_at
from rules.state import State

_STATE_WORDS = frozenset({"watch", "exclude", "retire"})
"""Words that set a state: one without an expiry silences all such words before it."""


def override_set(state: State, event: Event, data: OverrideSet, settings: FoldSettings) -> None:
    """An operator's word, on a card (kept with its record) or on another subject."""
    override = Override(
        time_us=event.time_us,
        sequence=event.sequence,
        event=event.id,
        action=data.action,
        by=data.by,
        reason=data.reason,
        expires_us=None if data.expires is None else parse_time(data.expires),
    )
    _say(state, settings.subject(data.subject), override)


def repair_done(state: State, event: Event, data: RepairDone, settings: FoldSettings) -> None:
    """A repair: another card is there, with a clean record; or the same, brought back by a person.

    Of a node it ends what the node was blamed for; the records of its cards stay.
    """
    subject = settings.subject(data.subject)
    if data.swapped and (at := _card_subject(subject)) is not None:
        _swap(state, card_at(state, *at), event.time_us)
        return
    word = Override(
        time_us=event.time_us,
        sequence=event.sequence,
        event=event.id,
        action="reinstate",
        by=data.by,
        reason=f"repaired ({data.found}): {data.reason}",
    )
    _say(state, subject, word)


def _say(state: State, subject: str, word: Override) -> None:
    at = _card_subject(subject)
    if at is not None:
        card = state.cards[card_at(state, *at)]
        card.overrides = _said(card.overrides, word)
        if word.action == "reinstate" and word.expires_us is None:
            _forgive(card, word)
    elif word.action == "reinstate" and word.expires_us is None:
        state.overrides[subject] = [word]
    else:
        state.overrides[subject] = _said(state.overrides.get(subject, []), word)


def _card_subject(subject: str) -> tuple[str, str] | None:
    """Node and address of a card that is spoken of."""
    kind, _, rest = subject.partition("/")
    node, slash, pci = rest.partition("/")
    return (node, pci) if kind == "gpu" and slash and pci else None


def _forgive(card: Card, word: Override) -> None:
    """What is counted, and not an incident yet, counts anew."""
    card.counted_from = word.when
    card.faults, card.fault_events = [], []
    card.hangs, card.hang_events = [], []
    card.corrected, card.corrected_events = {}, []
    card.asked = None


def _swap(state: State, key: str, time_us: int) -> None:
    """Another card is where this one was; what was known of the old one goes with it."""
    old = state.cards[key]
    state.cards[key] = Card(
        node=old.node,
        pci=old.pci,
        way=old.way,
        index=old.index,
        probed=old.probed,
        counted_from=(time_us, 2**62),
    )
    if old.uid is not None and state.card_of_uid.get(old.uid) == key:
        del state.card_of_uid[old.uid]
    for failure in state.failures:
        if failure.card == key:
            failure.card = ""
    node = state.node(old.node)
    node.errors = [each for each in node.errors if each.card != key]
    node.fresh = [each for each in node.fresh if each.card != key]


def _said(words: list[Override], new: Override) -> list[Override]:
    """The words on a subject after one more; what can never win again is dropped."""
    kept = [each for each in words if each.active(new.time_us)]
    if new.expires_us is None and new.action in _STATE_WORDS:
        while kept and kept[-1].action != "reinstate":
            kept.pop()
    return [*kept, new]
