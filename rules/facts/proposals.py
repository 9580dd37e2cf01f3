"""The fact about a proposal: its numbers understood, and brought within what is allowed."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec

from ledger.text import humanize
from ledger.times import SECOND_US
from rules.facts.parameters import History, Numbers, numbers_of, subject_of
from rules.policy import Policy
from rules.proposal import LARGEST, whole_number
from rules.ruleset import Fact, comparable, known
from rules.state import State

_DAY_US = 86_400 * SECOND_US
_SHOWN_CHARACTERS = 60


class Judged(msgspec.Struct, kw_only=True):
    """A proposal, its numbers understood and brought within what is allowed."""

    requested: dict[str, Any]
    applied: Numbers
    fact: Fact
    clauses: dict[str, str]


def judge_proposal(
    proposal: dict[str, Any],
    state: State,
    policy: Policy,
    found: History,
    next_: Numbers,
    at_us: int,
) -> Judged:
    """The fact about a proposal, and what would be applied.

    ``clauses`` maps a rule's name to the policy key that decided.
    """
    # Long: the limits apply in this order, each to what the one before has left of the number.
    limits = policy.proposal
    counted = found.last.counted if found.last is not None else None
    last = last_numbers(policy, found)
    requested: dict[str, Any] = {}
    malformed: list[str] = []
    clamped: dict[str, list[str]] = {"out_of_bounds": [], "max_change": []}
    clauses: dict[str, str] = {}
    applied: dict[str, int] = {}
    change, max_change = Fraction(1), Fraction(repr(limits.max_change))
    for key in ("trials", "seed_count"):
        raw = proposal.get(key)
        applied[key] = getattr(next_, key)
        if raw is None:
            continue
        number = whole_number(raw)
        if number is None:
            requested[key] = raw
            malformed.append(f"{key}: {str(raw)[:_SHOWN_CHARACTERS]!r}")
            continue
        requested[key] = number if abs(number) < LARGEST else raw
        shown = f"{number:,}" if abs(number) < LARGEST else str(raw)[:_SHOWN_CHARACTERS]
        low, high = getattr(limits, f"min_{key}"), getattr(limits, f"max_{key}")
        allowed = max(low, min(high, number))
        if allowed != number:
            bound = "min" if number < low else "max"
            clamped["out_of_bounds"].append(f"{key} {shown} to {allowed:,}")
            clauses.setdefault("out_of_bounds", f"proposal.{bound}_{key}")
        # What `next` says is always within reach, also of a number that was brought to it.
        if getattr(next_, key) not in (number, allowed):
            least, most = within_reach(policy, last, key)
            near = max(least, min(most, allowed))
            factor = _factor(allowed, getattr(last, key))
            # Where it stays as it is, a larger factor is what the bounds ask for.
            change = max(change, factor if near != allowed else min(factor, max_change))
            if near != allowed:
                clamped["max_change"].append(f"{key} {allowed:,} to {near:,}")
                clauses.setdefault("max_change", "proposal.max_change")
                allowed = near
        applied[key] = allowed
    result = Numbers(applied["trials"], applied["seed_count"])
    frozen = [key for key in limits.frozen if key in requested]
    newest, since = _since_change(found)
    spent = spent_within_a_day(state, at_us)
    asked = result.trials * result.seed_count
    clauses |= {
        "no_rationale": "proposal.rationale",
        "no_number": "proposal.numbers",
        "frozen_key": "proposal.frozen",
        "cooldown": "proposal.cooldown_runs",
        "daily_budget": "proposal.daily_budget",
    }
    fact = Fact(
        kind="proposal",
        subject=subject_of(found.last) if found.last is not None else "fleet",
        features={
            "rationale_characters": len(str(proposal.get("rationale") or "").strip()),
            "requested": len(requested),
            "malformed": len(malformed),
            "frozen": len(frozen),
            "out_of_bounds": len(clamped["out_of_bounds"]),
            "change_factor": comparable(change, limits.max_change),
            "changes": result != newest,
            **known(
                runs_since_change=since,
                # No budget is no limit: then there is nothing to compare with it.
                day_trial_seeds=spent + asked if limits.daily_budget else None,
            ),
        },
        show={
            "malformed": humanize.listed(malformed) or "neither trials nor seed_count",
            "frozen": humanize.listed(frozen),
            "runs_since": since or 0,
            "cooldown_runs": limits.cooldown_runs,
            "spent": f"{spent:,}",
            "asked": f"{asked:,}",
            "daily_budget": f"{limits.daily_budget:,}",
            "max_change": humanize.number(limits.max_change),
            "beyond": humanize.listed(clamped["out_of_bounds"]),
            "limited": humanize.listed(clamped["max_change"]),
        },
        evidence=tuple(
            each
            for each in (proposal.get("event"), counted.event if counted is not None else None)
            if each
        ),
    )
    return Judged(requested=requested, applied=result, fact=fact, clauses=clauses)


def last_numbers(policy: Policy, found: History) -> Numbers:
    """What changes are measured against: the last run that speaks, else the defaults."""
    counted = found.last.counted if found.last is not None else None
    if counted is None:
        return Numbers(policy.tuning.default_trials, policy.tuning.default_seed_count)
    return Numbers(counted.trials, counted.seed_count)


def within_reach(policy: Policy, last: Numbers, key: str) -> tuple[int, int]:
    """The least and the most that bounds and the largest change allow; the bounds win."""
    limits = policy.proposal
    low, high = getattr(limits, f"min_{key}"), getattr(limits, f"max_{key}")
    value = getattr(last, key)
    if value <= 0:
        return low, high
    factor = Fraction(repr(limits.max_change))
    least, most = math.ceil(value / factor), math.floor(value * factor)
    return max(low, min(high, least)), max(low, min(high, most))


def _factor(value: int, last: int) -> Fraction:
    """By which factor a value differs from the last one, up or down; 1 where there is none."""
    if value <= 0 or last <= 0:
        return Fraction(1)
    return max(Fraction(value, last), Fraction(last, value))


def _since_change(found: History) -> tuple[Numbers | None, int | None]:
    """The newest run's numbers, and how many runs passed with them; None if they never changed.

    A run that is going on has its numbers, and has not passed.
    """
    newest: Numbers | None = None
    passed = 0
    runs = [*((run, 0) for run in found.going), *((run, 1) for run in found.ended)]
    for run, passes in runs:
        numbers = numbers_of(run)
        if numbers is None:
            continue
        if newest is not None and numbers != newest:
            return newest, passed
        newest = numbers
        passed += passes
    return newest, None


def spent_within_a_day(state: State, at_us: int) -> int:
    """Trials x seeds of the runs started (or, where no start is known, counted) within a day."""
    spent = 0
    for run in state.runs.values():
        counted = run.counted
        moment = run.started_us
        if moment is None and counted is not None:
            moment = counted.time_us
        if moment is None or not at_us - _DAY_US < moment <= at_us:
            continue
        trials, seeds = run.trials, run.seed_count
        if counted is not None:
            trials = counted.trials if trials is None else trials
            seeds = counted.seed_count if seeds is None else seeds
        spent += (trials or 0) * (seeds or 0)
    return spent
