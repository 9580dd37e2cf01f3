"""Advice beside the chosen parameters: what other rules would say, with their reasons.

The second opinion asks more of a history than the default rule does: whether a
search that found nothing was unlucky or dead, whether one that found much is
limited by its seeds, and whether the trials fit the time. It is shown beside
the first opinion and replaces it only where the policy says
``tuning.rule = "second_opinion"``.
"""

from __future__ import annotations

from typing import Any

from ledger.text import humanize
from rules.facts.budget import median_trial_s, time_budget_s, trials_that_fit
from rules.facts.parameters import History, Numbers, grown, run_label, scope_of, study_of
from rules.folds.runs import scope_key
from rules.policy import Policy
from rules.second_opinion import Prior, unlucky_or_dead
from rules.state import Run, State

Advice = dict[str, Any]


def advise(
    policy: Policy, state: State, found: History, numbers: Numbers, timeout_s: float | None
) -> tuple[list[Advice], Numbers | None]:
    """The advice, and the numbers that the second opinion would choose (None: no opinion).

    ``numbers`` are those of the default rule. ``timeout_s`` is the step's; a run
    that was started with one of its own is held to that where no step is asked for.
    """
    last = found.last
    if last is None or last.counted is None:
        return [], None
    counted = last.counted
    second: Numbers | None
    if counted.survivors:
        second, said = _some(policy, last, numbers), _yield(policy, last)
    else:
        second, said = _none(policy, found, last)
    if second is None:
        return [{"rule": "second_opinion", **_shown(numbers), **said}], None
    limit_s = timeout_s if timeout_s is not None else last.timeout_s
    second, room = _room(policy, state, second, limit_s)
    said["text"] = "; ".join((said["text"], *([room.pop("text")] if room else [])))
    advice = [{"rule": "second_opinion", **_shown(second), **said, **room}]
    if policy.tuning.rule == "second_opinion":
        advice.append(
            {
                "rule": "default",
                **_shown(numbers),
                "text": f"the default rule says {numbers.trials:,} trials x "
                f"{numbers.seed_count:,} seeds",
            }
        )
    return advice, second


def _shown(numbers: Numbers) -> Advice:
    return {"trials": numbers.trials, "seed_count": numbers.seed_count}


# -- nothing found: unlucky or dead? -------------------------------------------


def _none(policy: Policy, found: History, last: Run) -> tuple[Numbers | None, Advice]:
    barren, alive_before = _streak(found, last)
    trials = sum(run.counted.completed_trials for run in barren if run.counted is not None)
    if not trials:
        lost = humanize.listed([loss.node for loss in last.losses])
        why = f"{lost} was lost during it" if lost else "no trial of it ran to a result"
        return None, {
            "text": f"{run_label(last)} found nothing, but {why}: it says nothing about the space",
            "finished_trials": 0,
        }
    priors = policy.tuning.second_opinion
    opinion = unlucky_or_dead(
        trials,
        Prior(
            alive=priors.prior_alive,
            alpha=priors.prior_yield_alpha,
            beta=priors.prior_yield_beta,
        ),
        priors.find_probability,
    )
    said: Advice = {
        "text": "",
        "opinion": "dead" if opinion.dead_is_likelier else "unlucky",
        "runs": len(barren),
        "finished_trials": trials,
        "probability_dead": opinion.probability_dead,
        "more_trials": opinion.more_trials,
        "find_probability": priors.find_probability,
    }
    more = (
        "no number of trials makes a find likely"
        if opinion.more_trials is None
        else f"{humanize.counted(opinion.more_trials, 'more trial')} would find a survivor with "
        f"{humanize.percent(priors.find_probability)} probability"
    )
    dead = humanize.percent(opinion.probability_dead)
    tried = f"{humanize.counted(trials, 'finished trial')} without a survivor"
    if len(barren) > 1:
        tried += f" in {len(barren)} runs"
    limits = policy.proposal
    if opinion.dead_is_likelier:
        said["text"] = (
            f"{tried}: with {dead} probability nothing in this space can yield any (if something "
            f"can, {more}), so stop buying trials and look at preflight, inputs and bounds"
        )
        wanted = limits.min_trials
    else:
        said["text"] = (
            f"{tried}: more likely unlucky than dead ({dead} probability of dead), and "
            f"if the space is alive, {more}"
        )
        wanted = opinion.more_trials if opinion.more_trials is not None else limits.max_trials
    if alive_before is not None and alive_before.counted is not None:
        said["alive_before"] = run_label(alive_before)
        said["text"] += (
            f"; {run_label(alive_before)} found {alive_before.counted.survivors:,} here: "
            "look at what has changed since"
        )
    trials = max(limits.min_trials, min(limits.max_trials, wanted))
    return Numbers(trials, policy.tuning.default_seed_count), said


