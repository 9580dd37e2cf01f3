"""The next run's parameters: the default rule to the letter, on the pipeline's own history."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from ledger.payloads import (
    RunFinished,
    RunStarted,
    SshProbe,
    StepFinished,
    StepStarted,
    SurvivorsCounted,
    TrialCompleted,
)
from ledger.times import parse_time
from rules.decide import Draft
from rules.fleet import parse_fleet
from tests.rules.histories import NOON, D, H, M, S, Story, found

DEFAULTS = (50, 100_000)


def numbers(draft: Draft) -> tuple[int, int]:
    return draft.outcome["trials"], draft.outcome["seed_count"]


def said(draft: Draft) -> tuple[str, int, int]:
    return draft.outcome["rule"], *numbers(draft)


def named(draft: Draft, rule: str) -> list[str]:
    return [finding.message for finding in draft.findings if finding.rule == rule]


# -- the pipeline's runs, one after the other -----------------------------------


class Row(NamedTuple):
    """A run as it happened, and what must be proposed after it (decided by hand)."""

    at: str
    trials: int
    completed: int
    seeds: int
    survivors: int | None
    rule: str
    next_trials: int
    next_seeds: int
    why: str


RUNS = [
    Row("01-19T20:00", 100, 100, 100_000, 98_172, "enough_survivors", *DEFAULTS, "plenty"),
    Row("01-24T16:57", 50, 34, 10_000_000, None, "enough_survivors", *DEFAULTS,
        "killed: unknown, so the run of the 19th speaks"),
    Row("01-24T21:43", 100, 100, 100_000, 99_941, "enough_survivors", *DEFAULTS, "plenty"),
    Row("01-27T12:00", 50, 50, 100_000, 75_396, "enough_survivors", *DEFAULTS, "plenty"),
    Row("01-31T12:00", 20, 20, 50_000, 0, "too_few_trials_to_judge", *DEFAULTS,
        "a zero after 20 trials proves nothing"),
    Row("02-07T10:12", 50, 50, 100_000, 0, "zero_survivors", 100, 100_000,
        "a zero after 50 trials: explore"),
    Row("02-07T11:08", 100, 100, 50_000, 48_896, "few_survivors", 50, 100_000,
        "below 50,000: twice the 50,000 seeds"),
    Row("02-22T12:00", 200, 200, 50_000, 32_278, "few_survivors", 50, 100_000,
        "below 50,000: twice the 50,000 seeds"),
    Row("02-26T12:00", 50, 50, 10_000_000, 53, "few_survivors", 50, 10_000_000,
        "twice the seeds would pass the limit"),
    Row("03-06T12:00", 50, 24, 10_000_000, 85, "few_survivors", 50, 10_000_000, "the limit again"),
    Row("03-12T12:00", 100, 59, 10_000_000, 45_867, "few_survivors", 50, 10_000_000,
        "the limit again"),
]  # fmt: skip


def record(story: Story, row: Row) -> int:
    """Tell a run's story; returns when its outcome was known, from noon."""
    ended = parse_time(f"2026-{row.at}:00Z") - NOON
    story.add(
        RunStarted(study="window", trials=row.trials, seed_count=row.seeds), ended - H, runid=row.at
    )
    if row.survivors is None:
        finished = RunFinished(outcome="aborted", reason="killed at the timeout of 7200 s")
        story.add(finished, ended, runid=row.at)
    else:
        counted = SurvivorsCounted(
            trials=row.trials,
            completed_trials=row.completed,
            seed_count=row.seeds,
            survivors=row.survivors,
        )
        story.add(counted, ended, runid=row.at)
        story.add(RunFinished(outcome="succeeded"), ended + M, runid=row.at)
    return ended + 2 * M


def test_the_run_table_gives_at_each_point_what_the_proposals_logic_gives() -> None:
    story = Story()
    assert said(story.next(-30 * D)) == ("no_history", *DEFAULTS)
    for row in RUNS:
        draft = story.next(record(story, row), study="window")
        assert said(draft) == (row.rule, row.next_trials, row.next_seeds), f"{row.at}: {row.why}"
        unknown = named(draft, "unknown_outcome")
        assert bool(unknown) == (row.survivors is None), row.at


def test_every_row_can_be_asked_for_again_when_all_have_happened() -> None:
    story = Story()
    ends = [record(story, row) for row in RUNS]
    for row, end in zip(RUNS, ends, strict=True):
        assert said(story.next(end)) == (row.rule, row.next_trials, row.next_seeds)


