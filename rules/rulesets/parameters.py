"""How many trials and seeds next, and whether a proposal may pass.

``effect`` names where the numbers come from: keys of the policy, or ``grown``
for the last run's seeds times the growth. For proposals it is the verdict and
the clause that decided.
"""

from __future__ import annotations

from rules.conditions import when
from rules.ruleset import Rule, Severity

_DEFAULTS = {"trials": "default_trials", "seed_count": "default_seed_count"}


def _speaks(
    name: str, *texts: str, message: str, remedy: str, effect: dict[str, str] = _DEFAULTS
) -> Rule:
    return Rule(
        name=name,
        about="last_run",
        when=when(*texts),
        severity="info",
        message=message,
        remedy=remedy,
        effect=effect,
    )


def _note(name: str, *texts: str, message: str, remedy: str, about: str = "note") -> Rule:
    return Rule(
        name=name,
        about=about,
        when=when(*texts),
        severity="warn",
        message=message,
        remedy=remedy,
    )


def _clause(
    name: str, severity: Severity, verdict: str, *texts: str, message: str, remedy: str
) -> Rule:
    return Rule(
        name=name,
        about="proposal",
        when=when(*texts),
        severity=severity,
        message=message,
        remedy=remedy,
        effect={"verdict": verdict},
    )


PARAMETER_RULES: tuple[Rule, ...] = (
    _speaks(
        "no_history",
        "missing(survivors)",
        message="no counted run of this study and scope: the defaults",
        remedy="record what runs yield: survivors_counted",
    ),
    _speaks(
        "zero_survivors",
        "survivors == 0",
        "completed_trials >= $tuning.zero_survivor_min_trials",
        message="{run} found nothing in {completed} trials of {seed_count} seeds: more trials, "
        "few seeds",
        remedy="explore: seeds do not help where no trial finds anything",
        effect={"trials": "zero_survivor_trials", "seed_count": "default_seed_count"},
    ),
    _speaks(
        "too_few_trials_to_judge",
        "survivors == 0",
        "completed_trials < $tuning.zero_survivor_min_trials",
        message="{run} found nothing, but only {completed} trials ran to a result: the defaults",
        remedy="let a run finish before drawing conclusions from it",
    ),
    _speaks(
        "few_survivors",
        "survivors > 0",
        "survivors < $tuning.few_survivors",
        message="{run} found {survivors} survivors with {seed_count} seeds: more seeds",
        remedy="the settings work: widen the search",
        effect={"trials": "default_trials", "seed_count": "grown"},
    ),
    _speaks(
        "enough_survivors",
        "survivors >= $tuning.few_survivors",
        message="{run} found {survivors} survivors: the defaults do",
        remedy="go on",
    ),
    _note(
        "unknown_outcome",
        "runs == 1",
        about="uncounted",
        message="{run} ended ({outcome}) and nothing was counted: its outcome is unknown, not zero",
        remedy="count its survivors if its files are still there, and record them",
    ),
    _note(
        "unknown_outcome",
        "runs >= 2",
        about="uncounted",
        message="{runs} runs ended and nothing was counted, the newest are {newest}: their "
        "outcomes are unknown, not zero",
        remedy="count their survivors where the files are still there, and record them",
    ),
    _note(
        "partial_run",
        "uncounted_share > 0",
        message="{run} is partial ({partial}) and does not drive the choice",
        remedy="run the missing part, or count it again",
    ),
    _note(
        "confounded",
        "uncounted_share == 0",
        "survivors == 0",
        "lost_nodes >= 1",
        message="{run} found nothing, but {lost} was lost during it: the zero may be the node's "
        "doing",
        remedy="run preflight before the next run",
    ),
    Rule(
        name="over_time_budget",
        about="next_budget",
        when=when("used_share > $preflight.time_budget_share"),
        severity="warn",
        message="{trials} trials at {median_s} s each need {need_s} s, step {step} has "
        "{budget_s} s: {fits} would fit",
        remedy="raise timeout_s of step {step}, or split the run",
    ),
    _clause(
        "no_rationale",
        "block",
        "rejected",
        "rationale_characters == 0",
        message="the proposal gives no reason",
        remedy="say why: --rationale TEXT",
    ),
    *(
        _clause(
            "no_number",
            "block",
            "rejected",
            condition,
            message="the proposal is not a number of trials or seeds ({malformed})",
            remedy="propose whole numbers: see runledger schema proposal",
        )
        for condition in ("malformed >= 1", "requested == 0")
    ),
    _clause(
        "frozen_key",
        "block",
        "rejected",
        "frozen >= 1",
        message="{frozen} must not be changed by proposals",
        remedy="leave it out, or change proposal.frozen in the policy",
    ),
    _clause(
        "cooldown",
        "unknown",
        "needs_human",
        "changes == true",
        "runs_since_change < $proposal.cooldown_runs",
        message="parameters changed {runs_since} runs ago, and {cooldown_runs} must pass",
        remedy="wait, or let a person decide",
    ),
    _clause(
        "daily_budget",
        "unknown",
        "needs_human",
        "day_trial_seeds > $proposal.daily_budget",
        message="{spent} trials x seeds were started within a day, and this asks for {asked}; the "
        "budget is {daily_budget}",
        remedy="wait, or let a person decide",
    ),
    _clause(
        "out_of_bounds",
        "degrade",
        "clamped",
        "out_of_bounds >= 1",
        message="beyond the policy's bounds: {beyond}",
        remedy="propose within them: see runledger context",
    ),
    _clause(
        "max_change",
        "degrade",
        "clamped",
        "change_factor > $proposal.max_change",
        message="changes by more than the factor {max_change}: {limited}",
        remedy="move in smaller steps",
    ),
)
