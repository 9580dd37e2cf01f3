"""Backtests: counted by hand on small histories, and against the truth on a made-up one."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

import runledger
from benchmarks.year import build
from ledger import parse_filters
from ledger.payloads import (
    InputFile,
    InputsChecked,
    JobFailedWithTraceback,
    JobFinished,
    RepairDone,
    RunFinished,
    RunStarted,
    SurvivorsCounted,
)
from rules.policy import InvalidPolicy, default_policy, with_settings
from runledger.api.facade import Runledger
from runledger.backtest import Backtest, Candidate, Scope, backtest
from runledger.backtest.plot import plot
from runledger.backtest.ranges import Range
from runledger.backtest.sweep import no_rules, parse_sweep, swept
from runledger.errors import BadInput, Missing
from tests.rules.histories import NOON, D, H, M, Story, pci
from tests.runledger.nights import ledger_with
from tests.typing_at import Type, told


def _score(opened: Runledger, *settings: str) -> Backtest:
    policies = [
        Candidate("default", with_settings(default_policy(), list(settings))),
        Candidate("none", no_rules()),
    ]
    return backtest(opened.ledger, opened.catalog, policies)


def _one(setting: str) -> Candidate:
    return Candidate("one", with_settings(default_policy(), [setting]))


def _asked(opened: Runledger, run: str, at: int) -> str:
    return opened.preflight("1", run=run, at=NOON + at).verdict


def _run(story: Story, run: str, at: int, outcome: str, hours: int = 2) -> Story:
    story.add(RunStarted(trials=50, seed_count=100_000), at, runid=run)
    return story.add(
        RunFinished(outcome=outcome),  # type: ignore[arg-type]
        at + hours * H,
        runid=run,
    )


def test_a_foreseeable_failure_that_would_have_been_blocked_is_saved(tmp_path: Path) -> None:
    story = Story().healthy().ssh("rig", M, reachable=False, error="timeout")
    _run(story, "R1", 5 * M, "failed")
    with ledger_with(tmp_path, story.events) as opened:
        assert _asked(opened, "R1", 4 * M) == "no_go"
        default, none = _score(opened).policies
    assert (default.preflight.knowable, default.preflight.blocked_failures) == (1, 1)
    assert default.preflight.hours_saved == 2.0
    assert (none.preflight.knowable, none.preflight.blocked_failures) == (1, 0)


def test_events_about_a_run_are_its_own_where_they_name_no_run_id(tmp_path: Path) -> None:
    story = Story().healthy().ssh("rig", M, reachable=False, error="timeout")
    story.add(RunStarted(trials=50, seed_count=100_000), 5 * M, subject="run/R1")
    story.add(RunFinished(outcome="failed"), 5 * M + 2 * H, subject="run/R1")
    with ledger_with(tmp_path, story.events) as opened:
        assert _asked(opened, "R1", 4 * M) == "no_go"
        default, _ = _score(opened).policies
    assert (default.preflight.blocked_failures, default.preflight.hours_saved) == (1, 2.0)


def test_a_success_that_would_have_been_blocked_is_lost(tmp_path: Path) -> None:
    story = Story().healthy()
    _run(story, "R1", H, "succeeded", hours=3)
    with ledger_with(tmp_path, story.events) as opened:
        assert _asked(opened, "R1", H - M) == "unknown"  # the evidence is stale
        default, none = _score(opened).policies
    assert (default.preflight.successes, default.preflight.blocked_successes) == (1, 1)
    assert default.preflight.hours_lost == 3.0
    assert none.preflight.blocked_successes == 0


def test_a_run_that_was_blocked_is_censored_and_never_saved(tmp_path: Path) -> None:
    story = Story().healthy().ssh("rig", M, reachable=False, error="timeout")
    with ledger_with(tmp_path, story.events) as opened:
        assert _asked(opened, "R1", 4 * M) == "no_go"
        default, none = _score(opened).policies
    for scores in (default, none):
        assert scores.preflight.censored == 1
        assert scores.preflight.knowable == scores.preflight.blocked_failures == 0
        assert scores.preflight.hours_saved == 0


def test_a_failure_out_of_the_blue_is_unforeseeable(tmp_path: Path) -> None:
    story = Story().healthy()
    _run(story, "R1", 5 * M, "failed").error(H)
    with ledger_with(tmp_path, story.events) as opened:
        assert _asked(opened, "R1", 4 * M) == "go"
        scores = _score(opened).policies[0].preflight
    assert (scores.unforeseeable, scores.knowable, scores.blocked_unforeseeable) == (1, 0, 0)


def test_a_card_that_had_failed_before_is_foreseeable(tmp_path: Path) -> None:
    story = Story().healthy().error(M)
    _run(story, "R1", 5 * M, "failed").error(H)
    with ledger_with(tmp_path, story.events) as opened:
        _asked(opened, "R1", 4 * M)
        assert _score(opened).policies[0].preflight.knowable == 1


def test_a_missing_input_is_foreseeable(tmp_path: Path) -> None:
    story = Story().healthy().files()
    story.add(InputsChecked(files=(InputFile(path="survivors.json", present=False),)), M)
    _run(story, "R1", 5 * M, "failed")
    with ledger_with(tmp_path, story.events) as opened:
        opened.preflight("3", run="R1", at=NOON + 4 * M)
        scores = _score(opened).policies[0].preflight
    assert (scores.knowable, scores.blocked_failures) == (1, 1)


def test_an_input_that_is_another_than_expected_is_foreseeable(tmp_path: Path) -> None:
    file = InputFile(
        path="survivors.json", present=True, bytes=1, sha256="a" * 64, expected_sha256="b" * 64
    )
    story = Story().healthy().files().add(InputsChecked(files=(file,)), M)
    _run(story, "R1", 5 * M, "failed")
    with ledger_with(tmp_path, story.events) as opened:
        opened.preflight("3", run="R1", at=NOON + 4 * M)
        scores = _score(opened).policies[0].preflight
    assert (scores.knowable, scores.blocked_failures) == (1, 1)


def test_a_file_that_the_step_does_not_need_is_no_cause(tmp_path: Path) -> None:
    story = Story().healthy().files()
    story.add(InputsChecked(files=(InputFile(path="survivors.json", present=False),)), M)
    _run(story, "R1", 5 * M, "failed")
    with ledger_with(tmp_path, story.events) as opened:
        assert _asked(opened, "R1", 4 * M) == "go"
        scores = _score(opened).policies[0].preflight
    assert (scores.knowable, scores.unsupported) == (0, 1)


def test_a_node_is_the_same_by_name_and_by_address(tmp_path: Path) -> None:
    address = "192.0.2.10"
    story = Story().healthy().ssh(address, M, reachable=False, error="timeout")
    story.error(2 * M, node=address).error(3 * H, node=address)
    story.add(RunStarted(trials=50, nodes=(address,)), 5 * M, runid="R1")
    story.add(RunFinished(outcome="failed"), 2 * H, runid="R1")
    with ledger_with(tmp_path, story.events) as opened:
        _asked(opened, "R1", 4 * M)
        for hour in range(5):
            opened.exclusions(at=NOON + hour * H + 3 * M)
        default, strict = backtest(
            opened.ledger,
            opened.catalog,
            [Candidate("default", default_policy()), _one("gpu.exclude_after_incidents=1")],
        ).policies
    assert (default.preflight.knowable, default.preflight.blocked_failures) == (1, 1)
    assert (default.exclusions.spared, strict.exclusions.spared) == (0, 1)


def test_what_was_taken_back_is_no_incident(tmp_path: Path) -> None:
    story = Story().error(0).error(3 * H)
    error = story.events[-1]
    story.add(
        msgspec.structs.replace(error.data, pci=None),  # type: ignore[call-arg]
        3 * H,
        causationid=error.id,
    )
    anew = msgspec.structs.replace(story.events[-1], source="reclassify/x")
    with ledger_with(tmp_path, [*story.events[:-1], anew]) as opened:
        opened.exclusions(at=NOON + 4 * H)
        assert _score(opened).policies[0].exclusions.incidents == 1


def test_what_was_taken_back_foretold_nothing(tmp_path: Path) -> None:
    story = Story().healthy().error(M)
    error = story.events[-1]
    unnamed = msgspec.structs.replace(error.data, pci=None)  # type: ignore[call-arg]
    story.add(unnamed, M, causationid=error.id)
    story.events[-1] = msgspec.structs.replace(story.events[-1], source="reclassify/x")
    _run(story, "R1", 5 * M, "failed").error(H)
    with ledger_with(tmp_path, story.events) as opened:
        _asked(opened, "R1", 4 * M)
        assert _score(opened).policies[0].preflight.knowable == 0


def test_stretches_go_by_the_times_of_decisions_and_not_by_when_they_were_made(
    tmp_path: Path,
) -> None:
    story = Story().error(0).error(H).override("gpu/rig/0000:22:00.0", "reinstate", 5 * H)
    with ledger_with(tmp_path, story.events) as opened:
        for hour in (6, 2, 8):
            opened.exclusions(at=NOON + hour * H)
        assert _score(opened).policies[0].exclusions.hours_out == 4.0


def test_what_has_no_end_or_no_cause_is_unsupported(tmp_path: Path) -> None:
    story = Story().healthy().add(RunStarted(trials=50), 5 * M, runid="R1")
    _run(story, "R2", 6 * M, "failed")
    _run(story, "R3", 7 * M, "succeeded")  # nobody asked, and no step is known
    with ledger_with(tmp_path, story.events) as opened:
        _asked(opened, "R1", 4 * M)
        _asked(opened, "R2", 4 * M)
        scores = _score(opened).policies[0].preflight
    assert (scores.runs, scores.unsupported, scores.unsupported_share) == (3, 3, 1.0)


def test_a_run_that_nobody_asked_about_is_judged_at_its_start(tmp_path: Path) -> None:
    story = Story().healthy().ssh("rig", M, reachable=False, error="timeout")
    story.add(RunStarted(trials=50), 5 * M, runid="R1", step="1")
    story.add(RunFinished(outcome="failed"), 2 * H, runid="R1")
    with ledger_with(tmp_path, story.events) as opened:
        opened.exclusions(at=NOON)
        scores = _score(opened).policies[0].preflight
    assert (scores.knowable, scores.blocked_failures) == (1, 1)


def test_incidents_after_an_exclusion_are_spared_and_hours_between_them_are_bad(
    tmp_path: Path,
) -> None:
    story = Story().error(0).error(3 * H).error(8 * H)
    with ledger_with(tmp_path, story.events) as opened:
        for hour in range(13):
            opened.exclusions(at=NOON + hour * H + M)
        default, none = _score(opened).policies
        (early,) = backtest(
            opened.ledger,
            opened.catalog,
            [_one("gpu.exclude_after_incidents=1")],
        ).policies
    # Out from 3:01, as it really was; the incident at 8:00 is spared. Until then the card was
    # bad, and of the four hours to 12:01 nobody knows.
    assert default.exclusions.incidents == 3
    assert (default.exclusions.spared, default.exclusions.hours_out) == (1, 9.0)
    assert default.exclusions.bad_hours == Range(5.0, 9.0)
    assert default.exclusions.quiet_hours == Range(0.0, 4.0)
    assert default.exclusions.unknown_hours == pytest.approx(4.0, abs=0.1)
    assert default.exclusions.censored_hours == 9.0
    assert none.exclusions.hours_out == none.exclusions.spared == 0
    # One incident is enough: out from 0:01, with two more to come.
    assert (early.exclusions.spared, early.exclusions.hours_out) == (2, 12.0)


def test_parameters_are_scored_only_where_they_were_run(tmp_path: Path) -> None:
    story = Story().run("R1", H, 900, seeds=100_000)
    story.add(RunStarted(study="w", trials=50, seed_count=200_000), 3 * H, runid="R2")
    counted = SurvivorsCounted(
        study="w", trials=50, completed_trials=50, seed_count=200_000, survivors=7
    )
    story.add(counted, 4 * H, runid="R2")
    with ledger_with(tmp_path, story.events) as opened:
        opened.next_parameters(study="w", at=NOON + 2 * H)
        default, none = _score(opened).policies
        growth = backtest(
            opened.ledger,
            opened.catalog,
            [_one("tuning.seed_growth=3")],
        ).policies[0]
    assert (default.parameters.supported, default.parameters.worked) == (1, 1)
    assert growth.parameters.supported == 0
    assert growth.parameters.unsupported_share == none.parameters.unsupported_share == 1.0


def test_a_made_up_year_is_scored_as_its_truth_says(tmp_path: Path) -> None:
    truth = build(tmp_path, seed=5, days=120).runs
    with runledger.open(tmp_path / "year.db", config=tmp_path / "runledger.toml") as opened:
        default, none = _score(opened).policies
    started = [run for run in truth if run.started]
    assert default.preflight.runs == len(truth)
    assert default.preflight.successes == sum(not run.cause for run in started)
    foreseeable = {"node", "ramdisk", "input", "time"}
    known = sum(run.cause in foreseeable for run in started)
    assert 0.7 * known <= default.preflight.knowable <= known + 5
    assert default.preflight.blocked_failures >= 0.8 * default.preflight.knowable
    assert none.preflight.blocked_failures == none.preflight.blocked_successes == 0
    assert default.preflight.blocked_successes <= 0.1 * default.preflight.successes


def test_an_empty_ledger_has_nothing_to_score(tmp_path: Path) -> None:
    with ledger_with(tmp_path, []) as opened, pytest.raises(Missing, match="nothing to backtest"):
        _score(opened)


def test_a_sweep_is_a_policy_for_each_value() -> None:
    sweep = parse_sweep("gpu.window_s=100..102")
    names = [each.name for each in swept("default", default_policy(), [sweep])]
    assert names == ["gpu.window_s=100", "gpu.window_s=101", "gpu.window_s=102"]
    listed = swept("mine", default_policy(), [parse_sweep("gpu.common_cause_share=0.25,0.5")])
    assert [each.policy.gpu.common_cause_share for each in listed] == [0.25, 0.5]
    assert listed[0].name == "mine gpu.common_cause_share=0.25"
    assert listed[0].settings == {"gpu.common_cause_share": "0.25"}


def test_a_sweep_of_two_keys_is_a_policy_for_each_pair() -> None:
    sweeps = [parse_sweep("gpu.window_s=1,2"), parse_sweep("gpu.incident_gap_s=5..6")]
    found = swept("default", default_policy(), sweeps)
    assert [each.name for each in found] == [
        "gpu.window_s=1 gpu.incident_gap_s=5",
        "gpu.window_s=1 gpu.incident_gap_s=6",
        "gpu.window_s=2 gpu.incident_gap_s=5",
        "gpu.window_s=2 gpu.incident_gap_s=6",
    ]


@pytest.mark.parametrize(
    "sweeps",
    [
        ["gpu.window_s=1..2", "gpu.window_s=3..4"],
        ["gpu.window_s=1..2", "gpu.incident_gap_s=1", "gpu.crash_link_s=1"],
        ["gpu.window_s=1..20", "gpu.incident_gap_s=1..20"],
    ],
)
def test_a_map_of_one_key_or_of_three_or_of_too_many_values_is_refused(sweeps: list[str]) -> None:
    with pytest.raises(BadInput, match="--sweep"):
        swept("default", default_policy(), [parse_sweep(each) for each in sweeps])


@pytest.mark.parametrize("sweep", ["", "gpu.window_s", "gpu.window_s=", "gpu.window_s=3..1",
                                   "gpu.window_s=1..500", "gpu.window_s=1,,2"])  # fmt: skip
def test_a_bad_sweep_is_refused(sweep: str) -> None:
    with pytest.raises(BadInput):
        parse_sweep(sweep)


def test_a_sweep_of_no_key_names_the_nearest() -> None:
    with pytest.raises(InvalidPolicy, match="window_s"):
        swept("default", default_policy(), [parse_sweep("gpu.window=1..2")])


def test_a_sweep_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    with ledger_with(tmp_path, Story().healthy().error(0).error(H).events) as opened:
        opened.exclusions(at=NOON + 2 * H)
        opened.exclusions(at=NOON + 2 * D)
        sweeps = [
            parse_sweep("gpu.exclude_after_incidents=1..3"),
            parse_sweep("gpu.incident_gap_s=1,600"),
        ]
        for keys in (sweeps[:1], sweeps):
            policies = swept("default", default_policy(), keys)
            in_force = Candidate("default", default_policy())
            result = backtest(opened.ledger, opened.catalog, [in_force, *policies])
            plot(result, keys, tmp_path / "s.svg")
            assert "<svg" in (tmp_path / "s.svg").read_text()
    with pytest.raises(BadInput, match="svg"):
        plot(result, sweeps, tmp_path / "s.doc")
    assert [each.name for each in tmp_path.glob("*s.*")] == ["s.svg"]


def test_as_typed(type_: Type, folder: Path) -> None:
    type_("record", stdin=told(Story().healthy().error(0).error(H)))
    type_("exclusions")
    done = type_("backtest", "--json")
    assert done.code == 0
    assert [each["policy"] for each in done.json["policies"]] == ["default", "none"]
    table = type_("backtest", "--sweep", "gpu.exclude_after_incidents=1..2").out
    assert "gpu.exclude_after_incidents=2" in table
    assert "never as saved" in table
    (folder / "mine.toml").write_text("[gpu]\nexclude_after_incidents = 1\n")
    done = type_("backtest", "--policy", "mine.toml", "--policy", "none", "--json")
    assert [each["policy"] for each in done.json["policies"]] == ["default", "mine", "none"]
    assert json.dumps(done.json)
    assert type_("backtest", "--policy", "nowhere.toml").code == 3
    assert type_("backtest", "--plot", "x.svg").code == 2
    assert type_("backtest", "--set", "gpu.nope=1").code == 2


def _failing_run(tmp_path: Path, at: int = 9 * D, **more: object) -> Runledger:
    """A card with two incidents, and a run that fails of a third; everybody was asked daily."""
    story = Story().healthy(-H).error(0).error(6 * H)
    _run(story, "R1", at, "failed").error(at + H, **more)  # type: ignore[arg-type]
    opened = ledger_with(tmp_path, story.healthy(at - 2 * M).events)
    for hour in range(0, 240, 12):
        opened.exclusions(at=NOON + hour * H + M)
    _asked(opened, "R1", at - M)
    return opened


def test_an_exclusion_that_keeps_a_failed_run_off_its_card_prevents_the_failure(
    tmp_path: Path,
) -> None:
    with _failing_run(tmp_path) as opened:
        default, none = _score(opened, "gpu.reinstate_after_s=8640000").policies
    assert default.preflight.blocked_failures == 0
    assert default.preflight.kept_off == default.preflight.prevented == Range(1, 1)
    assert none.preflight.kept_off == none.preflight.prevented == Range(0, 0)


def test_a_run_that_another_card_failed_too_is_perhaps_prevented(tmp_path: Path) -> None:
    story = Story().healthy(-H).error(0).error(H)
    _run(story, "R1", 2 * H, "failed").error(3 * H).error(3 * H, card=1)
    with ledger_with(tmp_path, story.healthy(2 * H - 2 * M).events) as opened:
        opened.exclusions(at=NOON + H + M)
        _asked(opened, "R1", 2 * H - M)
        assert _score(opened).policies[0].preflight.prevented == Range(0, 1)


def _job(story: Story, at: int, card: int | None = 2, exception: str = "RuntimeError") -> None:
    failed = JobFailedWithTraceback(
        job="j", attempt=1, exception=exception, message="'lost'", traceback="",
        will_retry=True, fingerprint="f", node="rig", pci=None if card is None else pci(card),
    )  # fmt: skip
    story.add(failed, at)


def test_jobs_are_spared_for_sure_where_they_failed_of_the_card_that_would_be_out(
    tmp_path: Path,
) -> None:
    story = Story().error(0).error(H)
    done = JobFinished(job="j0", attempt=1, node="rig", pci=pci(2))
    story.add(done, 2 * H).error(3 * H)
    _job(story, 3 * H + M)  # began after 2:00, of an incident of its card
    _job(story, 6 * H)  # of what, nobody knows
    _job(story, 6 * H, card=None)  # on which card, nobody knows
    _job(story, 6 * H, card=1)
    _job(story, 7 * H, exception="KeyError")  # its own program's
    with ledger_with(tmp_path, story.events) as opened:
        opened.exclusions(at=NOON + H + M)
        opened.exclusions(at=NOON + 8 * H)
        default, none = _score(opened).policies
    assert default.exclusions.failed_jobs == 4
    assert default.exclusions.jobs_spared == Range(1, 3)
    assert none.exclusions.jobs_spared == Range(0, 0)


def test_a_decision_speaks_for_a_day_at_most(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().error(0).error(H).events) as opened:
        opened.exclusions(at=NOON + 2 * H)
        opened.next_parameters(at=NOON + 30 * D)  # a stray question, and nothing in between
        opened.exclusions(at=NOON + 31 * D)
        default, _ = _score(opened, "gpu.reinstate_after_s=86400000").policies
    assert default.exclusions.hours_out == 24.0
    assert default.exclusions.exclusions == 1


def _blocked(tmp_path: Path, story: Story) -> Runledger:
    """Asked at noon, when the evidence is stale: a block for the nodes' sake."""
    opened = ledger_with(tmp_path, story.events)
    assert opened.preflight("1", at=NOON).verdict == "unknown"
    return opened


