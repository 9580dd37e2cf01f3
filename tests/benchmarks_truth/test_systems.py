"""The systems under test: each peer does what its source says, and ours what its engine says."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.truth.drawing import draw
from benchmarks.truth.judging import Decision, KernelLine, NodeSeen, Observed, System
from benchmarks.truth.layout import START, TICK, D, Dialect, H, Place, S, machines, pci
from benchmarks.truth.rates import rates_of
from benchmarks.truth.report import collected
from benchmarks.truth.running import Run, live
from benchmarks.truth.systems import NAMES, PEERS, make, speaks
from benchmarks.truth.systems.runledger import MAY_START, Runledger, problem_of
from benchmarks.truth.world import World

FLEET = machines("nvidia", 2)
ALL_OK = {pci(slot): "ok" for slot in range(8)}


class Story:
    """Tells a system what it sees, a look every six hours."""

    def __init__(self, name: str, dialect: Dialect = "nvidia") -> None:
        self.system: System = make(name, machines(dialect, 2), [])
        self.now = START
        self.boot = 0

    def goes_on(self, *texts: str, states: dict[str, str] | None = None) -> Decision:
        """The answer after six hours, in which node 0 printed these lines three minutes apart."""
        self.now += TICK
        lines = [
            KernelLine(self.now - (len(texts) - number) * 200 * S, 0, text)
            for number, text in enumerate(texts)
        ]
        seen = {
            0: NodeSeen(True, self.boot, ALL_OK if states is None else states),
            1: NodeSeen(True, 0, ALL_OK),
        }
        return self.system.decide(Observed(self.now, lines=lines, seen=seen))

    def waits(self, hours: int) -> Decision:
        """The last answer of some quiet hours."""
        return [self.goes_on() for _ in range(hours // 6)][-1]


def xid(code: int, slot: int = 2) -> str:
    return f"NVRM: Xid (PCI:{pci(slot)[:-2]}): {code}, pid=1, name=python3, words"


def without(slot: int, state: str | None) -> dict[str, str]:
    states = dict(ALL_OK)
    del states[pci(slot)]
    return states if state is None else {**states, pci(slot): state}


def test_gpud_calls_the_machine_bad_until_it_rebooted_and_asks_for_an_inspection_later() -> None:
    story = Story("gpud")
    assert story.goes_on(xid(31)).blocked == frozenset()
    for _ in range(2):
        assert story.goes_on(xid(79)).blocked == {0}
        assert story.goes_on().reboot == {0}
        story.boot += 1
        assert story.goes_on().blocked == frozenset()
    assert story.goes_on(xid(79)).blocked == {0}
    story.boot += 1
    assert story.goes_on().blocked == {0}  # a third time: a reboot does not clear it
    assert story.waits(24).blocked == frozenset()  # a person did, after a day


def test_gpud_forgets_after_fourteen_days() -> None:
    story = Story("gpud")
    for _ in range(2):
        story.goes_on(xid(79))
        story.boot += 1
        story.goes_on()
    story.waits(15 * 24)
    story.goes_on(xid(79))
    story.boot += 1
    assert story.goes_on().blocked == frozenset()


def test_nvsentinel_cordons_for_fatal_xids_only_and_a_reboot_clears_them() -> None:
    story = Story("nvsentinel")
    assert story.goes_on(xid(13), xid(31), xid(43), xid(94)).blocked == frozenset()
    assert story.goes_on(xid(95)).blocked == {0}
    story.boot += 1
    assert story.goes_on().blocked == frozenset()


@pytest.mark.parametrize(
    ("name", "cordoned"), [("nvsentinel", False), ("nvsentinel-cordons", True)]
)
def test_nvsentinel_counts_bursts_of_one_xid_on_one_card(name: str, cordoned: bool) -> None:
    story = Story(name)
    assert story.goes_on(*[xid(13)] * 4).blocked == frozenset()
    assert bool(story.goes_on(xid(13)).blocked) is cordoned
    assert story.waits(30).blocked == frozenset()
    story = Story(name)
    assert bool(story.goes_on(xid(31), xid(31)).blocked) is cordoned


def test_the_device_plugin_takes_out_the_card_and_ignores_what_programs_do() -> None:
    story = Story("device-plugin")
    assert story.goes_on(xid(13), xid(31), xid(43), xid(45), xid(68), xid(109)).out == frozenset()
    assert story.goes_on(xid(48, slot=5)).out == {Place(0, 5)}
    story.boot += 1
    assert story.goes_on().out == frozenset()


def test_the_device_plugin_loses_the_machine_with_a_lost_card_as_its_source_says() -> None:
    story = Story("device-plugin")
    story.goes_on()
    assert len(story.goes_on(states=without(3, "unresponsive")).out) == 8


def test_nhc_drains_while_nvidia_smi_fails_and_resumes_with_the_next_good_run() -> None:
    story = Story("nhc")
    assert story.goes_on(xid(79)).blocked == frozenset()
    assert story.goes_on(states=without(3, "unresponsive")).blocked == {0}
    assert story.goes_on().blocked == frozenset()


@pytest.mark.parametrize("name", ["gpud", "nvsentinel", "nhc", "device-plugin"])
def test_a_card_that_a_machine_came_up_without_is_offered_to_nobody(name: str) -> None:
    story = Story(name)
    story.goes_on()
    story.boot += 1
    decision = story.goes_on(states=without(3, None))
    assert decision.out == {Place(0, 3)}
    assert decision.blocked == frozenset()


def test_node_problem_detector_knows_no_card_and_never_goes_back_by_itself() -> None:
    story = Story("node-problem-detector")
    assert story.goes_on(xid(79), xid(48)) == Decision()
    assert story.goes_on("Remounting filesystem read-only").blocked == {0}
    assert story.waits(12).blocked == {0}


def test_amds_exporter_takes_out_what_counts_uncorrectable_errors_until_the_driver_is_new() -> None:
    story = Story("amd-exporter", "amd")
    head = f"amdgpu {pci(4)}: amdgpu: "
    assert story.goes_on(f"{head}ring gfx_0.0.0 timeout, signaled seq=1").out == frozenset()
    line = f"{head}socket: 0, die: 0, 2 new uncorrectable hardware errors detected in umc block"
    assert story.goes_on(line).out == {Place(0, 4)}
    assert story.waits(48).out == {Place(0, 4)}
    story.boot += 1
    assert story.goes_on().out == frozenset()


def test_one_strike_is_out_until_somebody_came() -> None:
    story = Story("one-strike")
    assert story.goes_on(xid(31)).out == {Place(0, 2)}
    assert story.waits(20 * 24).out == {Place(0, 2)}
    assert story.waits(2 * 24).out == frozenset()


@pytest.mark.parametrize("dialect", ["amd", "nvidia"])
def test_nothing_loses_the_most_jobs_and_the_oracle_the_fewest(dialect: Dialect) -> None:
    results = {}
    for name in NAMES:
        if name != "runledger" and speaks(name, dialect):
            for seed in (1, 2):
                run = Run(name, dialect, seed, "x4", nodes=4, days=60)
                results[run] = live(run)
    found = collected(results)[dialect]
    most, fewest = found["nothing"]["jobs_lost"], found["oracle"]["jobs_lost"]
    assert 0 < fewest < most / 2
    for name, each in found.items():
        # One that reboots machines may meet a little more than one that does nothing.
        assert fewest <= each["jobs_lost"] <= 1.05 * most, name
    assert found["oracle"]["wrong_exclusions"] == 0
    assert found["oracle"]["bad_hours_kept_off"] == 1
    assert found["oracle"]["healthy_share_lost"] == found["nothing"]["healthy_share_lost"] == 0


def test_a_peer_is_asked_only_about_the_cards_that_it_knows() -> None:
    assert speaks("gpud", "nvidia")
    assert not speaks("gpud", "amd")
    assert speaks("runledger", "amd")
    assert set(PEERS) < set(NAMES)


# -- runledger ------------------------------------------------------------------------


class Slow(Runledger):
    """Asks about every machine each time, and compares."""

    def decide(self, observed: Observed) -> Decision:
        quick = super().decide(observed)
        state = self._history.upto([], observed.at_us)
        for name, number in self._numbers.items():
            draft = self._judge.decide("preflight", {"step": name}, state, observed.at_us)
            assert (draft.verdict not in MAY_START) == (number in quick.blocked)
        return quick


@pytest.mark.parametrize("dialect", ["amd", "nvidia"])
def test_asking_about_doubted_machines_alone_answers_as_asking_about_all(dialect: Dialect) -> None:
    values = rates_of("x4")
    fate = draw(1, dialect, values, nodes=3, days=15)
    assert World(fate, values, Slow(fate.machines, [])).live().jobs > 0


def test_events_that_come_late_lead_to_the_decisions_of_those_that_came_in_time() -> None:
    class Recorder(Runledger):
        told: list[Observed]

        def decide(self, observed: Observed) -> Decision:
            self.told.append(observed)
            return super().decide(observed)

    values = rates_of("x4")
    fate = draw(2, "amd", values, nodes=3, days=20)
    recorder = Recorder(fate.machines, [])
    recorder.told = []
    World(fate, values, recorder).live()
    in_time, late = Runledger(fate.machines, []), Runledger(fate.machines, [])
    held: list[Observed] = []
    answers = []
    for number, observed in enumerate(recorder.told):
        answer = in_time.decide(observed)
        held.append(observed)
        if number % 7 == 6:  # all at once, the newest first
            events = list(itertools.chain.from_iterable(each.events for each in reversed(held)))
            answers.append((answer, late.decide(Observed(observed.at_us, events=events))))
            held = []
    assert len(answers) > 10
    assert all(one == other for one, other in answers)


def test_settings_reach_the_policy_and_wrong_ones_are_named() -> None:
    assert problem_of(["gpu.exclude_after_incidents=1"]) is None
    assert "gpu.no_such_key" in (problem_of(["gpu.no_such_key=1"]) or "")
    strict = Run("runledger", "amd", 1, "x4", 4, 30, ("gpu.exclude_after_incidents=1",))
    lax = strict._replace(settings=())
    out_h = [sum(each.out_h for each in live(run).episodes.values()) for run in (strict, lax)]
    assert out_h[0] > out_h[1]


def test_times_of_the_story_are_what_the_models_count_in() -> None:
    assert D == 4 * TICK == 24 * H
