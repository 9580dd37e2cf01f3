"""The second opinion beside the first: what it says of a history, and when it decides."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.payloads import SshProbe, TrialCompleted
from rules.decide import Draft
from tests.rules.histories import D, H, M, Story


def advice(draft: Draft, rule: str = "second_opinion") -> dict[str, Any]:
    (entry,) = [each for each in draft.outcome["advice"] if each["rule"] == rule]
    return dict(entry)


def numbers(entry: dict[str, Any]) -> tuple[int, int]:
    return entry["trials"], entry["seed_count"]


def trial(story: Story, number: int, seconds: float, seeds: int) -> Story:
    payload = TrialCompleted(
        study="w", number=number, state="COMPLETE", params={}, duration_s=seconds, seed_count=seeds
    )
    return story.add(payload, -D + number)


def test_without_a_run_there_is_no_opinion() -> None:
    assert Story().next().outcome["advice"] == []


def test_a_short_search_that_found_nothing_is_called_unlucky() -> None:
    draft = Story().run("R", 0, 0, 20).next()
    said = advice(draft)
    assert (said["opinion"], said["finished_trials"], said["probability_dead"]) == (
        "unlucky", 20, 0.4462,
    )  # fmt: skip
    assert numbers(said) == (116, 100_000)
    assert said["text"] == (
        "20 finished trials without a survivor: more likely unlucky than dead (45 % probability of "
        "dead), and if the space is alive, 116 more trials would find a survivor with 80 % "
        "probability"
    )
    assert numbers(draft.outcome) == (50, 100_000), "shown, not applied"


def test_a_long_search_that_found_nothing_is_called_dead_and_trials_stop() -> None:
    draft = Story().run("R", 0, 0, 50).next()
    said = advice(draft)
    assert said["opinion"] == "dead"
    assert said["text"] == (
        "50 finished trials without a survivor: with 62 % probability nothing in this space can "
        "yield any (if something can, 236 more trials would find a survivor with 80 % "
        "probability), so stop buying trials and look at preflight, inputs and bounds"
    )
    assert numbers(said) == (10, 100_000)
    assert (draft.outcome["rule"], *numbers(draft.outcome)) == ("zero_survivors", 100, 100_000)


def test_runs_of_the_same_study_and_scope_add_up_until_one_found_something() -> None:
    story = Story().run("A", -4 * D, 0, 500).run("B", -3 * D, 400, 50)
    story.run("C", -2 * D, 0, 20).run("other", -D, 0, 300, study="v").run("E", -H, 0, 8)
    said = advice(story.next(study="w"))
    assert (said["runs"], said["finished_trials"], said["alive_before"]) == (2, 28, "run B")
    assert "run B found 400 here: look at what has changed since" in said["text"]


def test_runs_of_another_scope_say_nothing_even_when_no_scope_is_asked_for() -> None:
    story = (
        Story().run("A", -D, 0, 300, scope={"data": "a"}).run("B", 0, 0, 20, scope={"data": "b"})
    )
    assert advice(story.next())["finished_trials"] == 20


def test_a_partial_run_and_one_that_lost_a_node_are_no_evidence_of_a_dead_space() -> None:
    story = Story().ssh("rig", -3 * D).run("A", -2 * D, 0, 100, jobs_expected=4, jobs_ok=3)
    story.run("B", -D, 0, 20).ssh("rig", -30 * M).run("C", 0, 0, 100, nodes=["rig"])
    story.add(SshProbe(node="rig", reachable=False, error="timeout"), -10 * M)
    said = advice(story.next())
    assert (said["runs"], said["finished_trials"]) == (1, 20)


def test_where_only_a_run_that_lost_a_node_speaks_the_opinion_is_withheld() -> None:
    story = Story().ssh("rig", -2 * H).run("C", 0, 0, 100, nodes=["rig"])
    story.add(SshProbe(node="rig", reachable=False, error="timeout"), -10 * M)
    draft = story.next(M, "tuning.rule=second_opinion")
    assert advice(draft)["text"] == (
        "run C found nothing, but rig was lost during it: it says nothing about the space"
    )
    assert draft.outcome["rule"] == "zero_survivors", "no opinion, so the default rule decides"


@pytest.mark.parametrize(
    ("survivors", "seeds", "opinion", "then"),
    [
        (98_172, 100_000, "saturated", (50, 200_000)),
        (90_000, 100_000, "saturated", (50, 200_000)),
        (89_999, 100_000, "not_saturated", (50, 100_000)),
        (48_896, 50_000, "saturated", (50, 100_000)),
        (53, 10_000_000, "not_saturated", (50, 10_000_000)),
        (9_900_000, 10_000_000, "saturated", (50, 10_000_000)),
    ],
)
def test_survivors_close_to_the_seeds_are_called_saturated(
    survivors: int, seeds: int, opinion: str, then: tuple[int, int]
) -> None:
    said = advice(Story().run("R", 0, survivors, 100, seeds=seeds).next())
    assert (said["opinion"], numbers(said)) == (opinion, then)


def test_trials_that_do_not_fit_the_timeout_are_cut_in_the_second_opinion_only() -> None:
    story = trial(trial(Story(), 0, 200, 10_000_000), 1, 220, 10_000_000)
    draft = story.run("R", 0, 53, seeds=10_000_000).next(step="1")
    said = advice(draft)
    assert (said["trial_s"], said["budget_s"], said["trials_that_fit"]) == (210, 7200, 34)
    assert numbers(said) == (34, 10_000_000)
    assert said["text"].endswith("50 trials at 210 s each need 10,500 s of 7,200 s: 34 fit")
    assert numbers(draft.outcome) == (50, 10_000_000)


def test_room_is_said_too() -> None:
    said = advice(trial(Story(), 0, 12, 100_000).run("R", 0, 60_000).next(step="1"))
    assert said["text"].endswith("50 trials at 12 s each need 600 s of 7,200 s: there is room")


def test_a_policy_may_let_the_second_opinion_decide_and_then_the_default_is_advice() -> None:
    draft = Story().run("R", 0, 0, 50).next(M, "tuning.rule=second_opinion")
    assert (draft.outcome["rule"], *numbers(draft.outcome)) == ("second_opinion", 10, 100_000)
    assert numbers(advice(draft, "default")) == (100, 100_000)


def test_the_priors_are_policy_keys() -> None:
    story = Story().run("R", 0, 0, 50)
    hopeful = advice(story.next(M, "tuning.second_opinion.prior_alive=0.99"))
    assert hopeful["opinion"] == "unlucky"
    sure = advice(story.next(M, "tuning.second_opinion.find_probability=0.95"))
    assert sure["more_trials"] == 1121  # 59 / (59 + m) <= 0.05


def test_counts_that_nobody_could_have_run_are_answered_at_once() -> None:
    said = advice(Story().run("R", 0, 0, 2**53).next())
    assert (said["probability_dead"], said["more_trials"]) == (1.0, None)