@pytest.mark.parametrize(
    ("showed", "needless"),
    [
        ([], (1, 1)),
        ([(H, "error")], (0, 0)),
        ([(25 * H, "error")], (1, 1)),
        ([(H, "job")], (0, 1)),
        ([(H, "unreachable")], (0, 1)),
        ([(H, "unreachable"), (2 * H, "unreachable")], (0, 0)),
    ],
)
def test_a_block_is_needless_where_nothing_shows_within_a_day(
    tmp_path: Path, showed: list[tuple[int, str]], needless: tuple[int, int]
) -> None:
    story = Story().healthy(-2 * H)
    for at, what in showed:
        if what == "error":
            story.error(at)
        elif what == "job":
            _job(story, at)
        else:
            story.ssh("rig", at, reachable=False, error="timeout")
    story.healthy(12 * H).healthy(26 * H)
    with _blocked(tmp_path, story) as opened:
        default, none = _score(opened).policies
        short, _ = _score(opened, "backtest.needless_within_s=1800").policies
    assert default.preflight.blocks == 1
    assert default.preflight.needless == Range(*needless)
    assert (none.preflight.blocks, none.preflight.needless) == (0, Range(0, 0))
    assert short.preflight.needless == Range(0, 1)  # nobody looked within half an hour


def test_a_block_for_a_file_is_not_held_against_nodes(tmp_path: Path) -> None:
    story = Story().healthy(-M).files(-M)
    story.add(InputsChecked(files=(InputFile(path="survivors.json", present=False),)), -M)
    with ledger_with(tmp_path, story.healthy(12 * H).healthy(26 * H).events) as opened:
        assert opened.preflight("3", at=NOON).verdict == "no_go"
        assert _score(opened).policies[0].preflight.blocks == 0


