# ruff: noqa: E501 (kernel lines are quoted whole)
"""Logs as events: times, identity, what stands between the lines that count."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.kernel_log import IMPORT_SOURCE, Scan, UnplacedLine, scan, scanning
from ledger import Event, new_event
from ledger.payloads import GpuFault, ProcessKilled, SmuError
from ledger.times import format_time, parse_time

NOW = parse_time("2026-02-10T12:00:00Z")
BOOT = parse_time("2026-01-24T17:00:00Z")
HANGED = "amdgpu 0000:22:00.0: amdgpu: SMU is in hanged state, failed to send smu message!"
RESET = "amdgpu 0000:22:00.0: amdgpu: GPU reset begin!"
NOISE = "usb 1-1: new high-speed USB device number 2 using xhci_hcd"


def read(*lines: str, **options: object) -> Scan:
    arguments: dict[str, object] = {"node": "rig-6600", "source": IMPORT_SOURCE, "now_us": NOW}
    return scan(["".join(line + "\n" for line in lines)], **(arguments | options))  # type: ignore[arg-type]


def times(log: Scan) -> list[str]:
    return [format_time(event.time_us) for event in log.events]


def ids(log: Scan) -> list[str]:
    return [event.id for event in log.events]


def test_lines_become_typed_events_about_their_card() -> None:
    log = read(
        f"[    1.000000] {NOISE}",
        "[   60.000000] amdgpu 0000:22:00.0: amdgpu: SMU: response:0xFFFFFFFF for index:18 "
        "param:0x00000005 message:TransferTableSmu2Dram?",
        f"[   60.500000] {RESET}",
        "[   61.000000] Out of memory: Killed process 812 (python) total-vm:1kB",
        boot_time_us=BOOT,
        boot_id="b-1",
    )
    assert log.lines == 4
    assert log.types == {"gpu_fault": 1, "process_killed": 1, "smu_error": 1}
    error, fault, killed = (event.data for event in log.events)
    assert error == SmuError(
        node="rig-6600",
        signature="response_ff",
        raw="[   60.000000] amdgpu 0000:22:00.0: amdgpu: SMU: response:0xFFFFFFFF for index:18 "
        "param:0x00000005 message:TransferTableSmu2Dram?",
        pci="0000:22:00.0",
        code="0xFFFFFFFF",
        message="TransferTableSmu2Dram",
        boot_id="b-1",
    )
    assert isinstance(fault, GpuFault)
    assert fault.fault == "gpu_reset"
    assert isinstance(killed, ProcessKilled)
    assert (killed.process, killed.pid) == ("python", 812)
    assert [event.subject for event in log.events] == ["gpu/rig-6600/0000:22:00.0"] * 2 + [
        "node/rig-6600"
    ]
    assert times(log) == [
        "2026-01-24T17:01:00Z",
        "2026-01-24T17:01:00.500000Z",
        "2026-01-24T17:01:01Z",
    ]


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-01-20T02:07:07,000012+00:00 ", "2026-01-20T02:07:07.000012Z"),
        ("2026-01-20T02:07:07.5-08:00 rig kernel: ", "2026-01-20T10:07:07.500000Z"),
        ("[Sat Jan 24 14:25:56 2026] ", "2026-01-24T14:25:56Z"),
        ("Jan 24 17:28:02 rig kernel: ", "2026-01-24T17:28:02Z"),
        ("Nov 10 09:38:06 rig kernel: ", "2025-11-10T09:38:06Z"),
        ("Feb 29 09:38:06 rig kernel: ", "2024-02-29T09:38:06Z"),
        ("Nov 10 09:38:06 rig kernel: [ 3308.243937] ", "2025-11-10T09:38:06Z"),
        ("[Feb10 11:31] ", "2026-02-10T11:31:00Z"),
        ("02:21:31 ", "2026-02-10T02:21:31Z"),
        ("13:21:31 ", "2026-02-09T13:21:31Z"),
    ],
)
def test_without_a_boot_time_what_is_missing_is_the_latest_not_after_now(
    stamp: str, expected: str
) -> None:
    assert times(read(stamp + HANGED)) == [expected]


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("[ 3308.243937] ", "2025-03-01T00:55:08.243937Z"),
        ("Mar  1 04:00:00 rig kernel: [ 3308.243937] ", "2025-03-01T00:55:08.243937Z"),
        ("Mar  1 04:00:00 rig kernel: ", "2025-03-01T04:00:00Z"),
        ("Jan 12 04:00:00 rig kernel: ", "2026-01-12T04:00:00Z"),
        ("[Mar 2 23:31] ", "2025-03-02T23:31:00Z"),
        ("02:21:31 ", "2025-03-01T02:21:31Z"),
        ("23:59:50 ", "2025-02-28T23:59:50Z"),  # the boot time was rounded
        ("2026-01-20T02:07:07,000012+00:00 ", "2026-01-20T02:07:07.000012Z"),
        ("", "2025-03-01T00:00:00Z"),
    ],
)
def test_a_boot_time_anchors_what_is_missing(stamp: str, expected: str) -> None:
    assert times(read(stamp + HANGED, boot_time_us=parse_time("2025-03-01T00:00:00Z"))) == [
        expected
    ]


def test_bare_clock_times_go_on_into_the_next_day_after_the_boot() -> None:
    log = read(
        f"23:00:00 {HANGED}",
        f"01:00:00 {NOISE}",
        f"12:00:00 {NOISE}",
        f"23:30:00 {HANGED}",
        f"00:10:00 {HANGED}",
        boot_time_us=parse_time("2026-01-24T22:00:00Z"),
    )
    assert times(log) == ["2026-01-24T23:00:00Z", "2026-01-25T23:30:00Z", "2026-01-26T00:10:00Z"]


def test_stamps_without_an_offset_are_read_in_the_assumed_zone() -> None:
    zone = ZoneInfo("America/New_York")
    lines = ("[Sat Jan 24 14:25:56 2026] " + HANGED, "Jul  4 12:00:00 rig kernel: " + HANGED)
    assert times(read(*lines, zone=zone)) == ["2026-01-24T19:25:56Z", "2025-07-04T16:00:00Z"]


def test_deltas_add_up_from_the_last_full_stamp() -> None:
    log = read(
        f"[Feb 9 23:31] {NOISE}",
        f"[  +1.000000] {NOISE}",
        f"[  +2.500000] {HANGED}",
        f"[  +0.000001] {HANGED}",
        f"[Feb10 00:01] {NOISE}",
        f"[  +3.000000] {HANGED}",
    )
    assert times(log) == [
        "2026-02-09T23:31:03.500000Z",
        "2026-02-09T23:31:03.500001Z",
        "2026-02-10T00:01:03Z",
    ]


def test_a_line_without_a_stamp_has_the_time_of_the_line_before() -> None:
    log = read(f"[Sat Jan 24 14:25:56 2026] {NOISE}", "", NOISE, HANGED, RESET)
    assert times(log) == ["2026-01-24T14:25:56Z"] * 2


def test_a_log_that_tells_when_it_booted_needs_no_boot_time() -> None:
    clock = "rtc_cmos 00:01: setting system clock to 2026-01-24T17:00:01 UTC (1769274001)"
    assert times(read(f"[    1.000000] {clock}", f"[   61.000000] {HANGED}")) == [
        "2026-01-24T17:01:01Z"
    ]
    both = f"Jan 24 17:00:10 rig kernel: [   10.000000] {RESET}"
    assert times(read(both, f"[   61.000000] {HANGED}"))[1] == "2026-01-24T17:01:01Z"


@pytest.mark.parametrize("stamp", ["[   61.000000] ", "", "[  +1.000000] "])
def test_a_report_that_nothing_places_is_refused_with_what_to_give(stamp: str) -> None:
    with pytest.raises(UnplacedLine, match=r"line 3: .*--boot-time") as error:
        read(NOISE, NOISE, stamp + HANGED)
    assert (error.value.number, error.value.raw) == (3, stamp + HANGED)


def test_a_log_without_reports_needs_no_times() -> None:
    log = read(f"[   61.000000] {NOISE}", NOISE)
    assert (log.lines, log.events) == (2, ())


def test_the_same_log_again_gives_the_same_events_whatever_the_time_is() -> None:
    lines = [f"[ 61.000000] {HANGED}", f"[ 61.000000] {HANGED}", f"[ 62.000000] {RESET}"]
    first, later = (
        read(*lines, boot_time_us=BOOT),
        read(*lines, boot_time_us=BOOT, now_us=NOW + 10**12),
    )
    assert first.events == later.events
    assert len(set(ids(first))) == 3


def test_identity_is_that_of_the_line_not_of_the_file() -> None:
    whole = read(f"[ 61.000000] {HANGED}", f"[ 62.000000] {RESET}", boot_time_us=BOOT)
    tail = read(NOISE, f"[ 62.000000] {RESET}", boot_time_us=BOOT, source="collector/ssh@zeus")
    assert ids(tail) == ids(whole)[1:]


@pytest.mark.parametrize(
    "other",
    [{"node": "rig-6600b"}, {"boot_id": "another"}, {"boot_id": None, "boot_time_us": BOOT + 1}],
)
def test_node_and_boot_are_part_of_the_identity(other: dict[str, object]) -> None:
    line = f"[ 61.000000] {HANGED}"
    options: dict[str, object] = {"boot_id": "this", "boot_time_us": BOOT}
    assert ids(read(line, **options)) != ids(read(line, **(options | other)))


def test_a_line_read_live_from_the_journal_kmsg_or_a_file_is_one_event() -> None:
    boot = "01234567-89ab-cdef-0123-456789abcdef"
    journal = json.dumps(
        {
            "MESSAGE": HANGED,
            "_BOOT_ID": boot.replace("-", ""),
            "_SOURCE_MONOTONIC_TIMESTAMP": "61000000",
            "__REALTIME_TIMESTAMP": str(BOOT + 61_000_100),
        }
    )
    framings = [
        journal,
        f"3,99,61000000,-;{HANGED}",
        f"[   61.000000] {HANGED}",
        f"kern  :err   : [   61.000000] {HANGED}",
        f"Jan 24 17:01:01 rig kernel: [   61.000000] {HANGED}",
    ]
    logs = [read(line, boot_id=boot, boot_time_us=BOOT) for line in framings]
    assert len({log.events[0].id for log in logs}) == 1
    assert {log.events[0].time_us for log in logs} == {BOOT + 61_000_000}
    assert {
        log.events[0].data.boot_id for log in logs if isinstance(log.events[0].data, SmuError)
    } == {boot}


def test_a_journal_of_two_boots_keeps_them_apart() -> None:
    lines = [
        json.dumps(
            {
                "MESSAGE": HANGED,
                "_BOOT_ID": digit * 32,
                "_SOURCE_MONOTONIC_TIMESTAMP": "61000000",
                "__REALTIME_TIMESTAMP": str(BOOT + day * 86_400_000_000),
            }
        )
        for day, digit in enumerate("ab")
    ]
    log = read(*lines, boot_time_us=BOOT)
    assert [event.time_us for event in log.events] == [BOOT + 61_000_000, BOOT + 86_400_000_000]
    assert len(set(ids(log))) == 2


def test_a_journal_message_of_bytes_is_found() -> None:
    entry = {"MESSAGE": [*list(HANGED.encode()), 255], "__REALTIME_TIMESTAMP": str(BOOT)}
    assert read(json.dumps(entry, separators=(",", ":"))).types == {"smu_error": 1}


def test_dmesg_json_is_read_whole() -> None:
    document = {
        "dmesg": [{"pri": 6, "time": 1.0, "msg": NOISE}, {"pri": 3, "time": 61.0, "msg": HANGED}]
    }
    log = read(json.dumps(document, indent=3), boot_time_us=BOOT)
    assert (log.lines, times(log)) == (2, ["2026-01-24T17:01:01Z"])
    assert ids(log) == ids(read(f"[   61.000000] {HANGED}", boot_time_us=BOOT))


def test_continuation_lines_are_kept_with_their_line() -> None:
    log = read(
        f"[   61.000000] {HANGED}",
        "               more of it",
        f"[   62.000000] {NOISE}",
        boot_time_us=BOOT,
    )
    (event,) = log.events
    assert isinstance(event.data, SmuError)
    assert event.data.raw == f"[   61.000000] {HANGED}\n               more of it"


def test_an_indented_log_is_read_line_by_line() -> None:
    log = read(
        f"    [   61.000000] {HANGED}",
        f"    [   62.000000] {RESET}",
        f"    {RESET}",
        boot_time_us=BOOT,
    )
    assert times(log) == ["2026-01-24T17:01:01Z", "2026-01-24T17:01:02Z", "2026-01-24T17:01:02Z"]


def test_the_dictionary_of_a_kmsg_line_is_not_the_kernels_words() -> None:
    log = read(
        f"3,99,61000000,-;{HANGED}",
        " SUBSYSTEM=pci",
        " DEVICE=+pci:0000:22:00.0",
        boot_time_us=BOOT,
    )
    (event,) = log.events
    assert isinstance(event.data, SmuError)
    assert event.data.raw == f"3,99,61000000,-;{HANGED}"


def test_a_page_fault_group_is_one_event() -> None:
    head = "amdgpu 0000:03:00.0: amdgpu: "
    group = [
        "[gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32770, for process x pid 1 thread x pid 1)",
        "  in page starting at address 0x00007f0000000000 from client 0x1b (UTCL2)",
        "GCVM_L2_PROTECTION_FAULT_STATUS:0x00801031",
        "\t Faulty UTCL2 client ID: TCP (0x8)",
        "\t MORE_FAULTS: 0x1",
        "\t WALKER_ERROR: 0x0",
        "\t PERMISSION_FAULTS: 0x3",
        "\t MAPPING_ERROR: 0x0",
        "\t RW: 0x0",
    ]
    log = read(
        *(f"[   61.00000{n}] {head}{text}" for n, text in enumerate(group)), boot_time_us=BOOT
    )
    assert log.types == {"gpu_fault": 1}


def test_what_other_programs_log_about_the_kernel_is_no_report() -> None:
    log = read(
        f"Jan 24 17:28:02 rig runledger[7]: {HANGED}", f"Jan 24 17:28:02 rig kernel: {HANGED}"
    )
    assert log.types == {"smu_error": 1}


def test_carriage_returns_make_no_difference() -> None:
    assert ids(read(f"[ 61.000000] {HANGED}\r", boot_time_us=BOOT)) == ids(
        read(f"[ 61.000000] {HANGED}", boot_time_us=BOOT)
    )


def test_text_that_a_ledger_cannot_hold_is_replaced_and_long_lines_are_cut() -> None:
    log = read(f"[ 61.000000] {HANGED}\x00\ud800" + "x" * 100_000, boot_time_us=BOOT)
    (event,) = log.events
    assert isinstance(event.data, SmuError)
    assert "\ufffd\ufffd" in event.data.raw
    assert len(event.data.raw) == 16_384


def test_the_last_line_tells_a_live_collector_where_to_go_on() -> None:
    last = read(f"3,98,60000000,-;{HANGED}", f"6,99,61000000,-;{NOISE}", boot_time_us=BOOT).last
    assert last is not None
    assert (last.sequence, last.monotonic_us) == (99, 61_000_000)
    journal = json.dumps({"MESSAGE": NOISE, "__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1"})
    last = read(journal).last
    assert last is not None
    assert last.cursor == "s=1;i=2"
    assert read().last is None


def test_a_flood_of_lines_gives_events_as_fully_checked_as_a_single_one() -> None:
    log = read(
        *(f"[ {n}.000000] {HANGED}\x00" for n in range(60, 70)), boot_time_us=BOOT, boot_id="b"
    )
    for event in log.events:
        assert event == new_event(
            event.data, time_us=event.time_us, source=event.source, id=event.id
        )


LINES = st.sampled_from(
    [
        f"[ 61.000000] {HANGED}",
        f"[ 62.000000] {NOISE}",
        f"[Feb 9 23:31] {NOISE}",
        f"[  +1.000000] {NOISE}",
        f"[  +1.000000] {RESET}",
        f"23:00:00 {RESET}",
        f"01:00:00 {NOISE}",
        HANGED,
        NOISE,
        "    continued",
        f"    {RESET}",
        "",
        "\t",
        f"2026-01-20T02:07:07,000012+00:00 {HANGED}",
        f"Jan 24 17:28:02 rig kernel: [  99.000000] {RESET}",
        "[    1.000000] rtc_cmos 00:01: setting system clock to 2026-01-24T17:00:01 UTC (1769274001)",
    ]
)


def _pieces(text: str, cuts: Sequence[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


@settings(max_examples=200)
@given(
    st.lists(LINES, max_size=40),
    st.lists(st.integers(0, 5000), max_size=8),
    st.sampled_from([BOOT, None]),
    st.booleans(),
)
def test_how_a_log_is_cut_into_pieces_changes_nothing(
    lines: list[str], cuts: list[int], boot_time_us: int | None, final_end: bool
) -> None:
    text = "\n".join(["[Sat Jan 24 14:25:56 2026] start", *lines]) + ("\n" if final_end else "")

    def result(pieces: list[str]) -> tuple[int, tuple[Event, ...]] | str:
        try:
            log = scan(pieces, node="n", source="s", now_us=NOW, boot_time_us=boot_time_us)
        except UnplacedLine as error:
            return str(error)
        return log.lines, log.events

    whole = result([text])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_BLOCK", 64)
        assert result(_pieces(text, cuts)) == whole


@given(st.lists(st.text(), max_size=5))
def test_arbitrary_text_never_raises(pieces: list[str]) -> None:
    scan(pieces, node="n", source="s", now_us=NOW, boot_time_us=BOOT)


@given(
    st.binary(),
    st.sampled_from([HANGED, RESET, f"[ 61.0000{HANGED}", '{"MESSAGE":"SMU', '{ "dmesg": [']),
)
def test_arbitrary_bytes_around_reports_never_raise(data: bytes, report: str) -> None:
    text = data.decode("utf-8", "replace")
    scan([text, report, text], node="n", source="s", now_us=NOW, boot_time_us=BOOT)
