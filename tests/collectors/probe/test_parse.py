"""The parser takes anything, and says no more than it was told."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.probe import (
    Card,
    ProbeReport,
    ProbeRequest,
    WantedFile,
    kernel_scans,
    parse_probe,
    probe_script,
    report_to_payloads,
)
from collectors.probe.report import FileSeen, Hung, KernelLog
from collectors.script import InvalidScriptInput
from ledger import registry
from ledger.payloads import Payload

NONCE = "5eed5eed5eed5eed5eed5eed5eed5eed"
REQUEST = ProbeRequest(
    nonce=NONCE,
    boot_id="5b2d8f4e-0c1a-4d7e-9a53-1f6e2c7b9d10",
    cursor="journal:s=1",
    ramdisk=(WantedFile("/dev/shm/a"),),
    inputs=(WantedFile("b", hashed=True),),
)
TITLES = (
    "node",
    "kernel-source",
    "kernel.journal",
    "kernel.kmsg",
    "kernel.dmesg",
    "previous.journal",
    "cards",
    "values",
    "smu",
    "smu.err",
    "smu1",
    "rocm-smi",
    "amd-smi.list",
    "amd-smi.metric",
    "nvidia-smi",
    "nvidia-smi.err",
    "nvidia-smi.basic",
    "places",
    "tools",
    "files",
    "space",
    "late",
    "scratch",
)
WORDS = st.sampled_from(
    [
        "card card1 0000:04:00.0 1002:73FF amdgpu",
        "card card2 0000:05:00.0 10DE:2208 nvidia",
        "undriven 0000:09:00.0 1002:73ff",
        "config card1 02 10 ff 73",
        "config card1 ff ff ff ff",
        "value card1 mem_info_vram_used 17825792",
        "value card1 mem_info_vram_used -1",
        "try card1 config",
        "fail card1 mem_info_vram_used",
        "ask card1",
        "spare card1 known_as_failed",
        "spare card1 ?",
        "asked card1",
        "asked card1 temp1_input",
        "unfound rocm-smi",
        "clock 1769274000.123456789",
        "clock x",
        "mem_total_kib 32000000",
        "mem_available_kib -1",
        "place pci0000:00/0000:00:01.1/0000:04:00.0",
        "place pci0000:00/x",
        "answer 0",
        "answer 99999999999999999999",
        "answer",
        "hung",
        "cat: /sys/class/drm/card1/device/gpu_busy_percent: Timer expired",
        "kfd 1 S 2 3",
        "kfd 1 ( 2",
        "kfdnode 2 0 1024",
        "kfdnode x",
        "journal",
        "kmsg",
        "dmesg",
        "none",
        '{"__CURSOR":"s=2","_BOOT_ID":"5b2d8f4e0c1a4d7e9a531f6e2c7b9d10","MESSAGE":"x"}',
        '{"__CURSOR":1}',
        "{",
        "4,12,99,-;x",
        "[    1.000000] x",
        "present 0 2",
        "present 1",
        "absent 0",
        "present 99 1",
        "hash 1 00",
        "hash 1",
        "try 0 1",
        "try",
        "boot_id x",
        "boot_id 5b2d8f4e-0c1a-4d7e-9a53-1f6e2c7b9d10",
        "uptime 1.5",
        "uptime -1",
        "hostname \x1b[31m",
        "0, 00000000:01:00.0, u, n, 1, 2, 3, 4, 5, d",
        '[{"gpu": 0, "bdf": "x"}]',
        '{"card0": {"PCI Bus": "0000:03:00.0"}}',
        "0 1 0x73ff, 1 36.0°C 4.0W N/A, N/A, 0 7Mhz 9Mhz 0% auto 1W 0% 0%",
        "/dev/sda 1 2 3 4% /",
    ]
)
SECTIONS = st.lists(
    st.tuples(
        st.sampled_from(TITLES),
        st.lists(WORDS, max_size=8),
        st.binary(max_size=20),
        st.sampled_from(["0", "1", "124", "153", "hung", ""]),
    ),
    max_size=12,
)


def framed(sections, done: bool = True) -> bytes:
    parts = [f"runledger-probe/1 {NONCE}\n".encode()]
    for title, lines, junk, status in sections:
        body = "".join(f"{line}\n" for line in lines).encode() + junk
        parts.append(f"\n{NONCE} begin {title}\n".encode() + body)
        if status:
            parts.append(f"\n{NONCE} end {title} {status}\n".encode())
    return b"".join(parts) + (f"\n{NONCE} done\n".encode() if done else b"")


def valid(payload: Payload) -> None:
    """It passes the ledger's own check of payloads on the wire."""
    registry.decode_payload(payload.event_type, payload.version, msgspec.json.encode(payload))