@pytest.mark.parametrize(
    ("found", "swapped", "bad", "quiet"),
    [
        ("riser", False, 24.0, (0.0, 0.0)),
        ("card", True, 24.0, (0.0, 0.0)),
        ("nothing", False, 0.0, (24.0, 24.0)),
        ("nothing", True, 0.0, (0.0, 24.0)),
    ],
)
def test_what_a_repair_found_is_taken_as_truth(
    tmp_path: Path, found: str, swapped: bool, bad: float, quiet: tuple[float, float]
) -> None:
    story = Story().error(0)
    repair = RepairDone(
        subject=f"gpu/rig/{pci(2)}", found=found, swapped=swapped, by="op", reason="seen to"  # type: ignore[arg-type]
    )  # fmt: skip
    story.add(repair, 5 * D)
    with ledger_with(tmp_path, story.events) as opened:
        opened.exclusions(at=NOON + D)
        opened.exclusions(at=NOON + 3 * D)
        (_, strict) = backtest(
            opened.ledger,
            opened.catalog,
            [Candidate("none", no_rules()), _one("gpu.exclude_after_incidents=1")],
        ).policies
    assert strict.exclusions.hours_out == 48.0
    assert strict.exclusions.bad_hours.low == 2 * bad
    assert strict.exclusions.quiet_hours == Range(2 * quiet[0], 2 * quiet[1])


