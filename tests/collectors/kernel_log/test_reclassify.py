# ruff: noqa: E501 (kernel lines are quoted whole)
"""Stored raw lines judged again by today's parser."""

from __future__ import annotations

import msgspec
import pytest

from collectors.kernel_log import IMPORT_SOURCE, reclassify, scan
from ledger import Event, from_wire, new_event
from ledger.canonical import canonical
from ledger.event import payload_text
from ledger.payloads import GpuFault, Payload, SmuError

AT = 1_769_274_061_000_000
HANGED = "[   61.000000] amdgpu 0000:22:00.0: amdgpu: SMU is in hanged state, failed to send smu message!"
RESUMED = "[   61.000000] amdgpu 0000:22:00.0: amdgpu: SMU is resumed successfully!"
LINK_DOWN = "pcieport 0000:00:01.1: pciehp: Slot(0): Link Down"


def event(payload: Payload, source: str = IMPORT_SOURCE) -> Event:
    return new_event(payload, time_us=AT, source=source, id="old", runid="R1", step="3")


def error(
    raw: str = HANGED, signature: str = "hanged", pci: str | None = "0000:22:00.0"
) -> SmuError:
    return SmuError(
        node="rig", signature=signature, raw=raw, pci=pci, boot_id="b", index=10, card_uid="u"
    )


def test_what_the_parser_still_says_is_left_alone() -> None:
    log = scan([HANGED + "\n", LINK_DOWN], node="rig", source="s", now_us=AT, boot_time_us=0)
    assert len(log.events) == 2
    assert list(reclassify(log.events)) == []


def test_another_signature_gives_a_new_event_that_points_to_the_old() -> None:
    (new,) = reclassify([event(error(signature="other"))])
    assert new.data == msgspec.structs.replace(error(), supersedes="old")
    assert (new.supersedes, new.causationid, new.time_us, new.runid, new.step) == (
        "old",
        "old",
        AT,
        "R1",
        "3",
    )
    assert new.id != "old"
    assert new.source == "reclassify/kernel-log"


def test_another_type_and_a_card_that_was_overlooked_are_corrected() -> None:
    (new,) = reclassify([event(GpuFault(node="rig", fault="other", raw=HANGED))])
    assert new.data == SmuError(
        node="rig", signature="hanged", raw=HANGED, pci="0000:22:00.0", supersedes="old"
    )


def test_a_correction_of_before_the_payload_said_so_is_read_as_one() -> None:
    old = event(error(signature="other"))
    (new,) = reclassify([old])
    silent = msgspec.structs.replace(new, data=error())
    assert silent.supersedes == "old"
    assert list(reclassify([old, silent])) == []
    assert msgspec.structs.replace(silent, source="notebook").supersedes is None


def test_a_second_run_yields_nothing() -> None:
    old = event(error(signature="other"))
    (new,) = reclassify([old])
    assert list(reclassify([old, new])) == []
    assert list(reclassify([old])) == [new]


def test_a_line_now_known_as_harmless_becomes_a_fault_that_weighs_nothing() -> None:
    (new,) = reclassify([event(error(RESUMED))])
    assert isinstance(new.data, GpuFault)
    assert (new.data.fault, new.data.pci) == ("other", "0000:22:00.0")
    assert list(reclassify([event(error(RESUMED)), new])) == []


@pytest.mark.parametrize("raw", ["as the operator told it", RESUMED])
def test_what_others_recorded_is_never_declared_harmless(raw: str) -> None:
    assert list(reclassify([event(error(raw), source="notebook")])) == []


def test_a_card_that_another_writer_knew_of_stays() -> None:
    known = error("SMU: response:0xFFFFFFFF for message:RunBtc", "response")
    (new,) = reclassify([event(known, source="notebook")])
    assert isinstance(new.data, SmuError)
    assert (new.data.pci, new.data.index, new.data.signature) == ("0000:22:00.0", 10, "response_ff")


