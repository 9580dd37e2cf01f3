"""Kernel lines: which card they are about, and what they weigh.

A line is about the card that the newest look of its boot shows at the address
that it names. Where a boot was not looked at yet, it counts for the card that was
there last, until the first look tells (`rules.folds.first_look`).
"""

from __future__ import annotations

from ledger import Event
from ledger.payloads import GpuFault, NodeFault, SmuError
from ledger.times import SECOND_US
from rules.card import Asked
from rules.folds import incidents, jobs
from rules.folds.context import FoldSettings
from rules.folds.identity import card_named, identifying
from rules.state import CardError, Mark, NodeState, Noted, State

_GONE = frozenset(
    {"device_lost", "gpu_reset_failed", "needs_reset", "ras_uncorrectable", "ras_retire"}
)
"""Kinds by which a card is gone, or its memory: never the noise of a boot."""

_ASKING = frozenset({"device_lost", "gpu_reset_failed"})
"""Kinds after which a card needs a reset, whatever their line asks for."""

_RESETS = frozenset({"reset", "drain_reset", "reboot"})

XIDS_THAT_BLAME_NOBODY = frozenset(
    [8, 11, 13, 32, 43, 45, 63, 66, 67, 68, 69, 92, 94, 106, 107, *range(144, 151), 154]
)
"""Xids of a workload, or that only inform: others that stay ``xid`` are unknown."""

_FRESH_KEPT = 256
"""So many lines of a node are remembered until it is looked at."""

_STORM_US = 60 * SECOND_US
"""Of lines of one kind and card closer than this, the first and the newest are remembered."""

_KINDS_KEPT = 32
_DAYS_KEPT = 8
DAY_US = 86400 * SECOND_US
_CORRECTED_NAMED = 20


def smu_error(state: State, event: Event, data: SmuError, settings: FoldSettings) -> None:
    """A card's controller failed; without a card it is the node's."""
    name = settings.node(data.node)
    if data.pci is None:
        state.node(name).smu = Noted(time_us=event.time_us, event=event.id, boot=data.boot_id)
        return
    uid = identifying(state, data.card_uid)
    key = card_named(state, name, data.pci, uid, data.boot_id)
    error = CardError(
        time_us=event.time_us,
        sequence=event.sequence,
        card=key,
        event=event.id,
        kind=f"SMU {data.signature}",
        pci="" if uid is not None else data.pci,
        boot=data.boot_id,
    )
    jobs.mark(state, name, Mark(time_us=event.time_us, kind="smu", card=key), settings)
    _take(state, name, error, settings)


def gpu_fault(state: State, event: Event, data: GpuFault, settings: FoldSettings) -> None:
    """A fault of a kind that counts, by itself or beside others; the rest is recorded only."""
    name, kind = settings.node(data.node), data.fault
    if kind == "xid" and data.code is not None and not _is_known(data.code):
        _note(state.node(name), f"Xid {data.code}, which is not known", event, data.boot_id)
    if data.pci is None:
        if kind in _GONE:
            _note(state.node(name), kind.replace("_", " "), event, data.boot_id)
        return
    counts = kind in settings.incident_faults and (kind != "thermal" or data.code == "shutdown")
    ambiguous = kind in settings.ambiguous_faults and not counts
    asks = data.action or ("reset" if kind in _ASKING else "")
    mended = kind == "gpu_reset" and data.code == "succeeded"
    corrected = kind == "pcie_corrected"
    if not (counts or ambiguous or asks or mended or corrected):
        return
    key = card_named(state, name, data.pci, None, data.boot_id)
    if mended:
        state.cards[key].asked = None
    if corrected:
        _corrected(state, key, event)
    if counts:
        jobs.mark(state, name, Mark(time_us=event.time_us, kind="gpu", card=key), settings)
    if not (counts or ambiguous or asks):
        return
    error = CardError(
        time_us=event.time_us,
        sequence=event.sequence,
        card=key,
        event=event.id,
        kind=kind.replace("_", " "),
        pci=data.pci,
        boot=data.boot_id,
        counts=counts,
        ambiguous=ambiguous,
        gone=kind in _GONE,
        asks=asks if asks in _RESETS else "",
        rma=data.action == "rma",
    )
    _take(state, name, error, settings)


def node_fault(state: State, event: Event, data: NodeFault, settings: FoldSettings) -> None:
    """A fault of the machine itself."""
    node = state.node(settings.node(data.node))
    node.faults[data.fault] = Noted(time_us=event.time_us, event=event.id, boot=data.boot_id)


def judge(state: State, name: str, error: CardError, settings: FoldSettings) -> None:
    """What a line does to its card (and to its node, where so many fail)."""
    card = state.cards[error.card]
    if error.asks:
        card.asked = Asked(
            time_us=error.time_us,
            sequence=error.sequence,
            event=error.event,
            kind=error.kind,
            action=error.asks,
            boot=error.boot,
        )
    if error.ambiguous:
        incidents.ambiguous(state, name, error, settings)
    elif error.counts:
        incidents.card_failed(state, name, error, settings)


def _take(state: State, name: str, error: CardError, settings: FoldSettings) -> None:
    node = state.node(name)
    mine = [each for each in node.fresh if (each.card, each.kind) == (error.card, error.kind)]
    if len(mine) > 1 and mine[-1].time_us - mine[-2].time_us < _STORM_US:
        node.fresh.remove(mine[-1])
    node.fresh.append(error)
    del node.fresh[:-_FRESH_KEPT]
    judge(state, name, error, settings)


def _note(node: NodeState, what: str, event: Event, boot: str | None) -> None:
    node.gpu_faults.pop(what, None)
    node.gpu_faults[what] = Noted(time_us=event.time_us, event=event.id, boot=boot)
    while len(node.gpu_faults) > _KINDS_KEPT:
        del node.gpu_faults[next(iter(node.gpu_faults))]


def _is_known(code: str) -> bool:
    return code.isascii() and code.isdigit() and int(code[:9]) in XIDS_THAT_BLAME_NOBODY


def _corrected(state: State, key: str, event: Event) -> None:
    """One more corrected error of a card's link, on its day."""
    card, day = state.cards[key], event.time_us // DAY_US
    card.corrected[day] = card.corrected.get(day, 0) + 1
    for old in [each for each in card.corrected if each <= day - _DAYS_KEPT]:
        del card.corrected[old]
    card.corrected_events = [*card.corrected_events[1 - _CORRECTED_NAMED :], event.id]
