"""How many trials and seeds next, and whether a proposal may pass.

``effect`` names where the numbers come from: keys of the policy, or ``grown``
for the last run's seeds times the growth. For proposals it is the verdict and
the clause that decided.
"""

from __future__ import annotations

from rules.ruleset import Condition, Rule, Severity

_DEFAULTS = {"trials": "default_trials", "seed_count": "default_seed_count"}


def _speaks(
    name: str, *when: Condition, message: str, remedy: str, effect: dict[str, str] = _DEFAULTS
) -> Rule:
    return Rule(
        name=name,
        about="last_run",
        when=when,
        severity="info",
        message=message,
        remedy=remedy,
        effect=effect,
    )


def _note(name: str, message: str, remedy: str) -> Rule:
    return Rule(
        name=name,
        about="note",
        when=(("note", "==", name),),
        severity="warn",
        message=message,
        remedy=remedy,
    )


def _clause(
    name: str, feature: str, severity: Severity, verdict: str, message: str, remedy: str
) -> Rule:
    return Rule(
        name=name,
        about="proposal",
        when=((feature, "==", True),),
        severity=severity,
        message=message,
        remedy=remedy,
        effect={"verdict": verdict},
    )


PARAMETER_RULES: tuple[Rule, ...] = (
    _speaks(
        "no_history",
        ("has_run", "==", False),
        message="no counted run of this study and scope: the defaults",
        remedy="record what runs yield: survivors_counted",
    ),
    _speaks(
        "zero_survivors",
        ("has_run", "==", True),
        ("survivors", "==", 0),
        ("completed", ">=", "$tuning.zero_survivor_min_trials"),
        message="{run} found nothing in {completed} trials of {seed_count} seeds: more trials, "
        "few seeds",
        remedy="explore: seeds do not help where no trial finds anything",
        effect={"trials": "zero_survivor_trials", "seed_count": "default_seed_count"},
    ),
    _speaks(
        "too_few_trials_to_judge",
        ("has_run", "==", True),
        ("survivors", "==", 0),
        ("completed", "<", "$tuning.zero_survivor_min_trials"),
        message="{run} found nothing, but only {completed} trials ran to a result: the defaults",
        remedy="let a run finish before drawing conclusions from it",
    ),
    _speaks(
        "few_survivors",
        ("has_run", "==", True),
        ("survivors", ">", 0),
        ("survivors", "<", "$tuning.few_survivors"),
        message="{run} found {survivors} survivors with {seed_count} seeds: more seeds",
        remedy="the settings work: widen the search",
        effect={"trials": "default_trials", "seed_count": "grown"},
    ),
    _speaks(
        "enough_survivors",
        ("has_run", "==", True),
        ("survivors", ">=", "$tuning.few_survivors"),
        message="{run} found {survivors} survivors: the defaults do",
        remedy="go on",
    ),
    _note(
        "unknown_outcome",
        "{run} ended ({outcome}) and nothing was counted: its outcome is unknown, not zero",
        "count its survivors if its files are still there, and record them",
    ),
    _note(
        "partial_run",
        "{run} is partial ({partial}) and does not drive the choice",
        "run the missing part, or count it again",
    ),
    _note(
        "confounded",
        "{run} found nothing, but {lost} was lost during it: the zero may be the node's doing",
        "run preflight before the next run",
    ),
    Rule(
        name="over_time_budget",
        about="next_budget",
        when=(("comparable", "==", True), ("over", "==", True)),
        severity="warn",
        message="{trials} trials at {median_s} s each need {need_s} s, step {step} has "
        "{budget_s} s: {fits} would fit",
        remedy="raise timeout_s of step {step}, or split the run",
    ),
    _clause(
        "no_rationale",
        "rationale_empty",
        "block",
        "rejected",
        "the proposal gives no reason",
        "say why: --rationale TEXT",
    ),
    _clause(
        "no_number",
        "no_number",
        "block",
        "rejected",
        "the proposal is not a number of trials or seeds ({malformed})",
        "propose whole numbers: see runledger schema proposal",
    ),
    _clause(
        "frozen_key",
        "frozen",
        "block",
        "rejected",
        "{frozen} must not be changed by proposals",
        "leave it out, or change proposal.frozen in the policy",
    ),
    _clause(
        "cooldown",
        "cooling",
        "unknown",
        "needs_human",
        "parameters changed {runs_since} runs ago, and {cooldown_runs} must pass",
        "wait, or let a person decide",
    ),
    _clause(
        "daily_budget",
        "over_budget",
        "unknown",
        "needs_human",
        "{spent} trials x seeds were started within a day, and this asks for {asked}; the budget "
        "is {daily_budget}",
        "wait, or let a person decide",
    ),
    _clause(
        "out_of_bounds",
        "out_of_bounds",
        "degrade",
        "clamped",
        "beyond the policy's bounds: {beyond}",
        "propose within them: see runledger context",
    ),
    _clause(
        "max_change",
        "too_far",
        "degrade",
        "clamped",
        "changes by more than the factor {max_change}: {limited}",
        "move in smaller steps",
    ),
)
