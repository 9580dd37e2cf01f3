"""Looks at the cards of a node: which are there, how they are, and which were lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ledger import Event
from ledger.payloads import CommandHung, GpuProbe, ProbedGpu
from ledger.times import SECOND_US
from rules.card import Incident
from rules.folds import clean, first_look
from rules.folds.context import FoldSettings
from rules.folds.identity import (
    card_at,
    card_shown,
    forget_blank,
    has_its_place,
    identifying,
    remember_places,
    settle,
    sight,
    unique_ways,
)
from rules.folds.incidents import FAULTS_KEPT, begin, blame_late, cards_of, so_many
from rules.folds.together import ongoing
from rules.state import CleanLooks, CommonCause, Hung, NodeState, Probe, Seen, State

DOWN = frozenset({"unresponsive", "missing"})
"""States in which a card does not answer."""

_MEND_SPAN_US = 3600 * SECOND_US
"""Clean looks over this time end a common cause."""

_SETS_KEPT = 4


def gpu_probe(state: State, event: Event, data: GpuProbe, settings: FoldSettings) -> None:
    """The newest look at a node: where its cards are and how they are."""
    name = settings.node(data.node)
    node = state.node(name)
    before, now = node.probe, event.time_us
    expected = settings.configured_gpus.get(name)
    expected = data.expected if expected is None else expected
    if before is not None and not node.missed and _as_before(state, name, before, data):
        gpus: Sequence[ProbedGpu] = data.gpus
        seen, gone, candidates = _seen_again(before, gpus), [], []
    else:
        gpus = _one_for_each_place(data.gpus)
        gone = sight(state, name, node, gpus)
        remember_places(node)
        seen = _seen(state, name, gpus)
        candidates = [each.card for each in (before.gpus if before is not None else ())]
        candidates += [each.card for each in node.fresh]
        node.missed = _missed(state, node, seen, expected)
    node.probe = Probe(
        time_us=now, event=event.id, expected=data.expected, detail=data.detail or "", gpus=seen
    )
    node.hung = []
    if before is None:
        blame_late(state, node, name, settings)
    if node.fresh:
        first_look.resolve(state, name, before, settings)
    vanished = _vanished(state, name, node, expected) if node.missed else []
    _lose(state, event, name, vanished, settings)
    _count(state, event, gpus, seen, settings)
    for key in vanished:
        clean.shown_otherwise(state.cards[key])
    _end_common_causes(node, now, settings)
    forget_blank(state, candidates)
    for uid in gone:
        settle(state, uid)


def _as_before(state: State, name: str, before: Probe, data: GpuProbe) -> bool:
    """Whether a look shows the very cards of the one before, each where it was."""
    places = state.places
    if len(before.gpus) != len(data.gpus):
        return False
    for held, gpu in zip(before.gpus, data.gpus, strict=True):
        if held.pci != gpu.pci or held.uid != gpu.card_uid or held.index != gpu.index:
            return False
        if held.way != gpu.place or places.get(f"{name} {gpu.pci}") != held.card:
            return False
    return True


def _seen_again(before: Probe, gpus: Sequence[ProbedGpu]) -> list[Seen]:
    """The cards of the look before, as they are now."""
    return [
        held
        if held.state == gpu.state and held.detail == (gpu.detail or "")
        else msgspec.structs.replace(held, state=gpu.state, detail=gpu.detail or "")
        for held, gpu in zip(before.gpus, gpus, strict=True)
    ]


def _seen(state: State, name: str, gpus: Sequence[ProbedGpu]) -> list[Seen]:
    """Each card that is shown, found by what the look says of its identity."""
    uids = {gpu.pci: identifying(state, gpu.card_uid) for gpu in gpus}
    ways = unique_ways(gpus)
    # Those that a uid names come first, then those that a way names: they may have left
    # places that others took.
    order = sorted(gpus, key=lambda gpu: (uids[gpu.pci] is None, gpu.pci not in ways))
    keys = {
        gpu.pci: card_shown(state, name, gpu.pci, uids[gpu.pci], ways.get(gpu.pci)) for gpu in order
    }
    seen = []
    for gpu in gpus:
        card = state.cards[keys[gpu.pci]]
        card.index, card.probed = gpu.index, True
        seen.append(
            Seen(
                pci=gpu.pci,
                state=gpu.state,
                card=keys[gpu.pci],
                index=gpu.index,
                uid=gpu.card_uid,
                way=ways.get(gpu.pci),
                detail=gpu.detail or "",
            )
        )
    return seen


def _one_for_each_place(gpus: Iterable[ProbedGpu]) -> list[ProbedGpu]:
    """The cards of a look; of one that a tool listed twice, the row that is not ok."""
    by_place: dict[str, ProbedGpu] = {}
    for gpu in gpus:
        held = by_place.get(gpu.pci)
        if held is None or held.state == "ok":
            by_place[gpu.pci] = gpu
    return list(by_place.values())


def _missed(state: State, node: NodeState, seen: list[Seen], expected: int | None) -> list[str]:
    """The cards that a look misses of those shown before; none where it shows all there are.

    One that another has taken the place of is not missed.
    """
    if expected is not None and len(seen) >= expected:
        return []
    shown = {each.card for each in seen}
    before = [*node.missed, *(each.card for each in (node.probe.gpus if node.probe else ()))]
    return [key for key in dict.fromkeys(before) if key not in shown and has_its_place(state, key)]


def _vanished(state: State, name: str, node: NodeState, expected: int | None) -> list[str]:
    """The cards that are missing, where it can be told which: no more than there are too few."""
    mine = [key for key in node.missed if state.cards[key].node == name]
    shown = 0 if node.probe is None else len(node.probe.gpus)
    return mine if expected is not None and len(mine) <= expected - shown else []


def _lose(
    state: State, event: Event, name: str, vanished: list[str], settings: FoldSettings
) -> None:
    """Cards that answered when they were last looked at, and do not now, have an incident."""
    node = state.node(name)
    down = [each.card for each in (node.probe.gpus if node.probe else ()) if each.state in DOWN]
    if not (down or vanished):
        return
    lost = [key for key in dict.fromkeys([*down, *vanished]) if state.cards[key].up]
    cards = cards_of(node, name, settings)
    for key in lost:
        state.cards[key].up = False
    if cards and so_many(len(lost), cards, settings):
        return
    for key in lost:
        card = state.cards[key]
        since_us = card.shown_ok_us or 0
        if any(each.last_us > since_us for each in card.incidents[-2:]):
            continue  # that is what it was lost by
        if node.common is not None and node.common.last_us > since_us:
            continue
        missing = "went missing" if key in vanished else "stopped answering"
        incident = Incident(
            time_us=event.time_us,
            sequence=event.sequence,
            last_us=event.time_us,
            event=event.id,
            kind=missing,
            found="lost",
            boot=None if node.boot is None else node.boot.id,
        )
        begin(state, name, key, incident, settings)


def _count(
    state: State,
    event: Event,
    gpus: Sequence[ProbedGpu],
    seen: list[Seen],
    settings: FoldSettings,
) -> None:
    """What the look says of each card's health, work and wishes."""
    now, cards = event.time_us, state.cards
    for gpu, each in zip(gpus, seen, strict=True):
        card = cards[each.card]
        if gpu.busy_pct or gpu.processes:
            card.worked_us = now
        if gpu.model is not None:
            card.model = gpu.model
        card.temp_c, card.busy_pct = gpu.temp_c, gpu.busy_pct
        card.vram_used_mib, card.vram_total_mib = gpu.vram_used_mib, gpu.vram_total_mib
        if gpu.recovery_action is not None and gpu.recovery_action.lower() == "none":
            card.asked = None
        if gpu.state == "ok":
            clean.shown_ok(card, event, settings)
            card.up, card.shown_ok_us = True, now
        else:
            clean.shown_otherwise(card)


