"""Facts about runs: the last one that counts, those that do not, and a proposal."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec

from ledger.times import SECOND_US
from rules import words
from rules.folds.runs import scope_text
from rules.policy import Policy
from rules.proposal import whole_number
from rules.ruleset import Fact
from rules.state import Counted, Run, State

_DAY_US = 86_400 * SECOND_US


class History(msgspec.Struct, kw_only=True):
    """The runs of a study and scope: the last that speaks, newer ones that do not.

    ``counted`` are all counted runs, newest first.
    """

    last: Run | None = None
    silent: list[tuple[str, Run]] = []
    counted: list[Run] = []


def history(state: State, study: str | None, scope: dict[str, str]) -> History:
    """Runs of this study and scope; keys not asked for do not filter."""
    found = History()
    ended = [
        (order, run)
        for run in state.runs.values()
        if _belongs(run, study, scope) and (order := _order(run)) is not None
    ]
    for _, run in sorted(ended, key=lambda each: each[0], reverse=True):
        if run.counted is not None:
            found.counted.append(run)
        if found.last is not None:
            continue
        if run.counted is None:
            found.silent.append(("unknown_outcome", run))
        elif run.counted.partial:
            found.silent.append(("partial_run", run))
        else:
            found.last = run
    return found


def _order(run: Run) -> tuple[int, int] | None:
    """When a run's outcome was known, or known to be unknown; None while it goes on."""
    if run.counted is not None:
        return run.counted.time_us, run.counted.sequence
    if run.finished_us is not None:
        return run.finished_us, run.finished_sequence
    return None


def study_of(run: Run) -> str | None:
    """The study a run belongs to: what its count says, else its start."""
    counted = run.counted
    return counted.study if counted is not None and counted.study is not None else run.study


def scope_of(run: Run) -> dict[str, Any] | None:
    """The scope of a run: what its count says, else its start."""
    counted = run.counted
    return counted.scope if counted is not None and counted.scope is not None else run.scope


def _belongs(run: Run, study: str | None, scope: dict[str, str]) -> bool:
    if study is not None and study_of(run) != study:
        return False
    if not scope:
        return True
    own = scope_of(run)
    return own is not None and all(
        key in own and scope_text(own[key]) == text for key, text in scope.items()
    )


def last_run_fact(found: History) -> Fact:
    """What the last run says."""
    run = found.last
    counted = run.counted if run is not None else None
    if run is None or counted is None:
        return Fact(kind="last_run", subject="fleet", features={"has_run": False}, show={"run": ""})
    return Fact(
        kind="last_run",
        subject=_subject(run),
        features={
            "has_run": True,
            "survivors": counted.survivors,
            "completed": counted.completed_trials,
        },
        show={
            "run": run_label(run),
            "survivors": f"{counted.survivors:,}",
            "completed": f"{counted.completed_trials:,}",
            "seed_count": f"{counted.seed_count:,}",
        },
        evidence=(counted.event,),
    )


def note_facts(found: History) -> list[Fact]:
    """Runs that do not speak, and a zero that a lost node may have caused."""
    facts = [_note(name, run, ()) for name, run in found.silent]
    last = found.last
    if last is not None and last.counted is not None and last.lost and not last.counted.survivors:
        facts.append(_note("confounded", last, tuple(loss.event for loss in last.lost)))
    return facts


def _note(name: str, run: Run, evidence: tuple[str, ...]) -> Fact:
    counted = run.counted
    own = [counted.event] if counted is not None else []
    own += [run.finished_event] if counted is None and run.finished_event else []
    outcome = run.outcome or "without a word"
    return Fact(
        kind="note",
        subject=_subject(run),
        features={"note": name},
        show={
            "run": run_label(run),
            "outcome": f"{outcome}: {run.reason}" if run.reason else outcome,
            "partial": counted.partial if counted is not None else "",
            "lost": words.listed([loss.node for loss in run.lost]),
        },
        evidence=(*own, *evidence),
    )


def _subject(run: Run) -> str:
    if not run.id.startswith("event "):
        return f"run/{run.id}"
    study = run.counted.study if run.counted is not None else None
    return f"study/{study}" if study else "fleet"


def run_label(run: Run) -> str:
    """How messages call a run."""
    return "the last run" if run.id.startswith("event ") else f"run {run.id}"


class Numbers(msgspec.Struct, frozen=True):
    """Trials and seeds of a run."""

    trials: int
    seed_count: int


