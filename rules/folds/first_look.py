"""What a look tells of the lines before it: whose they were, and which were the noise of a boot.

A boot may give the buses other numbers: a line names the card that the first look
of its boot shows there. And drivers that start complain: the same kind of line of so
many cards, soon after boot, where the look shows them ok, is neither an incident nor
a common cause. Lines that turn out so are taken back, and the others judged again.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rules.card import Card
from rules.folds.boots import boot_time, since_boot
from rules.folds.context import FoldSettings
from rules.folds.identity import place_key
from rules.folds.incidents import cards_of, share_of, take_back
from rules.folds.lines import judge
from rules.state import CardError, NodeState, Probe, State

_PAIR = 2


def resolve(state: State, name: str, before: Probe | None, settings: FoldSettings) -> None:
    """Judge the lines since the look ``before`` again, where the newest look tells more of them."""
    node = state.node(name)
    fresh, node.fresh = node.fresh, []
    lines = [each for each in fresh if since_boot(node, each.time_us, each.boot)]
    if not lines:
        return
    first = node.boot is not None and before is not None and not since_boot(node, before.time_us)
    named = [_named(state, name, each) for each in lines] if first else lines
    noise = {each.event for each in _noise(node, named, name, settings)}
    if not noise and all(one.card == other.card for one, other in zip(lines, named, strict=True)):
        return
    for key in {each.card for each in (*lines, *named)}:
        _forget_what_may_be(state.cards[key], lines[0].time_us)
    take_back(state, name, [*lines, *named], settings)
    for each in named:
        if each.event not in noise:
            judge(state, name, each, settings)


def _forget_what_may_be(card: Card, since_us: int) -> None:
    """Take back the ambiguous faults of a card, what they led to, and what it asked for."""
    card.incidents = [
        each for each in card.incidents if each.found != "stands_out" or each.time_us < since_us
    ]
    kept = [each for each in zip(card.faults, card.fault_events, strict=True) if each[0] < since_us]
    card.faults, card.fault_events = [each[0] for each in kept], [each[1] for each in kept]
    if card.asked is not None and card.asked.time_us >= since_us:
        card.asked = None
    if (card.last_fault_us or 0) >= since_us:
        card.last_fault_us = None


def _named(state: State, name: str, line: CardError) -> CardError:
    """The line, about the card that is now known to be at the address that it names."""
    key = state.places.get(place_key(name, line.pci)) if line.pci else None
    return line if key in (None, line.card) else msgspec.structs.replace(line, card=key)


def _noise(
    node: NodeState, lines: Iterable[CardError], name: str, settings: FoldSettings
) -> list[CardError]:
    """Those lines that are the noise of the node's boot."""
    boot, probe = node.boot, node.probe
    if boot is None or probe is None or (boot.first and boot.started_us is None):
        return []
    began_us, noise_us = boot_time(boot), settings.boot_noise_us
    fine = {seen.card for seen in probe.gpus if seen.state == "ok"}
    by_kind: dict[str, list[CardError]] = {}
    for line in lines:
        soon = abs(line.time_us - began_us) <= noise_us  # its clock may be a little slow
        if soon and not line.gone and line.card in fine:
            by_kind.setdefault(line.kind, []).append(line)
    cards = cards_of(node, name, settings) or 0
    return [
        line
        for held in by_kind.values()
        if _so_many(len({each.card for each in held}), cards, settings)
        for line in held
    ]


def _so_many(noisy: int, cards: int, settings: FoldSettings) -> bool:
    """As for a common cause, but that both cards of a pair are enough."""
    least = _PAIR if cards == _PAIR else settings.common_cause_min_gpus
    return noisy >= least and share_of(noisy, cards) >= settings.common_cause_share
