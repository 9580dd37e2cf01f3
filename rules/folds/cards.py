"""Cards: probes that showed them, their errors and incidents, and operators' words.

Errors of one card less than the incident gap apart are one incident. Where so
many cards of a node fail together that the node is to blame, the incidents
their errors opened are taken back.
"""

from __future__ import annotations

from ledger import Event
from ledger.payloads import GpuFault, GpuProbe, OverrideSet, SmuError
from ledger.times import parse_time
from rules.folds import jobs
from rules.folds.context import FoldSettings
from rules.folds.identity import card_at, identifying, settle, sight
from rules.state import (
    Card,
    CardError,
    CleanRun,
    CommonCause,
    Incident,
    Mark,
    NodeState,
    Override,
    Probe,
    Scan,
    Seen,
    State,
)

_CLEAN_RUNS_KEPT = 2
"""After an incident: from excluded to watch, and from watch to ok; more change nothing."""


# -- probes ----------------------------------------------------------------


def gpu_probe(state: State, event: Event, data: GpuProbe, settings: FoldSettings) -> None:
    """The newest probe of a node: where its cards are and how they are."""
    name = settings.node(data.node)
    node = state.node(name)
    gone = sight(state, name, node, data)
    seen: list[Seen] = []
    for gpu in data.gpus:
        key = card_at(state, name, gpu.pci, identifying(state, gpu.card_uid))
        card = state.cards[key]
        card.index, card.probed = gpu.index, True
        seen.append(Seen(pci=gpu.pci, state=gpu.state, card=key, index=gpu.index, uid=gpu.card_uid))
        if gpu.state == "ok":
            _shown_ok(card, event, settings)
        else:
            card.ok_first_us, card.ok_probes = None, 0
    node.probe = Probe(time_us=event.time_us, event=event.id, expected=data.expected, gpus=seen)
    node.hung = []
    for uid in gone:
        settle(state, uid)


def _shown_ok(card: Card, event: Event, settings: FoldSettings) -> None:
    if card.ok_first_us is None:
        card.ok_first_us, card.ok_probes = event.time_us, 0
    card.ok_probes += 1
    if (
        card.ok_probes < settings.reinstate_clean_probes
        or event.time_us - card.ok_first_us < settings.reinstate_after_us
    ):
        return
    card.last_clean = CleanRun(time_us=event.time_us, first_us=card.ok_first_us, event=event.id)
    card.ok_first_us, card.ok_probes = None, 0
    if card.incidents:
        newest = card.incidents[-1].time_us
        if sum(each.time_us >= newest for each in card.clean) < _CLEAN_RUNS_KEPT:
            card.clean.append(card.last_clean)


# -- errors ----------------------------------------------------------------


def smu_error(state: State, event: Event, data: SmuError, settings: FoldSettings) -> None:
    """A card's controller failed; without a card it is the node's."""
    name = settings.node(data.node)
    if data.pci is None:
        state.node(name).smu = Scan(time_us=event.time_us, event=event.id, readable=True)
        return
    key = card_at(state, name, data.pci, identifying(state, data.card_uid))
    _error(state, event, name, key, data.boot_id, f"SMU {data.signature}", settings)


def gpu_fault(state: State, event: Event, data: GpuFault, settings: FoldSettings) -> None:
    """A fault of a kind that counts as an incident; others are recorded and pass."""
    if data.pci is None or data.fault not in settings.incident_faults:
        return
    name = settings.node(data.node)
    key = card_at(state, name, data.pci)
    _error(state, event, name, key, data.boot_id, data.fault.replace("_", " "), settings)


def _error(
    state: State,
    event: Event,
    name: str,
    key: str,
    boot: str | None,
    kind: str,
    settings: FoldSettings,
) -> None:
    card, node, now = state.cards[key], state.node(name), event.time_us
    previous, card.last_error_us = card.last_error_us, now
    card.ok_first_us, card.ok_probes = None, 0
    jobs.mark(state, name, Mark(time_us=now, kind="smu", card=key), settings)
    node.errors = [each for each in node.errors if now - each.time_us < settings.incident_gap_us]
    node.errors.append(CardError(time_us=now, card=key, event=event.id))
    if _common(node, name, settings):
        _blame(state, node, now)
        return
    if previous is not None and now - previous < settings.incident_gap_us:
        if card.incidents and card.incidents[-1].last_us == previous:
            incident = card.incidents[-1]
            incident.last_us, incident.last_event = now, event.id
            incident.errors += 1
        return
    card.incidents.append(
        Incident(
            time_us=now, last_us=now, event=event.id, last_event=event.id, kind=kind, boot=boot
        )
    )


def _common(node: NodeState, name: str, settings: FoldSettings) -> bool:
    """Whether so many cards failed within the gap that the node is to blame."""
    failing = len({each.card for each in node.errors})
    total = settings.configured_gpus.get(name)
    if total is None and node.probe is not None:
        total = len(node.probe.gpus)
    return (
        bool(total)
        and failing >= settings.common_cause_min_gpus
        and failing >= settings.common_cause_share * (total or 0)
    )


def _blame(state: State, node: NodeState, now: int) -> None:
    """The errors in the window are the node's: incidents they opened are taken back."""
    first: dict[str, CardError] = {}
    for each in node.errors:
        first.setdefault(each.card, each)
    for key, error in first.items():
        card = state.cards.get(key)
        while card is not None and card.incidents and card.incidents[-1].time_us >= error.time_us:
            card.incidents.pop()
    since = min(each.time_us for each in first.values())
    if node.common is not None and since <= node.common.last_us:
        since = node.common.since_us
    node.common = CommonCause(
        since_us=since,
        last_us=now,
        cards=len(first),
        evidence=[each.event for each in first.values()],
    )


def mark_crashes(state: State, name: str, lost_us: int, settings: FoldSettings) -> None:
    """The node was lost or rebooted: incidents shortly before were crashes."""
    for card in state.cards.values():
        if card.node == name and card.incidents:
            incident = card.incidents[-1]
            if 0 <= lost_us - incident.last_us <= settings.crash_link_us:
                incident.crash = True


# -- operators -------------------------------------------------------------


def override_set(state: State, event: Event, data: OverrideSet, settings: FoldSettings) -> None:
    """An operator's word, on a card (kept with its record) or on another subject."""
    override = Override(
        time_us=event.time_us,
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
        state.cards[card_at(state, node, pci)].overrides.append(override)
    else:
        state.overrides.setdefault(subject, []).append(override)
