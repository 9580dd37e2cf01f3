# ruff: noqa: E501 (kernel lines are quoted whole)
"""Records of several lines, foreign frames, damaged files: what a log holds is read or counted."""

from __future__ import annotations

import json

import pytest

from collectors.kernel_log import IMPORT_SOURCE, Scan, scan
from ledger.payloads import GpuFault, NodeFault, SmuError
from ledger.times import format_time, parse_time

NOW = parse_time("2026-02-10T12:00:00Z")
BOOT = parse_time("2026-01-24T17:00:00Z")
HANGED = "amdgpu 0000:22:00.0: amdgpu: SMU is in hanged state, failed to send smu message!"
WALL = "2026-01-24T17:28:02Z"


def read(*lines: str, **options: object) -> Scan:
    arguments: dict[str, object] = {
        "node": "rig",
        "source": IMPORT_SOURCE,
        "now_us": NOW,
        "boot_time_us": BOOT,
    }
    return scan(["".join(line + "\n" for line in lines)], **(arguments | options))  # type: ignore[arg-type]


SPLIT = {
    "dmesg": ["[   61.000000] amdgpu: [powerplay] ", "                failed to send message 15b ret is 65535 "],
    "dmesg -T": ["[Sat Jan 24 17:01:01 2026] amdgpu: [powerplay]", "                           failed to send message 15b ret is 65535"],
    "journalctl": ["Jan 24 17:01:01 rig kernel: amdgpu: [powerplay] ", "                            failed to send message 15b ret is 65535 "],
    "rsyslog": ["Jan 24 17:01:01 rig kernel: amdgpu: [powerplay] ", "Jan 24 17:01:01 rig kernel:  failed to send message 15b ret is 65535 "],
    "rsyslog, both stamps": ["Jan 24 17:01:01 rig kernel: [   61.000000] amdgpu: [powerplay] ", "Jan 24 17:01:01 rig kernel: [   61.000000]  failed to send message 15b ret is 65535 "],
    "kmsg": ["6,4101,61000000,-;amdgpu: [powerplay] \\x0a failed to send message 15b ret is 65535 "],
    "journal JSON": [json.dumps({"__REALTIME_TIMESTAMP": str(BOOT + 61_000_000), "MESSAGE": "amdgpu: [powerplay] \n failed to send message 15b ret is 65535 "})],
    "dmesg --json": [json.dumps({"dmesg": [{"pri": 6, "time": 61.0, "msg": "amdgpu: [powerplay] \n failed to send message 15b ret is 65535 "}]})],
}  # fmt: skip


@pytest.mark.parametrize("framing", SPLIT)
def test_a_record_of_two_lines_is_one_in_every_framing(framing: str) -> None:
    after = [] if framing == "dmesg --json" else ["[   62.000000] usb 1-1: new device"]
    (event,) = read(*SPLIT[framing], *after).events
    assert isinstance(event.data, SmuError)
    assert (event.data.signature, event.data.code, event.data.pci) == (
        "send_failed",
        "0xFFFF",
        None,
    )
    assert event.time_us == BOOT + 61_000_000