# -- the rule itself --------------------------------------------------------------


@pytest.mark.parametrize(
    ("survivors", "completed", "rule", "want"),
    [
        (0, 0, "too_few_trials_to_judge", DEFAULTS),
        (0, 29, "too_few_trials_to_judge", DEFAULTS),
        (0, 30, "zero_survivors", (100, 100_000)),
        (0, 34, "zero_survivors", (100, 100_000)),
        (1, 0, "few_survivors", (50, 400_000)),
        (49_999, 50, "few_survivors", (50, 400_000)),
        (50_000, 50, "enough_survivors", DEFAULTS),
        (98_172, 100, "enough_survivors", DEFAULTS),
    ],
)
def test_survivors_and_completed_trials_choose(
    survivors: int, completed: int, rule: str, want: tuple[int, int]
) -> None:
    story = Story().run("R", 0, survivors, 100, completed, 200_000)
    assert said(story.next()) == (rule, *want)


@pytest.mark.parametrize(
    ("seeds", "growth", "want"),
    [
        (50_000, "2", 100_000),
        (5_000_000, "2", 10_000_000),
        (5_000_001, "2", 10_000_000),
        (10_000_000, "2", 10_000_000),
        (20_000_000, "2", 10_000_000),
        (100_000, "1.15", 115_000),  # in binary floating point it would be 114,999
        (33_333, "1.5", 49_999),
        (33_333, "1", 33_333),
    ],
)
def test_seeds_grow_by_the_factor_up_to_the_limit(seeds: int, growth: str, want: int) -> None:
    story = Story().run("R", 0, 7, seeds=seeds)
    assert numbers(story.next(M, f"tuning.seed_growth={growth}")) == (50, want)


@pytest.mark.parametrize(
    ("setting", "want"),
    [
        ("tuning.zero_survivor_trials=150", (150, 100_000)),
        ("tuning.zero_survivor_min_trials=51", DEFAULTS),
        ("tuning.default_seed_count=1000", (100, 1000)),
        ("tuning.default_trials=7", (100, 100_000)),
    ],
)
def test_every_number_is_a_policy_key(setting: str, want: tuple[int, int]) -> None:
    assert numbers(Story().run("R", 0, 0, 50).next(M, setting)) == want


def test_trials_asked_for_do_not_count_as_completed() -> None:
    assert numbers(Story().run("R", 0, 0, 500, 20).next()) == DEFAULTS


def test_the_decision_names_the_count_it_rests_on() -> None:
    story = Story().run("R", 0, 0, 50)
    (finding,) = story.next().findings
    assert (finding.rule, finding.severity, finding.subject) == ("zero_survivors", "info", "run/R")
    assert finding.evidence == (story.events[-1].id,)


# -- which run is the last ---------------------------------------------------------


def test_the_last_run_is_the_one_counted_last_not_the_one_started_last() -> None:
    story = Story().add(RunStarted(study="w"), -5 * H, runid="slow").run("quick", -2 * H, 60_000)
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=0)
    story.add(count, -H, runid="slow")
    assert said(story.next()) == ("zero_survivors", 100, 100_000)


def test_of_two_counts_at_one_time_the_later_stored_speaks() -> None:
    story = Story().run("A", 0, 0, 50).run("B", 0, 60_000)
    assert said(story.next()) == ("enough_survivors", *DEFAULTS)
    assert story.next().findings[0].subject == "run/B"


def test_a_run_counted_anew_speaks_with_its_newest_count() -> None:
    story = Story().run("R", -2 * H, 0, 50)
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=60_000)
    assert said(story.add(count, -H, runid="R").next()) == ("enough_survivors", *DEFAULTS)


def test_a_count_without_a_run_is_a_run_of_its_own() -> None:
    count = SurvivorsCounted(
        study="w", trials=50, completed_trials=50, seed_count=100_000, survivors=0
    )
    draft = Story().run("R", -H, 60_000).add(count, 0).next(study="w")
    assert said(draft) == ("zero_survivors", 100, 100_000)
    assert draft.findings[0].message.startswith("the last run found nothing in 50 trials")