def _end_common_causes(node: NodeState, time_us: int, settings: FoldSettings) -> None:
    """Clean looks over some time end what the node was blamed for."""
    probe = node.probe
    if probe is None or node.common is node.series is node.fleet is None:
        return
    causes = ongoing(node)
    bad = {each.card for each in probe.gpus if each.state != "ok"} | set(node.missed)
    for cause in causes:
        _looked(cause, time_us, sorted(bad), settings)
    node.common = _left(node.common)
    node.series = _left(node.series)
    node.fleet = _left(node.fleet)


def _left(cause: CommonCause | None) -> CommonCause | None:
    return None if cause is not None and [] in cause.quiet_but else cause


def _looked(cause: CommonCause, time_us: int, bad: list[str], settings: FoldSettings) -> None:
    """One more look after a common cause: with how many in a row were the same cards bad?"""
    looks = cause.looks
    if looks is None or looks.but != bad:
        looks = cause.looks = CleanLooks(first_us=time_us, looks=0, but=bad)
    looks.looks += 1
    long = time_us - looks.first_us >= _MEND_SPAN_US
    if long and looks.looks >= settings.reinstate_clean_probes and bad not in cause.quiet_but:
        cause.quiet_but = [*cause.quiet_but, bad][-_SETS_KEPT:]


def command_hung(state: State, event: Event, data: CommandHung, settings: FoldSettings) -> None:
    """A tool hung: its card, or the node, is unknown until the next GPU probe."""
    name = settings.node(data.node)
    node = state.node(name)
    hung = Hung(event=event.id, command=data.command, timeout_s=data.timeout_s, pci=data.pci)
    others = [each for each in node.hung if (each.pci, each.command) != (hung.pci, hung.command)]
    node.hung = [*others, hung]
    if data.pci is None:
        return
    card = state.cards[card_at(state, name, data.pci)]
    oldest = event.time_us - settings.harmless_window_us
    kept = [each for each in zip(card.hangs, card.hang_events, strict=True) if each[0] > oldest]
    kept = [*kept[1 - FAULTS_KEPT :], (event.time_us, event.id)]
    card.hangs, card.hang_events = [each[0] for each in kept], [each[1] for each in kept]