@pytest.mark.parametrize("size", [16, 64, 100])
def test_where_a_block_ends_does_not_split_a_record(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("collectors.kernel_log.scanning._BLOCK", size)
    lines = [
        line
        for number in range(20)
        for line in (f"[   {number}.000000] usb 1-1: x", *SPLIT["rsyslog"])
    ]
    whole = scan(["".join(f"{line}\n" for line in lines)], node="rig", source="s", now_us=NOW)
    pieces = scan([f"{line}\n" for line in lines], node="rig", source="s", now_us=NOW)
    assert whole.events == pieces.events
    assert len(whole.events) == 20


def test_a_beginning_that_nothing_follows_reports_nothing() -> None:
    assert (
        read("[ 61.000000] amdgpu: [powerplay] ", "[ 62.000000] usb 1-1: new device").events == ()
    )


def test_a_card_is_named_on_the_first_of_three_lines() -> None:
    (event,) = read(
        "[   61.000000] NVRM: The NVIDIA GPU 0000:b4:00.0",
        "[   61.000000] NVRM: (PCI ID: 10de:2330) installed in this system has",
        "[   61.000000] NVRM: fallen off the bus and is not responding to commands.",
    ).events
    assert isinstance(event.data, GpuFault)
    assert (event.data.fault, event.data.pci) == ("device_lost", "0000:b4:00.0")


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (f"kern.log:Jan 24 17:28:02 rig kernel: {HANGED}", WALL),
        (f"/var/log/kern.log.1-Jan 24 17:28:02 rig kernel: {HANGED}", WALL),
        (f"kern.log:4711:[ 1682.000000] {HANGED}", WALL),
        (f"[2026-01-24 17:28:02] [ 1682.000000] {HANGED}", WALL),
        (f"2026-01-24T17:28:02.5Z rig7 | [ 1682.000000] {HANGED}", WALL),
        (f"2026-01-24T17:28:02.000000000Z stdout F {HANGED}", WALL),
        (f"2026-01-24T17:28:02.000000000Z stderr F [ 1682.000000] {HANGED}", WALL),
        (
            json.dumps(
                {"log": f"{HANGED}\n", "stream": "stdout", "time": "2026-01-24T17:28:02.000000001Z"}
            ),
            WALL,
        ),
        (json.dumps({"log": f"[ 1682.000000] {HANGED}\n", "time": "2026-01-25T00:00:00Z"}), WALL),
        (json.dumps({"@timestamp": "2026-01-24T17:28:02Z", "message": HANGED}), WALL),
        (f"janv. 24 17:28:02 rig kernel: {HANGED}", WALL),
        (f"Januar 24 17:28:02 rig kernel: {HANGED}", WALL),
        (f"1\u6708 24 17:28:02 rig kernel: {HANGED}", WALL),
        (f"\u044f\u043d\u0432 24 17:28:02 rig kernel: {HANGED}", WALL),
        (f"[sam. janv. 24 17:28:02 2026] {HANGED}", WALL),
        ("\x00" * 4096 + f"Jan 24 17:28:02 rig kernel: {HANGED}", WALL),
        (f"kern.log:{HANGED}", "2026-01-24T17:00:00Z"),
    ],
)
def test_a_line_in_a_foreign_frame_is_read_and_dated(line: str, time: str) -> None:
    log = read(line)
    assert [(event.type, format_time(event.time_us)) for event in log.events] == [
        ("smu_error", time)
    ]
    assert log.unread == 0


@pytest.mark.parametrize(
    "line",
    [
        f"Fl\u00f6rp 24 17:28:02 rig kernel: {HANGED}",
        f"24/01/26 17h28 17.28.02 rig {HANGED}",
        f"@4000000067a0f3b21c8f rig {HANGED}",
    ],
)
def test_trouble_behind_a_stamp_of_no_known_form_is_counted(line: str) -> None:
    log = read(line, f"[ 61.000000] {HANGED}")
    assert (log.unread, len(log.events)) == (1, 1)


@pytest.mark.parametrize(
    "line",
    [
        f"Jan 24 17:28:02 rig sudo: michael : COMMAND=/bin/echo {HANGED}",
        f"Jan 24 17:28:02 rig python3[812]: {HANGED}",
        f"kern.log:Jan 24 17:28:02 rig runledger[7]: {HANGED}",
        f"[   61.000000] audit: type=1400 msg='{HANGED}'",
        f'Jan 24 17:28:02 rig kernel: audit: type=1400 cmd="[ 1.0] {HANGED}"',
        f"[Sat Jan 24 17:28:02 2026] audit: name=[ 61.000000] {HANGED}",
    ],
)
def test_what_is_only_quoted_is_neither_a_report_nor_unread(line: str) -> None:
    log = read(line)
    assert (log.events, log.unread) == ((), 0)


def faults(log: Scan) -> list[tuple[str, str | None, str | None]]:
    return [
        (event.data.fault, getattr(event.data, "pci", None), event.data.code)
        for event in log.events
        if isinstance(event.data, GpuFault | NodeFault)
    ]


def test_a_port_names_the_card_that_sent_an_error_and_the_firmware_names_the_port() -> None:
    log = read(
        "[ 1.0] pcieport 0000:40:03.1: AER: Multiple Corrected error message received from 0000:43:00.0",
        "[ 2.0] amdgpu 0000:43:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
        "[ 3.0] {7}[Hardware Error]: event severity: corrected",
        "[ 3.1] {7}[Hardware Error]:   device_id: 0000:40:03.1",
        "[ 4.0] pcieport 0000:40:03.1: AER: Uncorrected (Non-Fatal) error received: id=4300",
    )
    assert faults(log) == [
        ("pcie_corrected", "0000:43:00.0", "correctable"),
        ("pcie_corrected", "0000:43:00.0", "correctable"),
        ("pcie_corrected", "0000:43:00.0", "correctable"),
        ("pcie_uncorrected", "0000:43:00.0", "nonfatal"),
    ]
    assert [event.subject for event in log.events] == ["gpu/rig/0000:43:00.0"] * 4