def test_events_about_a_run_belong_to_it_where_they_name_no_run_id() -> None:
    story = Story().add(RunStarted(scope={"data": "a"}), -2 * H, subject="run/R")
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=0)
    story.add(count, -H, subject="run/R").add(RunFinished(outcome="succeeded"), 0, subject="run/R")
    draft = story.next(scope={"data": "a"})
    assert (draft.outcome["rule"], draft.findings[0].subject) == ("zero_survivors", "run/R")


def test_a_run_that_is_counted_after_the_judging_time_has_not_happened() -> None:
    story = Story().run("A", -D, 0, 50).run("B", H, 60_000)
    assert said(story.next(0)) == ("zero_survivors", 100, 100_000)
    assert said(story.next(H)) == ("enough_survivors", *DEFAULTS)


# -- unknown, partial, confounded ----------------------------------------------------


@pytest.mark.parametrize("outcome", ["aborted", "failed", "succeeded"])
def test_a_run_that_ended_uncounted_is_unknown_and_the_run_before_it_speaks(outcome: Any) -> None:
    story = Story().run("A", -D, 0, 50).add(RunStarted(study="w", trials=50), -3 * H, runid="B")
    story.add(RunFinished(outcome=outcome, reason="no file"), -H, runid="B")
    draft = story.next()
    assert said(draft) == ("zero_survivors", 100, 100_000)
    assert named(draft, "unknown_outcome") == [
        f"run B ended ({outcome}: no file) and nothing was counted: its outcome is unknown, "
        "not zero"
    ]


def test_uncounted_runs_are_one_finding_with_a_number_and_the_newest_three() -> None:
    story = Story().run("A", -9 * D, 60_000)
    for number in range(129):
        story.run(f"B{number:03d}", -8 * D + number * M, None)
    draft = story.next()
    assert said(draft) == ("enough_survivors", *DEFAULTS)
    (message,) = named(draft, "unknown_outcome")
    assert message.startswith("129 runs ended and nothing was counted, the newest are run B128 ")
    assert [f"B{number}" in message for number in (127, 126, 125)] == [True, True, False]
    (finding,) = [each for each in draft.findings if each.rule == "unknown_outcome"]
    assert (finding.subject, len(finding.evidence)) == ("fleet", 3)
    (finding,) = [e for e in story.next(study="w").findings if e.rule == "unknown_outcome"]
    assert finding.subject == "study/w"


def stepped(story: Story, run: str, *steps: str, at: int = -H) -> Story:
    """A run that went through steps and was killed in the last; nothing was counted."""
    story.add(RunStarted(study="w"), at, runid=run)
    for number, step in enumerate(steps):
        story.add(StepStarted(), at + number * M, runid=run, step=step)
    return story.add(RunFinished(outcome="failed", reason="killed"), at + 30 * M, runid=run)


def test_a_run_that_never_reached_the_step_that_counts_has_nothing_to_count() -> None:
    count = SurvivorsCounted(
        trials=50, completed_trials=50, seed_count=100_000, survivors=60_000, study="w"
    )
    story = Story().add(count, -D, runid="A", step="1")
    assert found(stepped(story, "B", "0").next()) == {("enough_survivors", "info")}
    assert found(stepped(story, "C", "0", "1").next()) == {
        ("enough_survivors", "info"),
        ("unknown_outcome", "warn"),
    }
    assert "run C" in named(story.next(), "unknown_outcome")[0]
    assert "run B" not in named(story.next(), "unknown_outcome")[0]


def test_the_step_that_counts_is_the_same_by_any_of_its_names() -> None:
    fleet = parse_fleet('[steps."2"]\naliases = ["2.5"]\n[steps."3"]\n')
    count = SurvivorsCounted(
        trials=50, completed_trials=50, seed_count=100_000, survivors=60_000, study="w"
    )
    story = Story(fleet).add(count, -D, runid="A", step="2")
    assert len(named(stepped(story, "B", "2.5").next(), "unknown_outcome")) == 1


@pytest.mark.parametrize("reason", ["no_go", "no_go: rig-6600 did not answer", "unknown"])
def test_a_run_that_preflight_stopped_has_nothing_to_count(reason: str) -> None:
    story = Story().run("A", -D, 60_000).add(RunStarted(study="w"), -H, runid="B")
    story.add(RunFinished(outcome="aborted", reason=reason), 0, runid="B")
    assert found(story.next()) == {("enough_survivors", "info")}


