"""A node's answer as events: whatever it sends, what is missing is said, and nothing is made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.probe import ProbeRequest, WantedFile
from collectors.reach import Failure, NodeResult
from ledger import Event
from ledger.payloads import CommandHung, GpuProbe, KernelLogScanned, SmuError, SshProbe
from rules.fleet import FileCheck, parse_fleet
from runledger.probing.plan import Ask
from runledger.probing.results import answer
from runledger.probing.targets import Target, targets
from tests.rigs import BOOT_ID

NONCE = "5eed5eed5eed5eed5eed5eed5eed5eed"
NOW = 1_800_000_000_000_000
FLEET = parse_fleet('[[nodes]]\nname = "rig"\naddress = "192.0.2.10"\ngpus = 2\n')
RAMDISK = "/dev/shm/a"
STUCK = "amdgpu 0000:07:00.0: amdgpu: SMU: I'm not done with your previous command!"


def target() -> Target:
    (found,) = targets(FLEET, folder=Path("/"))
    return found


def asking(**request: object) -> Ask:
    made = ProbeRequest(nonce=NONCE, **request)  # type: ignore[arg-type]
    return Ask(target(), made, begun_us=NOW - 2_000_000)


def frames(*sections: tuple[str, str, str], done: bool = True) -> bytes:
    text = f"\nrunledger-probe/1 {NONCE}\n"
    for title, content, status in sections:
        text += f"\n{NONCE} begin {title}\n{content}\n\n{NONCE} end {title} {status}\n"
    return (text + (f"\n{NONCE} done\n" if done else "")).encode()


NODE = ("node", f"boot_id {BOOT_ID}\nuptime 100.00 1.00", "0")
CARDS = ("cards", "card card1 0000:04:00.0 1002:73ff amdgpu", "0")
VALUES = ("values", "config card1 02 10 ff 73", "0")
SMU = ("smu", "asked card1\nanswer 0", "0")
LOG = ("kernel-source", "kmsg", "0")


def kmsg(*lines: str, status: str = "0") -> tuple[str, str, str]:
    records = [f"4,{100 + at},{at * 1_000_000},-;{line}" for at, line in enumerate(lines, 1)]
    return ("kernel.kmsg", "\n".join(records), status)


def events(stdout: bytes, ask: Ask | None = None, failure: Failure | None = None) -> list[Event]:
    result = NodeResult(
        node=target().spec, reachable=True, failure=failure, latency_s=0.5, stdout=stdout
    )
    return list(answer(ask or asking(), result, now_us=NOW, observer="zeus").events)


def of(kind: type, found: list[Event]) -> list[object]:
    return [event.data for event in found if isinstance(event.data, kind)]


def test_a_whole_answer_leaves_nothing_open() -> None:
    found = events(frames(NODE, kmsg("Linux version 6.8", STUCK), LOG, CARDS, VALUES, SMU))
    assert [event.type for event in found] == [
        "smu_error",
        "ssh_probe",
        "kernel_log_scanned",
        "gpu_probe",
    ]
    assert {event.source.partition("@")[2] for event in found} == {"zeus"}


def test_a_line_is_dated_by_our_own_clock_and_the_uptime_when_it_was_read() -> None:
    found = events(frames(NODE, kmsg("Linux version 6.8", STUCK), LOG, CARDS, VALUES, SMU))
    # Sent 2 s ago, there after half a second: the uptime of 100 s was that of 1.5 s ago.
    (reach,) = of(SshProbe, found)
    assert isinstance(reach, SshProbe)
    assert reach.uptime_s == 101.5
    assert found[0].time_us == NOW - round(101.5e6) + 2_000_000


def test_the_same_line_is_the_same_event_whenever_it_is_read() -> None:
    first, again = (
        events(frames((NODE[0], f"boot_id {BOOT_ID}\nuptime {uptime}", "0"), kmsg(STUCK), LOG))
        for uptime in ("100.00 1.00", "100.31 1.00")
    )
    assert first[0].id == again[0].id
    assert first[0].time_us != again[0].time_us


@pytest.mark.parametrize(
    ("sections", "done"),
    [
        ((NODE,), False),
        ((NODE, kmsg("Linux"), LOG), True),
        ((NODE, kmsg("Linux"), LOG, ("cards", "", "hung")), True),
        ((NODE, kmsg("Linux"), LOG, CARDS, ("late", "", "45")), True),
    ],
)
def test_cards_that_were_not_looked_at_are_said_to_be_missing(
    sections: tuple[tuple[str, str, str], ...], done: bool
) -> None:
    found = events(frames(*sections, done=done))
    probes = of(GpuProbe, found)
    assert of(CommandHung, found) or probes
    assert not probes or all(
        gpu.state != "ok" for probe in probes if isinstance(probe, GpuProbe) for gpu in probe.gpus
    )


def test_what_hung_on_the_node_comes_after_the_probe_of_its_cards() -> None:
    ask = asking(ramdisk=(WantedFile(RAMDISK),))
    ask.target = Target(
        spec=ask.target.spec, node=ask.target.node, ramdisk=(FileCheck(path=RAMDISK),)
    )
    files = ("files", "try 0", "hung")
    found = events(frames(NODE, kmsg("Linux"), LOG, CARDS, VALUES, SMU, files), ask)
    types = [event.type for event in found]
    assert types.index("command_hung") > types.index("gpu_probe")


def test_a_log_that_cannot_be_dated_is_no_evidence_and_is_read_again() -> None:
    ask = asking(boot_id=BOOT_ID, cursor="kmsg:7")
    node = ("node", f"boot_id {BOOT_ID}", "0")
    found = events(frames(node, kmsg("Linux", STUCK), LOG, CARDS, VALUES, SMU), ask)
    (scanned,) = of(KernelLogScanned, found)
    assert isinstance(scanned, KernelLogScanned)
    assert (scanned.readable, scanned.cursor) == (False, "kmsg:7")
    assert of(SmuError, found) == []


def test_an_unreachable_node_says_no_more_than_that() -> None:
    failure = Failure("timeout", "no answer within 5 s", "check power")
    result = NodeResult(node=target().spec, reachable=False, failure=failure)
    (only,) = answer(asking(), result, now_us=NOW, observer="zeus").events
    assert isinstance(only.data, SshProbe)
    assert (only.data.reachable, only.data.error) == (False, "timeout")


@given(st.binary(max_size=400))
def test_no_answer_makes_it_fail_and_none_is_taken_for_health(junk: bytes) -> None:
    for stdout in (junk, frames(NODE) + junk, frames(NODE, done=False) + b"\n" + junk):
        found = events(stdout)
        assert of(SshProbe, found)
        assert of(GpuProbe, found) == []
        wrong = of(SshProbe, found)[0].error == "protocol"
        assert of(CommandHung, found) or wrong


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["node", "cards", "values", "smu", "kernel.kmsg", "files", "nvidia-smi"]
            ),
            st.text(max_size=60),
            st.sampled_from(["0", "1", "124", "hung", "x"]),
        ),
        max_size=6,
    )
)
def test_no_content_of_a_section_makes_it_fail(sections: list[tuple[str, str, str]]) -> None:
    text = frames(NODE).decode()
    for title, content, status in sections:
        text += f"\n{NONCE} begin {title}\n{content}\n\n{NONCE} end {title} {status}\n"
    events(text.encode("utf-8", "replace"))


def test_a_nodes_clock_memory_and_its_cards_places_come_with_the_answer() -> None:
    # The script began half a second after it was sent, 1.5 s ago.
    began_s = NOW / 1e6 - 1.5
    node = f"{NODE[1]}\nclock {began_s + 90:.6f}\nmem_total_kib 32768000\nmem_available_kib 2048"
    places = ("places", "place pci0000:00/0000:00:01.1/0000:04:00.0", "0")
    found = events(frames(("node", node, "0"), kmsg("Linux"), LOG, CARDS, places, VALUES, SMU))
    (reach,) = of(SshProbe, found)
    assert isinstance(reach, SshProbe)
    assert (reach.clock_offset_s, reach.mem_total_mib, reach.mem_available_mib) == (90, 32000, 2)
    (probe,) = of(GpuProbe, found)
    assert isinstance(probe, GpuProbe)
    assert [gpu.place for gpu in probe.gpus] == ["0000/01.1/00.0"]


def test_a_boot_before_is_dated_by_our_clock_though_the_nodes_is_ahead() -> None:
    began_s = NOW / 1e6 - 1.5
    logged_us = NOW - 3_600_000_000 + 90_000_000
    entry = {
        "MESSAGE": STUCK, "__REALTIME_TIMESTAMP": str(logged_us), "__CURSOR": "s=1",
        "_BOOT_ID": "a" * 32,
    }  # fmt: skip
    found = events(
        frames(
            ("node", f"{NODE[1]}\nclock {began_s + 90:.6f}", "0"),
            ("kernel-source", "journal", "0"),
            ("kernel.journal", json.dumps({"MESSAGE": "Linux", "__CURSOR": "s=2"}), "0"),
            ("previous.journal", json.dumps(entry), "0"),
        ),
        asking(boot_id="aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", cursor="journal:s=0"),
    )
    assert [event.time_us for event in found if event.type == "smu_error"] == [NOW - 3_600_000_000]


def test_lines_of_trouble_that_could_not_be_read_are_counted_and_said() -> None:
    lines = ("dmesg", f"[    1.000000] Linux\nFl\u00f6rp 24 17:28:02 rig kernel: {STUCK}", "0")
    sections = (NODE, ("kernel-source", "dmesg", "0"), ("kernel.dmesg", lines[1], "0"))
    result = NodeResult(node=target().spec, reachable=True, latency_s=0.5, stdout=frames(*sections))
    answered = answer(asking(), result, now_us=NOW, observer="zeus")
    (scanned,) = of(KernelLogScanned, list(answered.events))
    assert isinstance(scanned, KernelLogScanned)
    assert (scanned.unread, scanned.matches) == (1, 0)
    assert any("words of trouble" in problem for problem in answered.look.problems)


def test_why_a_card_is_not_well_stands_in_the_event() -> None:
    said = "0, 00000000:1A:00.0, GPU-x, RTX, 0, 12288, [GPU requires reset], 31, 210, Default"
    found = events(
        frames(NODE, kmsg("Linux"), LOG, ("cards", "", "0"), ("nvidia-smi", said, "255"))
    )
    (probe,) = of(GpuProbe, found)
    assert isinstance(probe, GpuProbe)
    assert [(gpu.state, gpu.detail) for gpu in probe.gpus] == [
        ("unresponsive", "utilization.gpu says [GPU requires reset]")
    ]
