"""Cards: probes that showed them, errors that name them, and operators' words."""

from __future__ import annotations

from collections.abc import Iterable

from ledger import Event
from ledger.payloads import GpuFault, GpuProbe, OverrideSet, ProbedGpu, SmuError
from ledger.times import parse_time
from rules.folds import clean
from rules.folds.context import FoldSettings
from rules.folds.identity import card_at, identifying, place_key, settle, sight
from rules.folds.incidents import blame_late, card_failed
from rules.state import NodeState, Override, Probe, Scan, Seen, State

_STATE_WORDS = frozenset({"watch", "exclude", "retire"})
"""Words that set a state: one without an expiry silences all such words before it."""


def gpu_probe(state: State, event: Event, data: GpuProbe, settings: FoldSettings) -> None:
    """The newest probe of a node: where its cards are and how they are."""
    name = settings.node(data.node)
    node = state.node(name)
    gpus = _one_for_each_place(data.gpus)
    gone = sight(state, name, node, gpus)
    uids = {gpu.pci: identifying(state, gpu.card_uid) for gpu in gpus}
    # Those that a uid names come first: they may have left places that others took.
    keys = {
        place: card_at(state, name, place, uids[place])
        for place in sorted(uids, key=lambda place: uids[place] is None)
    }
    seen: list[Seen] = []
    for gpu in gpus:
        key = keys[gpu.pci]
        card = state.cards[key]
        card.index, card.probed = gpu.index, True
        seen.append(_seen(gpu, key))
        if gpu.state == "ok":
            clean.shown_ok(state, key, event, settings)
        else:
            clean.shown_otherwise(card)
    before, first = node.probe, node.probe is None
    node.missed = _missed(node, name, seen, data.expected, settings)
    node.probe = Probe(time_us=event.time_us, event=event.id, expected=data.expected, gpus=seen)
    node.hung = []
    _forget_blank(state, before)
    if first:
        blame_late(state, node, name, settings)
    for uid in gone:
        settle(state, uid)


def _seen(gpu: ProbedGpu, key: str) -> Seen:
    return Seen(
        pci=gpu.pci,
        state=gpu.state,
        card=key,
        index=gpu.index,
        uid=gpu.card_uid,
        model=gpu.model,
        temp_c=gpu.temp_c,
        busy_pct=gpu.busy_pct,
        vram_used_mib=gpu.vram_used_mib,
        vram_total_mib=gpu.vram_total_mib,
    )


def _missed(
    node: NodeState, name: str, seen: list[Seen], expected: int | None, settings: FoldSettings
) -> list[str]:
    """The cards that a probe misses of those shown before; none where it shows all there are."""
    configured = settings.configured_gpus.get(name)
    expected = expected if configured is None else configured
    if expected is not None and len(seen) >= expected:
        return []
    shown = {each.card for each in seen}
    before = [*node.missed, *(each.card for each in (node.probe.gpus if node.probe else ()))]
    return [key for key in dict.fromkeys(before) if key not in shown]


def _forget_blank(state: State, before: Probe | None) -> None:
    """Drop cards that another took the place of, where there is nothing to remember of them."""
    for key in {each.card for each in before.gpus} if before is not None else ():
        card = state.cards.get(key)
        if card is None or state.places.get(place_key(card.node, card.pci)) == key:
            continue
        failed = card.last_error_us is not None or any(each.card == key for each in state.failures)
        if not (failed or card.overrides):
            del state.cards[key]
            for kept_of in state.own.values():
                kept_of.pop(key, None)
            if card.uid is not None:
                del state.card_of_uid[card.uid]
    # A card that had moved is missed on the node that it came from, too.
    for node in state.nodes.values():
        node.missed = [key for key in node.missed if key in state.cards]


def _one_for_each_place(gpus: Iterable[ProbedGpu]) -> list[ProbedGpu]:
    """The cards of a probe; of one that a tool listed twice, the row that is not ok."""
    by_place: dict[str, ProbedGpu] = {}
    for gpu in gpus:
        held = by_place.get(gpu.pci)
        if held is None or held.state == "ok":
            by_place[gpu.pci] = gpu
    return list(by_place.values())


def smu_error(state: State, event: Event, data: SmuError, settings: FoldSettings) -> None:
    """A card's controller failed; without a card it is the node's."""
    name = settings.node(data.node)
    if data.pci is None:
        state.node(name).smu = Scan(time_us=event.time_us, event=event.id, readable=True)
        return
    key = card_at(state, name, data.pci, identifying(state, data.card_uid))
    card_failed(state, event, name, key, f"SMU {data.signature}", data.boot_id, settings)


def gpu_fault(state: State, event: Event, data: GpuFault, settings: FoldSettings) -> None:
    """A fault of a kind that counts as an incident; others are recorded and pass."""
    if data.pci is None or data.fault not in settings.incident_faults:
        return
    name = settings.node(data.node)
    key = card_at(state, name, data.pci)
    card_failed(state, event, name, key, data.fault.replace("_", " "), data.boot_id, settings)


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
    subject = settings.subject(data.subject)
    kind, _, rest = subject.partition("/")
    node, slash, pci = rest.partition("/")
    if kind == "gpu" and slash and pci:
        card = state.cards[card_at(state, node, pci)]
        card.overrides = _said(card.overrides, override)
    elif override.action == "reinstate" and override.expires_us is None:
        state.overrides[subject] = [override]
    else:
        state.overrides[subject] = _said(state.overrides.get(subject, []), override)


def _said(words: list[Override], new: Override) -> list[Override]:
    """The words on a subject after one more; what can never win again is dropped."""
    kept = [each for each in words if each.active(new.time_us)]
    if new.expires_us is None and new.action in _STATE_WORDS:
        while kept and kept[-1].action != "reinstate":
            kept.pop()
    return [*kept, new]