def _streak(found: History, last: Run) -> tuple[list[Run], Run | None]:
    """The newest runs without a survivor, and the run before them that found some.

    Only runs of the last one's study and scope speak; partial ones, and those that
    lost a node, do not: their zero may have another cause.
    """
    barren: list[Run] = []
    own = study_of(last), scope_key(scope_of(last))
    for run in found.ended:
        counted = run.counted
        if counted is None or counted.partial or (study_of(run), scope_key(scope_of(run))) != own:
            continue
        if counted.survivors:
            return barren, run
        if not run.losses:
            barren.append(run)
    return barren, None


# -- something found: limited by seeds? ----------------------------------------


def _some(policy: Policy, last: Run, numbers: Numbers) -> Numbers:
    """The default rule's numbers; where the seeds are used up, seeds that can yield more."""
    counted = last.counted
    if counted is None or not _saturated(policy, last):
        return numbers
    tuning = policy.tuning
    seeds = min(grown(counted.seed_count, policy), tuning.max_seed_count)
    return Numbers(numbers.trials, max(numbers.seed_count, seeds))


def _saturated(policy: Policy, last: Run) -> bool:
    counted = last.counted
    assert counted is not None
    share = policy.tuning.second_opinion.saturated_share
    return counted.survivors >= share * counted.seed_count


def _yield(policy: Policy, last: Run) -> Advice:
    counted = last.counted
    assert counted is not None
    share = counted.survivors / counted.seed_count if counted.seed_count else 1.0
    saturated = _saturated(policy, last)
    part = f"{counted.survivors:,} of {counted.seed_count:,} seeds survived "
    part += f"({humanize.percent(share)})"
    said = (
        "the yield is saturated, so more trials add little and only more seeds can add survivors"
        if saturated
        else "the yield is not saturated, so better settings can still find more"
    )
    return {
        "text": f"{part}: {said}",
        "opinion": "saturated" if saturated else "not_saturated",
        "survivors": counted.survivors,
        "survivor_share": round(share, 9),
    }


# -- is there time? --------------------------------------------------------------


def _room(
    policy: Policy, state: State, second: Numbers, timeout_s: float | None
) -> tuple[Numbers, Advice]:
    """The numbers brought within the time, and what they need; nothing where that is unknown."""
    median_s = median_trial_s(state, second.seed_count)
    if timeout_s is None or median_s is None:
        return second, {}
    budget_s = time_budget_s(policy, timeout_s)
    fit = trials_that_fit(median_s, budget_s)
    need = f"{second.trials:,} trials at {humanize.number(float(median_s))} s each need "
    need += f"{humanize.number(float(second.trials * median_s))} s of "
    need += f"{humanize.number(float(budget_s))} s"
    room: Advice = {
        "text": f"{need}: there is room" if second.trials <= fit else f"{need}: {fit:,} fit",
        "trial_s": round(float(median_s), 3),
        "budget_s": round(float(budget_s), 3),
        "trials_that_fit": fit,
    }
    return Numbers(max(1, min(second.trials, fit)), second.seed_count), room