@pytest.mark.parametrize(
    ("started", "finished"),
    [
        (None, StepFinished(outcome="aborted", reason="rig-6600 is away")),
        (
            StepStarted(requested={"a": 1}, effective={}),
            StepFinished(outcome="aborted", reason="no_go"),
        ),
        (StepStarted(outcome="aborted", reason="rig-6600 is away"), None),
    ],
)
def test_a_step_stopped_before_it_ran_has_nothing_to_count(
    started: StepStarted | None, finished: StepFinished | None
) -> None:
    story = Story().run("A", -D, 60_000).add(RunStarted(study="w"), -H, runid="B")
    if started is not None:
        story.add(started, -M, runid="B", step="1")
    if finished is not None:
        story.add(finished, -M + S, runid="B", step="1")
    story.add(RunFinished(outcome="aborted", reason="preflight"), 0, runid="B")
    assert found(story.next()) == {("enough_survivors", "info")}


def test_a_step_that_was_aborted_while_it_ran_leaves_its_outcome_unknown() -> None:
    story = Story().run("A", -D, 60_000).add(RunStarted(study="w"), -H, runid="B")
    story.add(StepStarted(), -M, runid="B", step="1")
    story.add(StepFinished(outcome="aborted", reason="timeout"), 0, runid="B", step="1")
    story.add(RunFinished(outcome="aborted", reason="timeout"), 0, runid="B")
    assert len(named(story.next(), "unknown_outcome")) == 1


@pytest.mark.parametrize(
    ("study", "speaks"),
    [
        ("w-0123456789ab", True),
        ("w", True),
        ("w-0123456789AB", False),
        ("w-0123456789abc", False),
        ("w2", False),
        ("x-0123456789ab", False),
    ],
)
def test_a_study_is_asked_for_with_its_family(study: str, speaks: bool) -> None:
    story = Story().run("A", -D, 0, study=study)
    rule = story.next(study="w").outcome["rule"]
    assert rule == ("zero_survivors" if speaks else "no_history")


def test_a_member_of_a_family_is_asked_for_alone() -> None:
    story = Story().run("A", -D, 60_000, study="w-0123456789ab").run("B", -H, 0, study="w")
    assert story.next(study="w-0123456789ab").outcome["rule"] == "enough_survivors"


def test_only_unknown_runs_are_no_history() -> None:
    draft = Story().run("A", -H, None).next()
    assert said(draft) == ("no_history", *DEFAULTS)
    assert found(draft) == {("no_history", "info"), ("unknown_outcome", "warn")}


def test_a_run_that_goes_on_is_not_mentioned() -> None:
    draft = Story().run("A", -D, 60_000).add(RunStarted(study="w"), -M, runid="B").next()
    assert found(draft) == {("enough_survivors", "info")}


@pytest.mark.parametrize(("started", "named_"), [(-2 * H, True), (-2 * H + 1, False)])
def test_a_killed_run_says_no_more_and_is_unknown_once_its_own_timeout_is_over(
    started: int, named_: bool
) -> None:
    story = Story().run("A", -D, 60_000)
    story.add(RunStarted(study="w", timeout_s=7200), started, runid="B")
    draft = story.next(0)
    assert said(draft) == ("enough_survivors", *DEFAULTS)
    want = "run B ended (its timeout of 7,200 s is over) and nothing was counted: "
    want += "its outcome is unknown, not zero"
    assert named(draft, "unknown_outcome") == ([want] if named_ else [])


@pytest.mark.parametrize("timeout_s", [1e308, 2**53, 7200.000001])
def test_a_run_may_have_any_timeout(timeout_s: float) -> None:
    story = Story().add(RunStarted(study="w", timeout_s=timeout_s), -2 * H, runid="B")
    assert found(story.next(0)) == {("no_history", "info")}


def test_an_unknown_run_is_forgotten_once_a_later_one_is_counted_or_it_is_itself() -> None:
    later = Story().run("A", -D, None).run("B", -H, 60_000)
    assert found(later.next()) == {("enough_survivors", "info")}
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=0)
    itself = Story().run("A", -D, None).add(count, -H, runid="A")
    assert found(itself.next()) == {("zero_survivors", "info")}


