"""Judges stored kernel log lines again, with today's parser.

Nothing stored is rewritten: where the parser now says something else, a new
event says so and names the one that it ``supersedes``. A line that
is now known to be harmless becomes a `gpu_fault` ``other``, which is kept and
weighs on no card.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from collectors.catalogue import Classification
from collectors.kernel_log.classify import KERNEL_TYPES, PARSER_VERSION, classify
from collectors.kernel_log.devices import Devices
from collectors.kernel_log.events import derived_id, payload
from collectors.kernel_log.foreign import unwrapped
from collectors.kernel_log.framing import frame
from ledger.canonical import canonical
from ledger.event import Event, new_event, payload_text
from ledger.payloads import GpuFault, NodeFault, ProcessKilled, SmuError

KERNEL_PAYLOADS = (SmuError, GpuFault, NodeFault, ProcessKilled)
RECLASSIFY_SOURCE = "reclassify/kernel-log"


def reclassify(
    events: Iterable[Event],
    *,
    source: str = RECLASSIFY_SOURCE,
    bridges: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Event]:
    """New events for those of ``events`` that today's parser judges otherwise.

    Give all events of a ledger, or all `smu_error`, `gpu_fault`, `node_fault`
    and `process_killed` ones: only the newest judgement of a line is looked at, so
    that a second run yields nothing. ``bridges`` holds a map of PCI bridges to
    cards for each node. Of events from other sources, whose ``raw`` need not be
    a whole kernel line, none is declared harmless, and a card that their writer
    knew of stays.
    """
    lines = [event for event in events if event.type in KERNEL_TYPES]
    superseded = {event.supersedes for event in lines}
    devices: dict[str, Devices] = defaultdict(Devices)
    for event in lines:
        data = event.data
        assert isinstance(data, KERNEL_PAYLOADS)
        devices[data.node].hear(frame(data.raw.partition("\n")[0]).text)
    for event in lines:
        if event.id in superseded:
            continue
        data = event.data
        assert isinstance(data, KERNEL_PAYLOADS)
        correction = _correct(event, source, (bridges or {}).get(data.node, {}), devices[data.node])
        if correction is not None:
            yield correction


def _correct(
    event: Event, source: str, bridges: Mapping[str, str], devices: Devices
) -> Event | None:
    data = event.data
    assert isinstance(data, KERNEL_PAYLOADS)
    found = _read_again(data.raw, bridges)
    before = _as_classified(data)
    if found is None:
        if "kernel-log" not in event.source:
            return None
        found = Classification(event_type="gpu_fault", kind="other", pci=before.pci)
    elif found.pci is None and (found.kind in _OF_PORTS or "kernel-log" not in event.source):
        found = msgspec.structs.replace(found, pci=before.pci)
    if found.hearsay:
        card = before.pci or (None if found.pci is None else devices.card(found.pci))
        found = msgspec.structs.replace(found, pci=card, hearsay=False)
        if before.kind in _OF_PORTS and found.kind == "pcie_error":
            # The severity stood in another line of the record.
            found = msgspec.structs.replace(found, kind=before.kind, code=before.code)
    if found == before and event.dataschemaversion == data.version:
        return None
    new = payload(found, node=data.node, raw=data.raw, boot_id=data.boot_id)
    if isinstance(new, SmuError) and isinstance(data, SmuError) and new.pci == data.pci:
        new = msgspec.structs.replace(new, index=data.index, card_uid=data.card_uid)
    if new == data and payload_text(event) == canonical(new).decode():
        return None
    return new_event(
        msgspec.structs.replace(new, supersedes=event.id),
        time_us=event.time_us,
        source=source,
        id=derived_id("kernel-log reclassified", event.id, PARSER_VERSION, found.event_type),
        runid=event.runid,
        step=event.step,
        correlationid=event.correlationid,
        causationid=event.id,
    )


_OF_PORTS = frozenset({"pcie_error", "pcie_corrected", "pcie_uncorrected"})


def _read_again(raw: str, bridges: Mapping[str, str] | None) -> Classification | None:
    """What a stored line, or a record of several, says today."""
    lines = [frame(line).text for line in raw.split("\n")[:_MOST_LINES]]
    found = classify("\n".join(lines), bridges)
    if found is None:
        others = (inner for inner in unwrapped(raw.partition("\n")[0]) if inner.kernel)
        found = next(filter(None, (classify(inner.text, bridges) for inner in others)), None)
    return found


_MOST_LINES = 5


def _as_classified(data: SmuError | GpuFault | NodeFault | ProcessKilled) -> Classification:
    if isinstance(data, SmuError):
        return Classification(
            event_type="smu_error",
            kind=data.signature,
            pci=data.pci,
            code=data.code,
            message=data.message,
        )
    if isinstance(data, ProcessKilled):
        return Classification(
            event_type="process_killed", kind="out_of_memory", process=data.process, pid=data.pid
        )
    if isinstance(data, NodeFault):
        return Classification(event_type="node_fault", kind=data.fault, code=data.code)
    return Classification(
        event_type="gpu_fault", kind=data.fault, pci=data.pci, code=data.code, action=data.action
    )
