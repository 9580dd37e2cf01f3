"""A card as a decision shows it: its state with the reasons, and how the newest look finds it."""

from __future__ import annotations

import msgspec

from ledger.identifiers import gpu_subject
from ledger.times import format_time
from rules.card import Asked, Card
from rules.folds.boots import since_boot
from rules.folds.identity import identifying
from rules.folds.looks import DOWN
from rules.ladder import SITS_OUT, Standing, worst
from rules.ruleset import Fired
from rules.state import State


class CardStanding(msgspec.Struct, kw_only=True):
    """A card as a decision shows it; ``state`` is the worst that a fired rule asked for.

    ``needs_reset`` marks one that must not be used until it had a reset.
    """

    key: str
    card: Card
    standing: Standing
    state: str
    since_us: int
    reason: str
    evidence: tuple[str, ...]
    needs_reset: bool = False

    @property
    def sits_out(self) -> bool:
        """Whether the card must not be used."""
        return self.state in SITS_OUT


def card_label(node: str, pci: str, index: int | None) -> str:
    """How messages call a card."""
    return f"GPU {index} ({pci}) of {node}" if index is not None else f"GPU {pci} of {node}"


def is_gone(state: State, key: str) -> bool:
    """Whether the newest probe of its node does not show a card: its index is not current."""
    node = state.nodes.get(state.cards[key].node)
    return (
        node is not None
        and node.probe is not None
        and all(seen.card != key or seen.state == "missing" for seen in node.probe.gpus)
    )


def down_as(state: State, key: str) -> str:
    """How a card does not answer in the newest look: ``unresponsive``, ``missing``; else ""."""
    card = state.cards[key]
    node = state.nodes.get(card.node)
    if node is None or node.probe is None:
        return ""
    for seen in node.probe.gpus:
        if seen.card == key:
            return seen.state if seen.state in DOWN else ""
    return "missing" if key in node.missed and card.up is False else ""


def asked_for(state: State, card: Card, at_us: int) -> Asked | None:
    """What a card needs a reset for, where nothing has ended that need."""
    asked, node = card.asked, state.nodes.get(card.node)
    if asked is None or (node is not None and not since_boot(node, asked.time_us, asked.boot)):
        return None
    for word in card.overrides:
        if word.action == "reinstate" and word.when > asked.when and word.active(at_us):
            return None
    return asked


def card_standing(
    key: str, card: Card, standing: Standing, fired: list[Fired]
) -> CardStanding | None:
    """The card's state from the rules that fired for it, with the reasons of that state.

    None where they say nothing of its state.
    """
    state = worst(*(each.rule.effect["state"] for each in fired))
    if state == "ok":
        return None
    speaking = [each for each in fired if each.rule.effect["state"] == state]
    evidence: list[str] = []
    for each in speaking:
        evidence += each.fact.evidence
    return CardStanding(
        key=key,
        card=card,
        standing=standing,
        state=state,
        since_us=min(each.fact.show["since_us"] for each in speaking),
        reason="; ".join(_reason(each) for each in speaking),
        evidence=tuple(dict.fromkeys(evidence)),
        needs_reset=any(
            each.rule.name == "gpu_needs_reset" and each.severity in ("block", "degrade")
            for each in fired
        ),
    )


def _reason(fired: Fired) -> str:
    """A rule's message without the card's name, which stands beside it."""
    return fired.message.removeprefix(f"{fired.fact.show['card']}: ")


def outcome_entry(standing: CardStanding, state: State) -> dict[str, object]:
    """One card of ``outcome.gpus``; ``gone`` where the newest probe does not show it."""
    card = standing.card
    entry: dict[str, object] = {
        "subject": gpu_subject(card.node, card.pci),
        "node": card.node,
        "pci": card.pci,
    }
    if card.index is not None:
        entry["index"] = card.index
    if is_gone(state, standing.key):
        entry["gone"] = True
    if (uid := identifying(state, card.uid)) is not None:
        entry["card_uid"] = uid
    if card.way is not None:
        entry["place"] = card.way
    if down_as(state, standing.key):
        entry["down"] = True
    if standing.needs_reset:
        entry["needs_reset"] = True
    entry |= {
        "state": standing.state,
        "since": format_time(standing.since_us),
        "reason": standing.reason,
        "evidence": list(standing.evidence),
    }
    return entry