@pytest.mark.parametrize(
    ("more", "partial"),
    [
        ({"seeds_covered": 99_999}, "99,999 of 100,000 seeds covered"),
        ({"jobs_expected": 26, "jobs_ok": 25}, "25 of 26 jobs came back"),
    ],
)
def test_a_partial_run_is_named_and_does_not_drive_the_choice(
    more: dict[str, int], partial: str
) -> None:
    story = Story().run("A", -D, 60_000).run("B", -H, 0, 50, **more)
    draft = story.next()
    assert said(draft) == ("enough_survivors", *DEFAULTS)
    assert named(draft, "partial_run") == [
        f"run B is partial ({partial}) and does not drive the choice"
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"seeds_covered": 100_000},
        {"seeds_covered": 200_000},
        {"jobs_expected": 26, "jobs_ok": 26},
        {"jobs_expected": 26},
        {"jobs_ok": 25},
    ],
)
def test_a_whole_run_is_not_partial(more: dict[str, int]) -> None:
    assert said(Story().run("B", -H, 0, 50, **more).next()) == ("zero_survivors", 100, 100_000)


def lost(story: Story, node: str, at: int) -> Story:
    return story.add(SshProbe(node=node, reachable=False, error="timeout"), at)


@pytest.mark.parametrize(
    ("survivors", "node", "at", "flagged"),
    [
        (0, "rig", -30 * M, True),
        (0, "zeus", -30 * M, False),  # not one of the run's nodes
        (0, "rig", -90 * M, False),  # before the run
        (0, "rig", M // 2, False),  # after it
        (60_000, "rig", -30 * M, False),  # not a zero
    ],
)
def test_a_zero_is_followed_and_flagged_where_a_node_of_the_run_was_lost_during_it(
    survivors: int, node: str, at: int, flagged: bool
) -> None:
    story = lost(Story().run("R", 0, survivors, 50, nodes=["rig"]), node, at)
    draft = story.next()
    assert numbers(draft) == ((100, 100_000) if not survivors else DEFAULTS)
    assert bool(named(draft, "confounded")) == flagged
    if flagged:
        (finding,) = [each for each in draft.findings if each.rule == "confounded"]
        assert finding.severity == "warn"
        assert story.events[-1].id in finding.evidence


def test_a_node_that_came_back_from_a_reboot_during_the_run_was_lost_too() -> None:
    story = Story().ssh("rig", -2 * H, boot_id="b1").run("R", 0, 0, 50)
    story.ssh("rig", M // 2, boot_id="b2", uptime_s=1800)
    assert named(story.next(), "confounded")


@pytest.mark.parametrize(
    ("counted", "finished", "at", "flagged"),
    [
        (-2 * H, -H, -90 * M, True),  # counted, and still going on
        (-2 * H, None, -90 * M, False),  # nothing says that it went on
        (-M, -H, -30 * M, False),  # counted long after it ended
        (-M, -H, -90 * M, True),
        (-2 * H, -H, -H, True),  # at its very end
    ],
)
def test_a_run_lasts_until_it_is_said_to_have_ended_else_until_it_is_counted(
    counted: int, finished: int | None, at: int, flagged: bool
) -> None:
    story = Story().add(RunStarted(study="w", nodes=("rig",)), -3 * H, runid="R")
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=0)
    story.add(count, counted, runid="R")
    if finished is not None:
        story.add(RunFinished(outcome="succeeded"), finished, runid="R")
    assert bool(named(lost(story, "rig", at).next(), "confounded")) == flagged


def test_the_end_of_an_earlier_try_is_not_the_end_of_the_run() -> None:
    story = Story().run("R", -D, None).add(RunStarted(study="w"), -2 * H, runid="R")
    lost(story, "rig", -H)
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=0)
    story.add(count, -M, runid="R")
    assert named(story.next(), "confounded")


def test_a_run_that_was_started_again_goes_on() -> None:
    story = Story().run("A", -D, 60_000).run("R", -3 * H, None)
    assert named(story.next(), "unknown_outcome")
    story.add(RunStarted(study="w", timeout_s=3600), -90 * M, runid="R")
    assert found(story.next(-H)) == {("enough_survivors", "info")}
    assert named(story.next(), "unknown_outcome") == [
        "run R ended (its timeout of 3,600 s is over) and nothing was counted: its outcome is "
        "unknown, not zero"
    ]


