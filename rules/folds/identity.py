"""Which card is which.

A card is its uid where one is known and unique; else the place that its probe
gave (the way from the root, which stays when buses are numbered anew) on its
node; else its PCI address there. Another uid at the same place is another card
with a clean record; the same uid elsewhere carries its record along; no uid
contradicts none. A uid seen on two cards at once, in one probe or in the newest
probes of two nodes, identifies neither; so does a way that two cards of a probe share.
See docs/adr/0011-who-a-card-is.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ledger.payloads import ProbedGpu
from rules.card import Card
from rules.folds.boots import since_boot
from rules.state import Kept, NodeState, State


def place_key(node: str, pci: str) -> str:
    """A place, as the state's ``places`` (and, with a way instead, its ``ways``) know it."""
    return f"{node} {pci}"


def card_at(state: State, node: str, pci: str, uid: str | None = None) -> str:
    """The key of the card at an address, which is there with ``uid`` where one is given."""
    if uid is not None:
        return card_shown(state, node, pci, uid, None)
    return state.places.get(place_key(node, pci)) or _new_card(state, node, pci)


def card_named(state: State, node: str, pci: str, uid: str | None, boot_id: str | None) -> str:
    """The key of the card that a line of a boot names: by the newest look of that boot."""
    held = state.node(node)
    if uid is None and boot_id is not None and boot_id == held.before_boot:
        boot = held.boot
        if boot is not None and boot.id != boot_id and pci in held.before:
            return held.before[pci]
    return card_at(state, node, pci, uid)


def card_shown(state: State, node: str, pci: str, uid: str | None, way: str | None) -> str:
    """The key of the card that a look shows at an address, with what it says of its identity."""
    key = _known(state, node, pci, uid, way)
    if key is None:
        key = _new_card(state, node, pci)
    card = state.cards[key]
    if uid is not None and card.uid is None:
        card.uid = uid
        state.card_of_uid[uid] = key
    _put(state, key, node, pci, way)
    return key


def _known(state: State, node: str, pci: str, uid: str | None, way: str | None) -> str | None:
    """The card that this is, of those that are remembered."""
    owner = None if uid is None else state.card_of_uid.get(uid)
    if owner is not None:
        return owner
    key = None if way is None else state.ways.get(place_key(node, way))
    if key is None:
        key = state.places.get(place_key(node, pci))
        if key is not None and way is not None and state.cards[key].way not in (None, way):
            return None  # that one is in another slot, and only had this number before
    if key is None or (uid is not None and state.cards[key].uid is not None):
        return None
    return key


def _put(state: State, key: str, node: str, pci: str, way: str | None) -> None:
    """The card is here now, and no longer where it was."""
    card, place = state.cards[key], place_key(node, pci)
    sitting = state.places.get(place)
    if sitting is not None and sitting != key and _is_same(state.cards[sitting], way):
        _merge(card, state.cards[sitting])
        del state.cards[sitting]
        _rename(state, sitting, key)
    if (card.node, card.pci) != (node, pci):
        vacated = place_key(card.node, card.pci)
        if state.places.get(vacated) == key:
            del state.places[vacated]
        card.index = None
    if card.way is not None and (card.node, card.way) != (node, way or card.way):
        left = place_key(card.node, card.way)
        if state.ways.get(left) == key:
            del state.ways[left]
        card.way = None
    card.node, card.pci = node, pci
    state.places[place] = key
    if way is not None:
        card.way = way
        state.ways[place_key(node, way)] = key


def _is_same(sitting: Card, way: str | None) -> bool:
    """Whether what is remembered of an address is this card's, which was not known to be it."""
    return sitting.uid is None and (sitting.way is None or sitting.way == way)


def _new_card(state: State, node: str, pci: str) -> str:
    place = place_key(node, pci)
    key, number = place, 2
    while key in state.cards:
        key, number = f"{place} #{number}", number + 1
    state.cards[key] = Card(node=node, pci=pci)
    state.places[place] = key
    return key