def test_a_guessed_card_of_our_own_is_taken_back() -> None:
    (new,) = reclassify([event(error("SMU is in hanged state"))])
    assert isinstance(new.data, SmuError)
    assert (new.data.pci, new.data.index, new.data.card_uid) == (None, None, None)


def test_a_bridge_map_names_the_card_behind_and_the_name_stays_without_it() -> None:
    old = event(GpuFault(node="rig", fault="pcie_error", raw=LINK_DOWN))
    (new,) = reclassify([old], bridges={"rig": {"0000:00:01.1": "0000:22:00.0"}})
    assert isinstance(new.data, GpuFault)
    assert new.data.pci == "0000:22:00.0"
    assert list(reclassify([old, new])) == []


OF_VERSION_1 = [
    ("xid", "NVRM: Xid (PCI:0000:22:00): 79, GPU has fallen off the bus."),
    ("xid", "NVRM: Xid (PCI:0000:22:00): 43, pid=1, name=python3, Ch 00000008"),
    ("xid", "NVRM: Xid (PCI:0000:22:00): 149, NETIR_LINK_EVT Fatal XC0 i0 Link 01"),
    ("gpu_reset", "amdgpu 0000:22:00.0: amdgpu: GPU reset begin!"),
    ("gpu_reset", "amdgpu 0000:22:00.0: amdgpu: GPU reset(2) failed"),
    ("gpu_reset", "amdgpu 0000:22:00.0: amdgpu: GPU reset(2) succeeded!"),
    (
        "pcie_error",
        "amdgpu 0000:22:00.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer",
    ),
    ("other", "amdgpu 0000:22:00.0: amdgpu: Fatal error during GPU init"),
    ("other", "amdgpu 0000:22:00.0: amdgpu: ERROR: GPU over temperature range(SW CTF) detected!"),
    ("ring_timeout", "amdgpu 0000:22:00.0: ring gfx_0.0.0 timeout, signaled seq=1, emitted seq=2"),
]


def of_version_1(number: int, fault: str, text: str) -> Event:
    raw = f"[   {number}.000000] {text}"
    return from_wire(
        {"id": f"e{number}", "type": "gpu_fault", "source": IMPORT_SOURCE, "dataschemaversion": 1,
         "time": f"2026-01-24T18:00:{number:02}Z",
         "data": {"node": "rig", "fault": fault, "pci": "0000:22:00.0", "raw": raw}}
    )  # fmt: skip


def test_of_an_old_ledger_the_same_faults_are_found_as_by_reading_its_log_again() -> None:
    old = [of_version_1(number, *each) for number, each in enumerate(OF_VERSION_1)]
    new = list(reclassify(old))
    corrected = {event.causationid for event in new}
    fresh = scan(
        [f"[   {number}.000000] {text}\n" for number, (_, text) in enumerate(OF_VERSION_1)],
        node="rig",
        source=IMPORT_SOURCE,
        now_us=AT,
        boot_time_us=0,
    )
    kept = [event for event in old if event.id not in corrected]
    found = sorted((event.data for event in (*kept, *new)), key=lambda data: data.raw)  # type: ignore[union-attr]
    plain = [msgspec.structs.replace(each, supersedes=None) for each in found]
    assert plain == [event.data for event in fresh.events]
    # What is stored says so too, for those who read it by SQL.
    for event in kept:
        assert payload_text(event) == canonical(event.data).decode()
    assert list(reclassify([*old, *new])) == []


def test_a_severity_that_stood_in_another_line_stays() -> None:
    lines = [
        "[ 1.0] {7}[Hardware Error]: event severity: corrected\n",
        "[ 1.1] {7}[Hardware Error]:   device_id: 0000:22:00.0\n",
    ]
    log = scan(lines, node="rig", source=IMPORT_SOURCE, now_us=AT, boot_time_us=0)
    assert len(log.events) == 1
    assert list(reclassify(log.events)) == []