def test_a_loss_is_dated_back_to_the_boot_that_shows_it() -> None:
    story = Story().ssh("rig", -3 * H, boot_id="b1")
    story.add(RunStarted(study="w"), -2 * H, runid="R")
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=0)
    story.add(count, -H, runid="R")
    lost(story, "rig", -30 * M)
    assert not named(story.next(), "confounded")
    story.ssh("rig", -M, boot_id="b2", uptime_s=90 * 60)
    assert named(story.next(), "confounded")


# -- study and scope ------------------------------------------------------------------


def scoped() -> Story:
    story = Story().run("own", -4 * H, 0, 50, scope={"data": "real", "seed": 5, "strict": True})
    # The count says nothing of study and scope: its run's hold.
    story.add(RunStarted(study="v", scope={"data": "synthetic"}), -2 * H, runid="started")
    count = SurvivorsCounted(trials=50, completed_trials=50, seed_count=100_000, survivors=60_000)
    return story.add(count, -H, runid="started")


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ({}, "enough_survivors"),
        ({"study": "w"}, "zero_survivors"),
        ({"study": "v"}, "enough_survivors"),
        ({"study": "nobody's"}, "no_history"),
        ({"scope": {"data": "real"}}, "zero_survivors"),
        ({"scope": {"data": "synthetic"}}, "enough_survivors"),
        ({"scope": {"data": "real", "seed": "5"}}, "zero_survivors"),
        ({"scope": {"strict": "true"}}, "zero_survivors"),
        ({"scope": {"data": "real", "seed": "6"}}, "no_history"),
        ({"scope": {"other": "real"}}, "no_history"),
        ({"study": "v", "scope": {"data": "real"}}, "no_history"),
    ],
)
def test_study_and_scope_narrow_and_values_are_compared_as_text(
    question: dict[str, Any], rule: str
) -> None:
    assert scoped().next(**question).outcome["rule"] == rule


def test_an_events_own_scope_wins_over_its_runs() -> None:
    story = Story().add(RunStarted(scope={"data": "a"}), -2 * H, runid="R")
    count = SurvivorsCounted(
        trials=50, completed_trials=50, seed_count=100_000, survivors=0, scope={"data": "b"}
    )
    story.add(count, -H, runid="R")
    assert story.next(scope={"data": "a"}).outcome["rule"] == "no_history"
    assert story.next(scope={"data": "b"}).outcome["rule"] == "zero_survivors"


def test_an_unknown_run_of_another_study_is_not_named() -> None:
    story = Story().run("A", -D, 60_000).run("B", -H, None, study="v")
    assert found(story.next(study="w")) == {("enough_survivors", "info")}
    assert ("unknown_outcome", "warn") in found(story.next(study="v"))


# -- does it fit the step's timeout? ----------------------------------------------------


def timed(seconds: float, seeds: int, state: Any = "COMPLETE") -> Story:
    story = Story()
    for number, factor in enumerate((0.5, 1, 9)):
        payload = TrialCompleted(
            study="any",
            number=number,
            state=state,
            params={},
            duration_s=seconds * factor,
            seed_count=seeds,
        )
        story.add(payload, -D + number)
    return story


@pytest.mark.parametrize(
    ("seconds", "state", "question", "warned"),
    [
        (144, "COMPLETE", {"step": "1"}, False),  # 50 x 144 s are just the 7,200 s
        (145, "COMPLETE", {"step": "1"}, True),
        (145, "COMPLETE", {}, False),
        (145, "PRUNED", {"step": "1"}, False),
        (145, "COMPLETE", {"step": "unheard of"}, False),
    ],
)
def test_a_step_is_warned_of_where_the_numbers_do_not_fit_its_timeout(
    seconds: float, state: str, question: dict[str, Any], warned: bool
) -> None:
    draft = timed(seconds, 100_000, state).next(**question)
    assert numbers(draft) == DEFAULTS, "warned of, not changed"
    messages = named(draft, "over_time_budget")
    assert bool(messages) == warned
    if warned:
        assert messages == [
            "50 trials at 145 s each need 7,250 s, step 1 has 7,200 s: 49 would fit"
        ]


def test_trials_with_other_seeds_say_nothing_about_the_time() -> None:
    assert not named(timed(500, 10_000_000).next(step="1"), "over_time_budget")


def test_the_share_of_the_timeout_is_a_policy_key() -> None:
    story = timed(100, 100_000)
    assert not named(story.next(step="1"), "over_time_budget")
    assert named(story.next(M, "preflight.time_budget_share=0.5", step="1"), "over_time_budget")