def events_of(report: ProbeReport) -> list[Payload]:
    return [
        *report_to_payloads(report, "rig", expected=12, expected_sha256={"b": "0" * 64}),
        *kernel_scans(report, "rig", matches=0),
    ]


@given(st.binary())
def test_junk_gives_an_empty_report_that_claims_nothing(junk):
    report = parse_probe(junk, REQUEST)
    assert (report.started, report.cards_read, report.kernel.readable) == (False, False, False)
    assert report.errors


@settings(max_examples=300)
@given(SECTIONS, st.booleans())
def test_any_sections_in_any_order_give_a_report_and_only_valid_payloads(sections, done):
    report = parse_probe(framed(sections, done), REQUEST)
    assert report.complete == done
    for payload in events_of(report):
        valid(payload)


@given(SECTIONS, st.data())
def test_an_output_cut_anywhere_gives_a_report(sections, data):
    whole = framed(sections)
    report = parse_probe(whole[: data.draw(st.integers(0, len(whole)))], REQUEST)
    for payload in events_of(report):
        valid(payload)


def test_cards_that_could_not_be_listed_make_no_gpu_probe():
    assert report_to_payloads(ProbeReport(started=True), "rig") == ()


def test_a_rig_without_cards_makes_a_gpu_probe_that_shows_none():
    (payload,) = report_to_payloads(ProbeReport(cards_read=True), "rig", expected=12)
    assert (payload.gpus, payload.expected) == ((), 12)


def test_a_hung_command_is_its_own_event_and_names_its_card():
    card = Card(pci="0000:04:00.0", state="unknown", vendor="amd")
    report = ProbeReport(cards_read=True, cards=(card,), hung=(Hung("x", 5, "0000:04:00.0"),))
    hung, probe = report_to_payloads(report, "rig")
    assert (hung.command, hung.pci, hung.timeout_s) == ("x", "0000:04:00.0", 5)
    assert probe.gpus[0].state == "unknown"


def test_the_expected_hash_is_recorded_beside_the_one_that_was_found():
    report = ProbeReport(inputs=(FileSeen("b", True, 2, "1" * 64),))
    (payload,) = report_to_payloads(report, "rig", expected_sha256={"b": "0" * 64})
    assert (payload.files[0].sha256, payload.files[0].expected_sha256) == ("1" * 64, "0" * 64)


def test_the_boot_before_is_recorded_first_and_only_where_it_was_read():
    now = KernelLog("journal", True, ("a",), "now", "journal:2")
    before = KernelLog("journal", True, ("a", "b"), "before", "journal:1")
    scans = kernel_scans(
        ProbeReport(kernel=now, previous=before), "rig", matches=1, previous_matches=2
    )
    assert [(scan.boot_id, scan.lines, scan.matches) for scan in scans] == [
        ("before", 2, 2),
        ("now", 1, 1),
    ]
    unread = KernelLog("journal", False, (), "before")
    assert len(kernel_scans(ProbeReport(kernel=now, previous=unread), "rig", matches=0)) == 1


def test_answers_that_do_not_fit_the_questions_are_given_to_nobody():
    sections = [
        ("cards", [f"card card{n} 0000:0{n}:00.0 1002:73FF amdgpu" for n in (1, 2)], b"", "0"),
        ("values", [f"config card{n} 02 10 ff 73" for n in (1, 2)], b"", "0"),
        ("smu", [f"asked card{n} gpu_busy_percent" for n in (1, 2)] + ["answer 5"], b"", "0"),
    ]
    report = parse_probe(framed(sections), REQUEST)
    assert [card.state for card in report.cards] == ["unknown", "unknown"]
    assert report.smu_reads == 2


def test_a_foreign_cursor_is_not_sent():
    script = probe_script(ProbeRequest(nonce=NONCE, boot_id="b", cursor="journal:a b;$(x)"))
    assert b"\ncursor " not in script


def test_a_path_with_a_line_break_is_refused_before_anything_is_sent():
    with pytest.raises(InvalidScriptInput):
        probe_script(ProbeRequest(nonce=NONCE, ramdisk=(WantedFile("/dev/shm/a\nsmu 1"),)))