def test_a_device_that_another_driver_speaks_for_is_no_card() -> None:
    log = read(
        "[ 1.0] pcieport 0000:00:1d.0: AER: Corrected error message received from 0000:02:00.0",
        "[ 2.0] nvme 0000:02:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
        "[ 3.0] AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=02:00.0 address=0x5f38cdcf0]",
    )
    assert faults(log) == [("pcie_corrected", None, "correctable"), ("iommu", None, None)]
    assert {event.subject for event in log.events} == {"node/rig"}


def test_where_the_cards_are_known_no_other_device_is_taken_for_one() -> None:
    lines = (
        "[ 1.0] pcieport 0000:00:1d.0: AER: Corrected error message received from 0000:02:00.0",
        "[ 2.0] pcieport 0000:00:1e.0: AER: Corrected error message received from 0000:22:00.0",
    )
    assert [each[1] for each in faults(read(*lines, cards={"0000:22:00.0"}))] == [
        None,
        "0000:22:00.0",
    ]
    assert [each[1] for each in faults(read(*lines))] == ["0000:02:00.0", "0000:22:00.0"]


@pytest.mark.parametrize("code", ["0xfc", "0xFD", "0xfe", "0x00fe", "0x000000fe", "fe"])
def test_busy_and_unsupported_are_no_errors_in_any_width(code: str) -> None:
    card = "[ 61.0] amdgpu 0000:22:00.0: amdgpu: "
    assert read(f"{card}Failed to send message 0x26, response {code}").events == ()
    assert (
        read(f"{card}Failed message: 0x5, input parameter: 0x2000, error code: {code}").events == ()
    )


def test_a_machines_own_stamps_are_corrected_by_how_far_its_clock_is_off() -> None:
    ahead = {"clock_offset_us": 90_000_000, "boot_time_us": None}
    log = read(f"2026-01-24T17:29:32,000000+00:00 {HANGED}", **ahead)
    assert [format_time(event.time_us) for event in log.events] == [WALL]
    monotonic = read(f"[   61.000000] {HANGED}", clock_offset_us=90_000_000)
    assert [event.time_us for event in monotonic.events] == [BOOT + 61_000_000]


@pytest.mark.parametrize(
    ("spelled", "pci"),
    [
        ("NVRM: Xid (PCI:0000:0A:00): 79, x", "0000:0a:00.0"),
        ("NVRM: Xid (0000:0a:00): 79, x", "0000:0a:00.0"),
        ("NVRM: Xid (0a:00): 79, x", "0000:0a:00.0"),
        ("NVRM: Xid (PCI:00000000:0A:00.0): 79, x", "0000:0a:00.0"),
        ("NVRM: GPU 0000:0A:00.0: GPU has fallen off the bus.", "0000:0a:00.0"),
        ("NVRM: GPU0 0000:0a:00.0: GPU has fallen off the bus.", "0000:0a:00.0"),
        (
            "NVRM: The NVIDIA GPU 0000:0a:00.0 (PCI ID: 10de:2204) installed in this system has fallen off the bus and is not responding to commands.",
            "0000:0a:00.0",
        ),
        ("amdgpu 0a:00.0: device lost from bus!", "0000:0a:00.0"),
        ("amdgpu 00000000:0A:00.0: device lost from bus!", "0000:0a:00.0"),
        ("amdgpu: [powerplay] GPU over temperature range detected on PCIe 10:0.0!", "0000:0a:00.0"),
        (
            "AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=0000:0a:00.0 address=0x5]",
            "0000:0a:00.0",
        ),
        ("DMAR: VT-d detected Invalidation Time-out Error: SID a00", "0000:0a:00.0"),
        ("nvidia: probe of 0000:0a:00.0 failed with error -1", "0000:0a:00.0"),
    ],
)
def test_an_address_is_understood_in_every_spelling(spelled: str, pci: str) -> None:
    ((_, found, _),) = faults(read(f"[ 61.0] {spelled}"))
    assert found == pci