def _merge(card: Card, other: Card) -> None:
    """``other`` turned out to be ``card``: one record in order of time."""
    for name in ("incidents", "charges", "clean", "overrides"):
        both = getattr(card, name) + getattr(other, name)
        setattr(card, name, sorted(both, key=lambda each: each.when))
    for times, events in (("faults", "fault_events"), ("hangs", "hang_events")):
        both = sorted(
            [
                *zip(getattr(card, times), getattr(card, events), strict=True),
                *zip(getattr(other, times), getattr(other, events), strict=True),
            ]
        )
        setattr(card, times, [time_us for time_us, _ in both])
        setattr(card, events, [event for _, event in both])
    for day, count in other.corrected.items():
        card.corrected[day] = card.corrected.get(day, 0) + count
    card.corrected_events = [*card.corrected_events, *other.corrected_events]
    asked = [each for each in (card.asked, other.asked) if each is not None]
    card.asked = max(asked, key=lambda each: each.when, default=None)
    card.ok, card.doubts = other.ok, other.doubts
    card.up = card.up if other.up is None else other.up
    if (other.last_error_us or 0) >= (card.last_error_us or 0):
        card.last_error_us, card.burst_us = other.last_error_us, other.burst_us


def _rename(state: State, old: str, new: str) -> None:
    for node in state.nodes.values():
        for held in (
            node.errors, node.fresh, node.marks, node.probe.gpus if node.probe else ()
        ):  # fmt: skip
            for each in held:
                if each.card == old:
                    each.card = new
        node.missed = [new if key == old else key for key in node.missed]
        node.before = {pci: new if key == old else key for pci, key in node.before.items()}
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


def unique_ways(gpus: Sequence[ProbedGpu]) -> dict[str, str]:
    """By address, the ways that no two cards of a look share."""
    seen = Counter(gpu.place for gpu in gpus)
    return {gpu.pci: gpu.place for gpu in gpus if gpu.place and seen[gpu.place] == 1}


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
            seen.card = card_shown(state, name, seen.pci, uid, seen.way)
            card = state.cards[seen.card]
            card.index, card.probed = seen.index, True


def has_its_place(state: State, key: str) -> bool:
    """Whether no other card is known to be where this one was last."""
    card = state.cards[key]
    if card.way is not None:
        return state.ways.get(place_key(card.node, card.way), key) == key
    return state.places.get(place_key(card.node, card.pci), key) == key


def remember_places(node: NodeState) -> None:
    """Before the first look of a boot: where cards were, for late lines of the boot before."""
    probe, boot = node.probe, node.boot
    if probe is None or boot is None or since_boot(node, probe.time_us):
        return
    node.before = {seen.pci: seen.card for seen in probe.gpus}
    node.before_boot = boot.before[-1] if boot.before else None


def forget_blank(state: State, keys: Iterable[str]) -> None:
    """Drop those of some cards that are nowhere any more, and of which nothing is to be kept."""
    blank = [
        key
        for key in dict.fromkeys(keys)
        if (card := state.cards.get(key)) is not None
        and card.blank
        and state.places.get(place_key(card.node, card.pci)) != key
        and all(failure.card != key for failure in state.failures)
    ]
    for key in blank:
        card = state.cards.pop(key)
        for kept_of in state.own.values():
            kept_of.pop(key, None)
        if card.uid is not None and state.card_of_uid.get(card.uid) == key:
            del state.card_of_uid[card.uid]
        if card.way is not None and state.ways.get(place_key(card.node, card.way)) == key:
            del state.ways[place_key(card.node, card.way)]
    for node in state.nodes.values() if blank else ():
        # A card that had moved is missed on the node that it came from, too.
        node.missed = [key for key in node.missed if key in state.cards]
        node.before = {pci: key for pci, key in node.before.items() if key in state.cards}
