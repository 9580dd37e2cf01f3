"""Which card is which.

A card is its PCI address on its node, and its uid where one is known and
unique. Another uid at the same place is another card with a clean record; the
same uid elsewhere carries its record along; no uid contradicts none. A uid seen
on two cards at once, in one probe or in the newest probes of two nodes,
identifies neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ledger.payloads import ProbedGpu
from rules.state import Card, Kept, NodeState, State


def place_key(node: str, pci: str) -> str:
    """A place, as the state's ``places`` know it."""
    return f"{node} {pci}"


def card_at(state: State, node: str, pci: str, uid: str | None = None) -> str:
    """The key of the card at a place, which is there with ``uid`` where one is given."""
    place = place_key(node, pci)
    key = state.places.get(place)
    current = state.cards[key] if key is not None else None
    if uid is None or (current is not None and current.uid == uid):
        return key if key is not None else _new_card(state, node, pci, None)
    owner = state.card_of_uid.get(uid)
    if owner is None:
        if key is None or current is None or current.uid is not None:
            return _new_card(state, node, pci, uid)
        current.uid = uid
        state.card_of_uid[uid] = key
        return key
    moved = state.cards[owner]
    if key is not None and current is not None and current.uid is None:
        _merge(moved, current)
        del state.cards[key]
        _rename(state, key, owner)
    vacated = place_key(moved.node, moved.pci)
    if state.places.get(vacated) == owner:
        del state.places[vacated]
    moved.node, moved.pci, moved.index = node, pci, None
    state.places[place] = owner
    return owner


def _new_card(state: State, node: str, pci: str, uid: str | None) -> str:
    place = place_key(node, pci)
    key, number = place, 2
    while key in state.cards:
        key, number = f"{place} #{number}", number + 1
    state.cards[key] = Card(node=node, pci=pci, uid=uid)
    state.places[place] = key
    if uid is not None:
        state.card_of_uid[uid] = key
    return key


def _merge(card: Card, other: Card) -> None:
    """``other`` turned out to be ``card``: one record in order of time."""
    card.incidents = sorted(card.incidents + other.incidents, key=lambda each: each.when)
    card.clean = sorted(card.clean + other.clean, key=lambda each: each.when)
    card.overrides = sorted(card.overrides + other.overrides, key=lambda each: each.when)
    card.ok, card.doubts = other.ok, other.doubts
    if (other.last_error_us or 0) >= (card.last_error_us or 0):
        card.last_error_us, card.burst_us = other.last_error_us, other.burst_us


def _rename(state: State, old: str, new: str) -> None:
    for node in state.nodes.values():
        for held in (node.errors, node.marks, node.probe.gpus if node.probe else ()):
            for each in held:
                if each.card == old:
                    each.card = new
        node.missed = [new if key == old else key for key in node.missed]
    for failure in state.failures:
        if failure.card == old:
            failure.card = new
    for kept_of in state.own.values():
        if old in kept_of:
            kept_of[new] = _together(kept_of.pop(old), kept_of.get(new))


def _together(one: Kept, other: Kept | None) -> Kept:
    """What an own fact kept of two cards that turned out to be one, in order of time."""
    if other is None:
        return one
    order = sorted(range(len(one.times + other.times)), key=(one.times + other.times).__getitem__)
    times, values = one.times + other.times, one.values + other.values
    older, newer = sorted((one, other), key=lambda each: each.times[-1:])
    return Kept(
        times=[times[at] for at in order],
        values=[values[at] for at in order] if values else [],
        events=older.events + newer.events,
        beyond=sorted(one.beyond + other.beyond),
    )


def identifying(state: State, uid: str | None) -> str | None:
    """``uid`` where it is seen on no more than one card."""
    if uid is None or sum(state.sightings.get(uid, {}).values()) > 1:
        return None
    return uid


def sight(state: State, name: str, node: NodeState, gpus: Iterable[ProbedGpu]) -> list[str]:
    """Count where uids are seen; returns those that this node no longer shows."""
    before = {each.uid for each in node.probe.gpus if each.uid} if node.probe else set()
    now = Counter(gpu.card_uid for gpu in gpus if gpu.card_uid)
    for uid, count in now.items():
        state.sightings.setdefault(uid, {})[name] = count
    gone = sorted(before - set(now))
    for uid in gone:
        nodes = state.sightings.get(uid, {})
        nodes.pop(name, None)
        if not nodes:
            state.sightings.pop(uid, None)
    return gone


def settle(state: State, uid: str) -> None:
    """Where a uid that two nodes showed is now shown by one, its record moves there."""
    nodes = state.sightings.get(uid, {})
    if sum(nodes.values()) != 1:
        return
    (name,) = nodes
    probe = state.node(name).probe
    for seen in probe.gpus if probe else ():
        if seen.uid == uid:
            seen.card = card_at(state, name, seen.pci, uid)
            card = state.cards[seen.card]
            card.index, card.probed = seen.index, True