def test_only_what_was_decided_in_the_period_and_matches_is_scored(tmp_path: Path) -> None:
    story = Story().healthy().error(0).error(H)
    _run(story, "R1", 2 * H, "failed")
    story.add(RunStarted(trials=50), 30 * H, runid="R2", step="1")
    story.add(RunFinished(outcome="succeeded"), 31 * H, runid="R2")
    with ledger_with(tmp_path, story.events) as opened:
        _asked(opened, "R1", 2 * H - M)
        for hour in range(2, 48):
            opened.exclusions(at=NOON + hour * H)
        everything = [Candidate("default", default_policy())]

        def scored(**scope: object) -> Backtest:
            return backtest(opened.ledger, opened.catalog, everything, Scope(**scope))  # type: ignore[arg-type]

        late = scored(since_us=NOON + 24 * H)
        early = scored(until_us=NOON + 12 * H)
        preflights = scored(where=parse_filters(["type=preflight_decided"]))
        with pytest.raises(Missing, match="period"):
            scored(since_us=NOON + 100 * D)
    assert (late.runs, late.decisions, early.runs) == (1, 24 + 1, 1)
    assert late.policies[0].preflight.successes == 1
    assert late.policies[0].exclusions.incidents == 0
    assert early.policies[0].exclusions.hours_out == 10.0
    assert (preflights.decisions, preflights.runs) == (1, 1)
    assert preflights.policies[0].exclusions.hours_out == 0


