"""What is asked of a node: as little as answers the question, within the time there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.fleet import FileCheck, Fleet, parse_fleet
from rules.state import File, NodeState, Probe, Reach, Scan, Seen
from runledger.config.settings import ProbeSettings
from runledger.errors import BadInput, Missing
from runledger.probing.plan import Known, ask, limits, wanted
from runledger.probing.targets import Target, targets

S = 1_000_000
NOW = 1_800_000_000 * S
FLEET = parse_fleet(
    """
[[nodes]]
name = "rig"
address = "192.0.2.10"
known_hosts = "keys/known"
identity = "/keys/id"
[[nodes]]
name = "bare"
ramdisk = false
[[nodes]]
name = "zeus"
address = "localhost"
[steps."3"]
ramdisk = ["/dev/shm/a"]
inputs = ["in.json"]
[steps."5"]
nodes = ["rig"]
ramdisk = ["/dev/shm/a", "/dev/shm/b"]
inputs = [{ path = "in.json", sha256 = "%s" }]
"""
    % ("0" * 64)
)
FOLDER = Path("/srv/pipeline")


def at(fleet: Fleet = FLEET, **more: object) -> dict[str, Target]:
    return {each.name: each for each in targets(fleet, folder=FOLDER, **more)}  # type: ignore[arg-type]


def paths(checks: tuple[FileCheck, ...]) -> list[str]:
    return [check.path for check in checks]


# -- whom to ask ----------------------------------------------------------------


def test_a_step_names_the_nodes_and_files_to_look_at() -> None:
    found = at(step="3")
    assert list(found) == ["rig", "bare", "zeus"]
    assert paths(found["rig"].ramdisk) == ["/dev/shm/a"]
    assert found["bare"].ramdisk == ()
    assert paths(found["zeus"].inputs) == ["in.json"]
    assert found["rig"].inputs == ()
    assert found["zeus"].folder == "/srv/pipeline"
    assert found["rig"].ramdisk_dir == "/dev/shm"


def test_the_controller_is_looked_at_for_inputs_though_the_step_does_not_run_there() -> None:
    found = at(step="5")
    assert list(found) == ["rig", "localhost"]
    assert found["localhost"].node is None
    assert found["localhost"].inputs[0].sha256 == "0" * 64


def test_without_a_step_all_that_any_step_needs_is_looked_at() -> None:
    found = at()
    assert paths(found["rig"].ramdisk) == ["/dev/shm/a", "/dev/shm/b"]
    assert paths(found["zeus"].ramdisk) == ["/dev/shm/a"]
    assert found["zeus"].inputs == (FileCheck(path="in.json", sha256="0" * 64),)


def test_nodes_are_given_by_name_or_address() -> None:
    assert list(at(names=["192.0.2.10"])) == ["rig"]
    with pytest.raises(Missing, match="did you mean rig"):
        at(names=["rigg"])
    with pytest.raises(BadInput, match="no nodes are configured"):
        at(Fleet(), names=["rig"])


def test_ssh_files_are_relative_to_the_configuration() -> None:
    spec = at()["rig"].spec
    assert spec.known_hosts == ("/srv/pipeline/keys/known",)
    assert spec.identity == "/keys/id"
    assert spec.ssh_config is None


# -- what to ask ------------------------------------------------------------------


def seen(age_s: float, **changes: object) -> NodeState:
    """A node all of which was well this long ago."""
    time_us = NOW - round(age_s * S)
    state = NodeState(
        reach=Reach(time_us=time_us, event="r", reachable=True),
        probe=Probe(
            time_us=time_us, event="p", gpus=[Seen(pci="0000:04:00.0", state="ok", card="c")]
        ),
        scan=Scan(time_us=time_us, event="s", readable=True),
        ramdisk={"/dev/shm/a": File(time_us=time_us, event="f", present=True, size=2)},
    )
    for name, value in changes.items():
        setattr(state, name, value)
    return state


def asked(state: NodeState, *, since_s: float = 0, hung_s: float | None = None) -> str:
    """The parts that are asked for, as words."""
    known = Known(state=state, node_hung_us=None if hung_s is None else NOW - round(hung_s * S))
    what = wanted(
        at(step="3")["rig"],
        known,
        NodeState(),
        now_us=NOW,
        asked_us=NOW - round(since_s * S),
        interval_us=10 * S,
    )
    parts = {"node": what.node, "cards": what.cards, "log": what.kernel_log, "ram": what.ramdisk}
    return " ".join(part for part, is_wanted in parts.items() if is_wanted)


def test_evidence_is_used_again_for_as_long_as_the_interval() -> None:
    assert asked(NodeState()) == "node cards log ram"
    assert asked(seen(9.9)) == ""
    assert asked(seen(10)) == "node cards log ram"


def test_evidence_from_the_future_is_not_used() -> None:
    assert asked(seen(-1)) == "node cards log ram"


def test_bad_news_is_looked_at_again_but_for_cards() -> None:
    gone = File(time_us=NOW - S, event="f", present=False)
    assert asked(seen(1, ramdisk={"/dev/shm/a": gone})) == "ram"
    empty = File(time_us=NOW - S, event="f", present=True, size=0)
    assert asked(seen(1, ramdisk={"/dev/shm/a": empty})) == "ram"
    assert asked(seen(1, scan=Scan(time_us=NOW - S, event="s", readable=False))) == "log"
    dead = Probe(time_us=NOW - S, event="p", gpus=[Seen(pci="x", state="unresponsive", card="c")])
    assert asked(seen(1, probe=dead)) == ""


def test_a_node_that_was_down_is_tried_again_unless_it_was_tried_since_we_asked() -> None:
    down = Reach(time_us=NOW - S, event="r", reachable=False)
    assert asked(seen(60, reach=down)) == "node cards log ram"
    assert asked(seen(60, reach=down), since_s=2) == ""


def test_a_node_on_which_something_hung_a_moment_ago_has_its_cards_left_alone() -> None:
    assert asked(seen(60), hung_s=3) == "node log ram"
    assert asked(seen(60), hung_s=30) == "node cards log ram"


def test_what_another_found_since_we_asked_is_enough_whatever_the_interval() -> None:
    assert asked(seen(30), since_s=31) == ""


def test_a_card_that_did_not_respond_is_left_alone_for_a_period() -> None:
    period_s = 300
    start = NOW - NOW % (period_s * S)
    target = at(step="3")["rig"]

    def failed(probe_us: int, now_us: int) -> tuple[str, ...]:
        gpus = [Seen(pci="0000:04:00.0", state="unresponsive", card="c")]
        state = NodeState(probe=Probe(time_us=probe_us, event="p", gpus=gpus))
        known = Known(state=state, boot_id="b", hung=frozenset({"0000:07:00.0"}))
        what = wanted(target, known, NodeState(), now_us=now_us, asked_us=now_us, interval_us=0)
        question = ask(target, what, known, ProbeSettings(), now_us=now_us)
        return question.request.failed

    assert failed(start, start + 100 * S) == ("0000:04:00.0", "0000:07:00.0")
    assert failed(start, start + 301 * S) == ("0000:07:00.0",)


@given(
    connect=st.floats(0.1, 60),
    command=st.floats(0.1, 600),
    total=st.floats(1, 3600),
    hashes=st.integers(0, 20),
)
def test_limits_are_always_possible_ones(
    connect: float, command: float, total: float, hashes: int
) -> None:
    settings = ProbeSettings(
        connect_timeout_s=connect, command_timeout_s=command, total_timeout_s=total
    )
    read_s, tool_s, hash_s, total_s = limits(settings, hashes)
    assert min(read_s, tool_s, hash_s, total_s) >= 1
    assert tool_s <= max(1, command)


@pytest.mark.parametrize("hashes", [0, 1, 4])
def test_the_default_limits_let_the_far_side_end_before_the_near_side(hashes: int) -> None:
    settings = ProbeSettings()
    target = at(step="3")["rig"]
    check = FileCheck(path="/dev/shm/a", sha256="0" * 64)
    target = replace(target, ramdisk=(check,) * hashes)
    what = wanted(target, Known(), NodeState(), now_us=NOW, asked_us=NOW, interval_us=0)
    request = ask(target, what, Known(), settings, now_us=NOW).request
    assert request.longest_s + settings.connect_timeout_s <= settings.total_timeout_s