def numbers_for(effect: dict[str, str], policy: Policy, counted: Counted | None) -> Numbers:
    """The numbers a rule asks for."""
    tuning = policy.tuning
    if effect["seed_count"] == "grown" and counted is not None:
        seeds = min(grown(counted.seed_count, policy), tuning.max_seed_count)
    else:
        seeds = getattr(tuning, effect["seed_count"])
    return Numbers(getattr(tuning, effect["trials"]), seeds)


def grown(seed_count: int, policy: Policy) -> int:
    """Seeds times the growth, as a person would compute it: 100,000 x 1.15 is 115,000."""
    return math.floor(seed_count * Fraction(repr(policy.tuning.seed_growth)))


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
    limits = policy.proposal
    counted = found.last.counted if found.last is not None else None
    last = (
        Numbers(policy.tuning.default_trials, policy.tuning.default_seed_count)
        if counted is None
        else Numbers(counted.trials, counted.seed_count)
    )
    requested: dict[str, Any] = {}
    malformed: list[str] = []
    clamped: dict[str, list[str]] = {"out_of_bounds": [], "max_change": []}
    clauses: dict[str, str] = {}
    applied: dict[str, int] = {}
    for key in ("trials", "seed_count"):
        raw = proposal.get(key)
        applied[key] = getattr(next_, key)
        if raw is None:
            continue
        number = whole_number(raw)
        if number is None:
            requested[key] = raw
            malformed.append(f"{key}: {str(raw)[:60]!r}")
            continue
        requested[key] = number
        low, high = getattr(limits, f"min_{key}"), getattr(limits, f"max_{key}")
        allowed = max(low, min(high, number))
        if allowed != number:
            bound = "min" if number < low else "max"
            clamped["out_of_bounds"].append(f"{key} {number:,} to {allowed:,}")
            clauses.setdefault("out_of_bounds", f"proposal.{bound}_{key}")
        # What `next` says is always within reach, also of a number that was brought to it.
        if getattr(next_, key) not in (number, allowed):
            near = _within_change(allowed, getattr(last, key), limits.max_change)
            near = max(low, min(high, near))
            if near != allowed:
                clamped["max_change"].append(f"{key} {allowed:,} to {near:,}")
                clauses.setdefault("max_change", "proposal.max_change")
                allowed = near
        applied[key] = allowed
    result = Numbers(applied["trials"], applied["seed_count"])
    frozen = [key for key in limits.frozen if key in requested]
    since = _runs_since_change(found.counted)
    changes = result != last
    spent = _spent(state, at_us)
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
        subject=_subject(found.last) if found.last is not None else "fleet",
        features={
            "rationale_empty": not str(proposal.get("rationale") or "").strip(),
            "no_number": bool(malformed) or not requested,
            "frozen": bool(frozen),
            "cooling": bool(limits.cooldown_runs)
            and changes
            and since is not None
            and since < limits.cooldown_runs,
            "over_budget": bool(limits.daily_budget) and spent + asked > limits.daily_budget,
            "out_of_bounds": bool(clamped["out_of_bounds"]),
            "too_far": bool(clamped["max_change"]),
        },
        show={
            "malformed": words.listed(malformed) or "neither trials nor seed_count",
            "frozen": words.listed(frozen),
            "runs_since": since or 0,
            "cooldown_runs": limits.cooldown_runs,
            "spent": f"{spent:,}",
            "asked": f"{asked:,}",
            "daily_budget": f"{limits.daily_budget:,}",
            "max_change": words.number(limits.max_change),
            "clamped": words.listed(clamped["out_of_bounds"] or clamped["max_change"]),
        },
        evidence=tuple(
            each
            for each in (proposal.get("event"), counted.event if counted is not None else None)
            if each
        ),
    )
    return Judged(requested=requested, applied=result, fact=fact, clauses=clauses)


def _within_change(value: int, last: int, factor: float) -> int:
    if last <= 0:
        return value
    exact = Fraction(repr(factor))
    return max(math.ceil(last / exact), min(math.floor(last * exact), value))


def _runs_since_change(counted: list[Run]) -> int | None:
    """How many runs (newest first) have the newest run's parameters; None if they never changed."""
    asked = [(run.counted.trials, run.counted.seed_count) for run in counted if run.counted]
    for position, numbers in enumerate(asked):
        if numbers != asked[0]:
            return position
    return None


def _spent(state: State, at_us: int) -> int:
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
