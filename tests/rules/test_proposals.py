"""Proposals: what the policy lets pass, what it brings within bounds, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

import runledger
from ledger.payloads import RunStarted
from rules.decide import Draft
from rules.proposal import whole_number
from tests.rules.histories import D, H, M, Story, found

DEFAULTS = {"trials": 50, "seed_count": 100_000}


def judge(story: Story, *settings: str, rationale: str = "because", **asked: Any) -> Draft:
    proposal = {**asked, "rationale": rationale, "proposer": "test"}
    return story.next(M, *settings, proposal=proposal)


def answer(draft: Draft) -> tuple[str, str]:
    return draft.verdict, draft.outcome["clause"]


def applied(draft: Draft) -> tuple[int, int]:
    return draft.outcome["applied"]["trials"], draft.outcome["applied"]["seed_count"]


def usual() -> Story:
    """The last run was 50 x 100,000 and found plenty: `next` says the defaults."""
    return Story().run("R", 0, 60_000)


# -- within and beyond bounds ---------------------------------------------------------


def test_a_proposal_within_bounds_is_accepted_as_it_is() -> None:
    draft = judge(usual(), trials=100, seed_count=200_000)
    assert answer(draft) == ("accepted", "within_bounds")
    assert draft.outcome["requested"] == {"trials": 100, "seed_count": 200_000}
    assert draft.outcome["applied"] == {"trials": 100, "seed_count": 200_000}
    assert (draft.outcome["trials"], draft.outcome["seed_count"]) == (100, 200_000)


def test_a_number_that_is_not_proposed_is_what_next_says() -> None:
    assert applied(judge(usual(), trials=60)) == (60, 100_000)
    assert applied(judge(usual(), seed_count=200_000)) == (50, 200_000)


@pytest.mark.parametrize(
    ("asked", "want", "clause"),
    [
        ({"trials": 9}, (10, 100_000), "proposal.min_trials"),
        ({"trials": 0}, (10, 100_000), "proposal.min_trials"),
        ({"trials": -5}, (10, 100_000), "proposal.min_trials"),
        ({"trials": 10}, (10, 100_000), "within_bounds"),
        ({"trials": 500}, (500, 100_000), "within_bounds"),
        ({"trials": 501}, (500, 100_000), "proposal.max_trials"),
        ({"seed_count": 9_999}, (50, 10_000), "proposal.min_seed_count"),
        ({"seed_count": 10_000}, (50, 10_000), "within_bounds"),
        ({"seed_count": 1_000_000}, (50, 1_000_000), "within_bounds"),
        ({"seed_count": 1_000_001}, (50, 1_000_000), "proposal.max_change"),
        ({"seed_count": 2**53}, (50, 1_000_000), "proposal.max_seed_count"),
    ],
)
def test_beyond_a_bound_or_the_largest_change_the_nearest_allowed_value_is_applied(
    asked: dict[str, int], want: tuple[int, int], clause: str
) -> None:
    draft = judge(usual(), **asked)
    assert applied(draft) == want
    assert answer(draft) == ("accepted" if clause == "within_bounds" else "clamped", clause)
    assert draft.outcome["requested"] == asked


def test_a_clamped_proposal_says_what_became_of_each_number() -> None:
    draft = judge(usual(), trials=600, seed_count=5_000_000)
    assert applied(draft) == (500, 1_000_000)
    messages = {finding.rule: finding.message for finding in draft.findings}
    assert messages["out_of_bounds"] == "beyond the policy's bounds: trials 600 to 500"
    assert messages["max_change"] == (
        "changes by more than the factor 10: seed_count 5,000,000 to 1,000,000"
    )


# -- the largest change ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "asked", "want"),
    [
        ("1.3", 80, 65),  # 30 % of 50
        ("1.3", 30, 39),  # 50 / 1.3 is 38.5: the nearest allowed value is 39
        ("1.1", 80, 55),  # 55.00000000000001 in binary floating point
        ("1", 80, 50),
    ],
)
def test_the_largest_change_is_a_factor_against_the_last_run(
    factor: str, asked: int, want: int
) -> None:
    draft = judge(usual(), f"proposal.max_change={factor}", trials=asked)
    assert applied(draft) == (want, 100_000)
    assert answer(draft) == ("clamped", "proposal.max_change")


def test_without_a_last_run_the_defaults_are_what_change_is_measured_against() -> None:
    assert applied(judge(Story(), seed_count=5_000_000)) == (50, 1_000_000)


def test_change_is_measured_against_the_last_run_that_speaks() -> None:
    story = Story().run("A", -D, 60_000, seeds=1_000_000).run("B", -H, None, seeds=50_000)
    assert applied(judge(story, seed_count=10_000_000)) == (50, 10_000_000)


def test_what_next_says_is_never_limited_by_the_largest_change() -> None:
    story = Story().run("R", 0, 0, 50, seeds=10_000_000)
    assert answer(judge(story, trials=100, seed_count=100_000)) == ("accepted", "within_bounds")
    other = judge(story, trials=100, seed_count=100_001)
    assert answer(other) == ("clamped", "proposal.max_change")
    assert applied(other) == (100, 1_000_000)


def test_a_number_that_bounds_bring_to_what_next_says_is_not_limited_either() -> None:
    story = Story().run("R", 0, 7, seeds=50_000)  # next: 100,000 seeds
    draft = judge(
        story, "proposal.max_change=1.5", "proposal.max_seed_count=100000", seed_count=900_000
    )
    assert applied(draft) == (50, 100_000)


def test_the_bounds_win_where_the_last_run_lies_outside_of_them() -> None:
    story = Story().run("R", 0, 60_000, trials=1, completed=1, seeds=100)
    assert applied(judge(story, trials=200, seed_count=500_000)) == (10, 10_000)


def test_a_last_run_of_no_trials_limits_nothing() -> None:
    assert applied(judge(Story().run("R", 0, 0, trials=0), trials=400)) == (400, 100_000)


# -- rejected ----------------------------------------------------------------------------


@pytest.mark.parametrize("rationale", ["", "  ", "\n\t"])
def test_an_empty_rationale_is_rejected(rationale: str) -> None:
    draft = judge(usual(), rationale=rationale, trials=60)
    assert answer(draft) == ("rejected", "proposal.rationale")
    assert draft.outcome["applied"] is None
    assert draft.outcome["requested"] == {"trials": 60}
    assert ("no_rationale", "block") in found(draft)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"trials": "many"},
        {"trials": 50.5},
        {"trials": "50.5"},
        {"trials": True},
        {"trials": "nan"},
        {"trials": ""},
        {"trials": 60, "seed_count": "lots"},
    ],
)
def test_what_is_no_number_is_rejected(asked: dict[str, Any]) -> None:
    draft = judge(usual(), **asked)
    assert answer(draft) == ("rejected", "proposal.numbers")
    assert draft.outcome["applied"] is None
    assert draft.outcome["requested"] == asked
    assert draft.outcome["next"] == DEFAULTS


def test_a_frozen_key_is_rejected_and_the_other_is_not() -> None:
    frozen = 'proposal.frozen=["seed_count"]'
    assert answer(judge(usual(), frozen, trials=60)) == ("accepted", "within_bounds")
    draft = judge(usual(), frozen, trials=60, seed_count=100_000)
    assert answer(draft) == ("rejected", "proposal.frozen")
    assert draft.outcome["applied"] is None


def test_the_worst_answer_wins_and_all_reasons_are_named() -> None:
    draft = judge(usual(), "proposal.daily_budget=1", rationale="", trials=9_000)
    assert answer(draft) == ("rejected", "proposal.rationale")
    assert {"no_rationale", "daily_budget", "out_of_bounds"} <= {rule for rule, _ in found(draft)}


# -- a person must decide ------------------------------------------------------------------


def changed() -> Story:
    """Run B changed the trials; one run has passed since."""
    story = Story().run("A", -4 * D, 60_000, trials=50).run("B", -3 * D, 60_000, trials=100)
    return story.run("C", -2 * D, 60_000, trials=100)


def test_in_the_cool_down_after_a_change_a_person_must_decide() -> None:
    draft = judge(changed(), "proposal.cooldown_runs=3", trials=200)
    assert answer(draft) == ("needs_human", "proposal.cooldown_runs")
    assert draft.outcome["applied"] is None
    assert answer(judge(changed().run("D", -D, 60_000, trials=100), "proposal.cooldown_runs=3",
                        trials=200)) == ("accepted", "within_bounds")  # fmt: skip


def test_a_change_that_is_still_running_is_a_change_already() -> None:
    story = Story().run("A", -2 * D, 60_000)
    story.add(RunStarted(study="w", trials=100, seed_count=100_000), -M, runid="on")
    draft = judge(story, "proposal.cooldown_runs=1", trials=200)
    assert answer(draft) == ("needs_human", "proposal.cooldown_runs")
    messages = {finding.rule: finding.message for finding in draft.findings}
    assert messages["cooldown"] == "parameters changed 0 runs ago, and 1 must pass"
    again = judge(story, "proposal.cooldown_runs=1", trials=100, seed_count=100_000)
    assert again.verdict == "accepted"


def test_a_proposal_that_changes_nothing_needs_no_cool_down() -> None:
    draft = judge(changed(), "proposal.cooldown_runs=3", trials=100, seed_count=100_000)
    assert answer(draft) == ("accepted", "within_bounds")


def test_without_a_change_in_the_history_nothing_cools_down() -> None:
    assert answer(judge(usual(), "proposal.cooldown_runs=3", trials=60))[0] == "accepted"
    assert answer(judge(Story(), "proposal.cooldown_runs=3", trials=60))[0] == "accepted"


@pytest.mark.parametrize(
    ("budget", "verdict"),
    [(0, "accepted"), (11_000_000, "accepted"), (10_999_999, "needs_human"), (1, "needs_human")],
)
def test_trials_times_seeds_of_a_day_have_a_budget(budget: int, verdict: str) -> None:
    # 50 x 100,000 were started an hour before noon; 60 x 100,000 are asked for.
    draft = judge(usual(), f"proposal.daily_budget={budget}", trials=60)
    assert draft.verdict == verdict
    if verdict == "needs_human":
        assert draft.outcome["clause"] == "proposal.daily_budget"
        assert draft.outcome["applied"] is None


def test_the_budget_counts_runs_of_all_studies_started_within_a_day_even_if_they_were_lost() -> (
    None
):
    story = Story().run("old", -2 * D, 60_000).run("lost", -5 * H, None, study="v")
    story.add(RunStarted(trials=10, seed_count=100_000), -H, runid="on")
    budget = (50 + 10 + 60) * 100_000
    assert judge(story, f"proposal.daily_budget={budget}", trials=60).verdict == "accepted"
    assert judge(story, f"proposal.daily_budget={budget - 1}", trials=60).verdict == "needs_human"


def test_the_budget_is_held_against_what_would_be_applied() -> None:
    # 900 trials are asked for, 500 would be applied.
    assert judge(Story(), "proposal.daily_budget=50000000", trials=900).verdict == "clamped"


# -- numbers as they come -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (100, 100),
        (100.0, 100),
        ("100", 100),
        (" 100 ", 100),
        ("+100", 100),
        ("-100", -100),
        ("100.0", 100),
        ("10,000,000", 10_000_000),
        ("10_000_000", 10_000_000),
        ("10 000 000", 10_000_000),
        ("1e7", 10_000_000),
        ("1.5E5", 150_000),
        ("9" * 100, 2**53),
        ("1e99", 2**53),
        ("1e400", 2**53),
        ("-1e400", -(2**53)),
        ("-1e2", -100),
        ("1000e-1", 100),
        (1e300, 2**53),
        (10**400, 2**53),
        (numpy.int64(100), 100),
        (numpy.float64(100.0), 100),
    ],
)
def test_whole_numbers_are_understood_as_text_too(raw: Any, number: int) -> None:
    assert whole_number(raw) == number


@pytest.mark.parametrize(
    "raw",
    [None, True, False, 1.5, float("inf"), float("nan"), "", "fifty", "1.5", "1e-3", "1e9999999",
     "0x10", "1,00", "1,0000", "12 34", "100 trials", "1__0", "_1", "--1", [100], {"n": 1}, b"1",
     numpy.array([1, 2])],
)  # fmt: skip
def test_everything_else_is_no_whole_number(raw: Any) -> None:
    assert whole_number(raw) is None


@pytest.mark.parametrize("asked", ["100", "100.0", 100.0, "1e2"])
def test_a_proposal_with_numbers_as_text_is_judged_as_if_they_were_numbers(asked: Any) -> None:
    draft = judge(usual(), trials=asked)
    assert answer(draft) == ("accepted", "within_bounds")
    assert draft.outcome["requested"] == {"trials": 100}


# -- every proposal is recorded ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        ({"trials": "60"}, {"trials": 60}),
        ({"trials": 9_000}, {"trials": 9_000}),
        ({"trials": "many", "seed_count": 5}, {"raw": {"trials": "many", "seed_count": 5}}),
        ({"trials": -5}, {"raw": {"trials": -5}}),
        ({"trials": True}, {"raw": {"trials": True}}),
        ({"trials": float("inf")}, {"raw": {"trials": "inf"}}),
        ({"trials": [1, 2]}, {"raw": {"trials": "[1, 2]"}}),
        ({"trials": "1\x002\ud800"}, {"raw": {"trials": "1\ufffd2\ufffd"}}),
        ({"trials": "x" * 3_000_000}, {"raw": {"trials": "x" * 999 + "…"}}),
        ({"trials": 10**30}, {"raw": {"trials": f"{10**30}"}}),
        ({}, {}),
    ],
)
def test_every_proposal_is_recorded_as_it_came_whatever_the_answer(
    tmp_path: Path, asked: dict[str, Any], recorded: dict[str, Any]
) -> None:
    with runledger.open(tmp_path / "ledger.db", create=True) as opened:
        decision = opened.propose(proposer="model", rationale="more", **asked)
        (event,) = opened.ledger.read(types=("parameters_proposed",))
        data = {
            key: getattr(event.data, key)
            for key in ("trials", "seed_count", "raw")
            if getattr(event.data, key) is not None
        }
        assert data == recorded
        assert decision.question["proposal"]["event"] == event.id
        evidence = [each for finding in decision.findings[1:] for each in finding.evidence]
        assert set(evidence) <= {event.id}
        assert not opened.replay().drifted


@pytest.mark.parametrize(
    ("sent", "verdict", "recorded"),
    [
        ({"rationale": None}, "rejected", {"rationale": ""}),
        ({"rationale": ["a", 1]}, "accepted",
         {"rationale": "['a', 1]", "raw": {"rationale": "['a', 1]"}}),
        ({"rationale": "a\x00b\ud800"}, "accepted", {"rationale": "a\ufffdb\ufffd"}),
        ({"rationale": "x" * 3_000_000}, "accepted", {"rationale": "x" * 49_999 + "…"}),
        ({"rationale": 10**5_000}, "accepted",
         {"rationale": "a int that cannot be written out",
          "raw": {"rationale": "a int that cannot be written out"}}),
        ({"proposer": None}, "accepted", {"proposer": "unknown"}),
        ({"proposer": ""}, "accepted", {"proposer": "unknown"}),
        ({"proposer": "a\nb"}, "accepted", {"proposer": "a\ufffdb"}),
        ({"evidence": "e1"}, "accepted", {"evidence": ("e1",)}),
        ({"evidence": ["e1", 7]}, "accepted",
         {"evidence": ("e1",), "raw": {"evidence": "['e1', 7]"}}),
        ({"evidence": None}, "accepted", {"evidence": None}),
        ({"evidence": 7}, "accepted", {"raw": {"evidence": "7"}}),
    ],
)  # fmt: skip
def test_nothing_that_is_sent_keeps_a_proposal_from_being_recorded(
    tmp_path: Path, sent: dict[str, Any], verdict: str, recorded: dict[str, Any]
) -> None:
    with runledger.open(tmp_path / "ledger.db", create=True) as opened:
        decision = opened.propose(**{"trials": 60, "proposer": "m", "rationale": "why"} | sent)
        assert decision.verdict == verdict
        (event,) = opened.ledger.read(types=("parameters_proposed",))
        assert event.data.trials == 60
        assert {key: getattr(event.data, key) for key in recorded} == recorded
        assert not opened.replay().drifted


def test_a_proposal_of_many_numbers_at_once_is_recorded_and_rejected(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "ledger.db", create=True) as opened:
        decision = opened.propose(trials=numpy.array([1, 2]), proposer="m", rationale="why")
        assert decision.verdict == "rejected"
        (event,) = opened.ledger.read(types=("parameters_proposed",))
        assert event.data.raw == {"trials": "[1 2]"}


def test_a_number_too_large_for_json_is_told_as_it_was_asked(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "ledger.db", create=True) as opened:
        decision = opened.propose(trials=10**30, proposer="m", rationale="why")
    assert decision.outcome["requested"] == {"trials": f"{10**30}"}
    assert decision.outcome["applied"]["trials"] == 500
    messages = {finding.rule: finding.message for finding in decision.findings}
    assert messages["out_of_bounds"] == f"beyond the policy's bounds: trials {10**30} to 500"


def test_a_scope_may_hold_whatever_a_run_may_be_recorded_with(tmp_path: Path) -> None:
    scope = {"data": Path("draws.json"), 3: "three"}
    with runledger.open(tmp_path / "ledger.db", create=True) as opened:
        with opened.run("R", scope=scope, trials=50, seed_count=100_000) as run:
            run.count(survivors=0, completed_trials=50)
        assert opened.next_parameters(scope=scope).outcome["rule"] == "zero_survivors"


def test_a_rejected_proposal_is_recorded_with_its_answer(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "ledger.db", create=True) as opened:
        decision = opened.propose(proposer="model", rationale="", trials=60)
        assert (decision.verdict, decision.outcome["applied"]) == ("rejected", None)
        (stored,) = opened.decisions()
        assert stored.data == decision


ODD: list[tuple[Any, str, dict[str, int] | None]] = [
    ({"trials": "120", "rationale": "r"}, "accepted", {"trials": 120, "seed_count": 100_000}),
    ({"trials": 60.0, "rationale": "r"}, "accepted", {"trials": 60, "seed_count": 100_000}),
    ({"trials": 60, "max_seeds": 5, "rationale": "r"}, "accepted",
     {"trials": 60, "seed_count": 100_000}),
    ({"window_trials": 60, "rationale": "r"}, "accepted", {"trials": 60, "seed_count": 100_000}),
    ({"trials": 60.5, "rationale": "r"}, "rejected", None),
    ({"trials": "many", "rationale": "r"}, "rejected", None),
    ({"rationale": "r"}, "rejected", None),
    ({"trials": 60}, "rejected", None),
    ({"trials": 10**9, "rationale": "r"}, "clamped", {"trials": 500, "seed_count": 100_000}),
    ({"trials": [60], "at": "1999-01-01T00:00:00Z", "study": 7, "rationale": "r"}, "rejected",
     None),
    ("I propose more trials!", "rejected", None),
    ('{"trials": "1e2", "rationale": "r"}', "accepted", {"trials": 100, "seed_count": 100_000}),
    ("[" * 100_000, "rejected", None),
    (None, "rejected", None),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "verdict", "applied"), ODD)
def test_an_odd_proposal_is_judged_and_recorded_as_it_came(
    tmp_path: Path, sent: Any, verdict: str, applied: dict[str, int] | None
) -> None:
    (tmp_path / "policy.toml").write_text('[proposal.names]\ntrials = "window_trials"\n')
    (tmp_path / "runledger.toml").write_text('policy = "policy.toml"\n')
    with runledger.open(config=tmp_path / "runledger.toml", create=True) as opened:
        decision = opened.propose_as_sent(sent, proposer="model")
        assert (decision.verdict, decision.outcome["applied"]) == (verdict, applied)
        (event,) = opened.ledger.read(types=("parameters_proposed",))
        assert event.data.proposer == "model"
        if isinstance(sent, dict) and "max_seeds" in sent:
            assert event.data.raw == {"extra": {"max_seeds": "5"}}
            assert decision.outcome["ignored"] == ["max_seeds"]
        assert not opened.replay().drifted


def test_keys_that_no_proposal_has_are_no_error_of_pythons(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "ledger.db", create=True) as opened:
        decision = opened.propose(trials=60, max_seeds=5, proposer="m", rationale="why")
        assert (decision.verdict, decision.outcome["ignored"]) == ("accepted", ["max_seeds"])
        assert opened.propose(proposer="m").verdict == "rejected"