def test_what_would_have_been_best_is_said_with_what_it_rests_on(tmp_path: Path) -> None:
    with _failing_run(tmp_path) as opened:
        keep = _one("gpu.reinstate_after_s=8640000")
        result = backtest(opened.ledger, opened.catalog, [Candidate("none", no_rules()), keep])
        alone = backtest(opened.ledger, opened.catalog, [Candidate("none", no_rules())])
    # More prevented, and hours of which nobody knows: neither is better for sure.
    assert result.best.policies == ("none", "one")
    assert not result.best.sure
    assert result.best.rests_on == 1
    assert (alone.best.policies, alone.best.sure) == (("none",), True)


def test_nothing_is_best_where_nothing_failed(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().error(0).error(H).events) as opened:
        opened.exclusions(at=NOON + 2 * H)
        best = _score(opened).best
    assert (best.policies, best.sure, best.rests_on) == ((), False, 0)


def test_a_map_of_two_keys_as_typed(type_: Type, folder: Path) -> None:
    type_("record", stdin=told(Story().healthy().error(0).error(H)))
    type_("exclusions", "--at", "2026-01-24T14:00:00Z")
    type_("exclusions", "--at", "2026-01-24T20:00:00Z")
    sweep = (
        "--sweep",
        "gpu.exclude_after_incidents=1..2",
        "--sweep",
        "gpu.harmless_window_s=600,7200",
    )
    found = type_("backtest", *sweep, "--json").json
    assert [each["settings"] for each in found["policies"]] == [
        {},
        {"gpu.exclude_after_incidents": "1", "gpu.harmless_window_s": "600"},
        {"gpu.exclude_after_incidents": "1", "gpu.harmless_window_s": "7200"},
        {"gpu.exclude_after_incidents": "2", "gpu.harmless_window_s": "600"},
        {"gpu.exclude_after_incidents": "2", "gpu.harmless_window_s": "7200"},
    ]
    assert found["in_force"] == found["policies"][0]["policy"] == "default"
    hours = [each["exclusions"]["hours_out"] for each in found["policies"]]
    text = type_("backtest", *sweep).out
    assert "gpu.harmless_window_s \\ gpu.exclude_after_incidents" in text
    assert "Quiet hours sat out (GPU-hours)" in text
    assert hours[0] == hours[1] == hours[4] > hours[3] == 0


def test_an_interrupt_leaves_no_half_picture(
    type_: Type, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    type_("record", stdin=told(Story().healthy().error(0).error(H)))
    type_("exclusions")
    before = sorted(folder.iterdir())

    def interrupted(self: object, path: Path, **_: object) -> None:
        Path(path).write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", interrupted)
    words = ("backtest", "--sweep", "gpu.exclude_after_incidents=1..2", "--plot", "s.svg")
    assert type_(*words).code == 130
    assert sorted(folder.iterdir()) == before
