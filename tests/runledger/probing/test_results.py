"""A node's answer as events: whatever it sends, what is missing is said, and nothing is made up."""

from __future__ import annotations

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
