"""Facts about runs: the last one that counts, those that do not, and the numbers that follow."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import msgspec

from ledger.text import humanize
from ledger.times import SECOND_US
from rules.fleet import Fleet
from rules.folds.runs import scope_text
from rules.policy import Policy
from rules.ruleset import Fact, known
from rules.state import Counted, Run, State

_FAMILY = r"(?:-[0-9a-f]{12})?"
"""What our collectors append to a study's name when its space changes."""
_UNCOUNTED_NAMED = 3
_NO_FLEET = Fleet()


class History(msgspec.Struct, kw_only=True):
    """The runs of a study and scope: the last that speaks, newer ones that do not.

    Of the newer ones, ``partial`` were counted in part, ``uncounted`` not at all
    though they could have been. ``going`` are runs that have not ended, ``ended``
    the others; newest first.
    """

    last: Run | None = None
    partial: list[Run] = []
    uncounted: list[Run] = []
    going: list[Run] = []
    ended: list[Run] = []


def history(
    state: State,
    study: str | None,
    scope: dict[str, str],
    at_us: int,
    fleet: Fleet = _NO_FLEET,
) -> History:
    """Runs of this study (and its family) and scope; keys not asked for do not filter.

    ``fleet`` tells which names of a step are one.
    """
    found = History(
        going=_going_runs(state, study, scope, at_us), ended=ended_runs(state, study, scope, at_us)
    )
    for run in found.ended:
        if run.counted is None:
            found.uncounted += [run] if could_have_counted(run, state, fleet) else []
        elif run.counted.partial:
            found.partial.append(run)
        else:
            found.last = run
            break
    return found


def could_have_counted(run: Run, state: State, fleet: Fleet = _NO_FLEET) -> bool:
    """Whether a run came as far as where survivors are counted, as far as steps tell.

    One that was stopped before its step began has nothing to count.
    """
    if not run.steps:
        return not run.stopped
    ran = {fleet.step_name(name) for name, step in run.steps.items() if step.ran}
    counting = {fleet.step_name(name) for name in state.counted_steps}
    return bool(ran & counting) if counting else bool(ran)


def ended_runs(state: State, study: str | None, scope: dict[str, str], at_us: int) -> list[Run]:
    """Runs of this study and scope that ended or were counted, newest first."""
    ended = [
        (order, run)
        for run in state.runs.values()
        if _belongs(run, study, scope) and (order := _order(run, at_us)) is not None
    ]
    return [run for _, run in sorted(ended, key=lambda each: each[0], reverse=True)]


def _going_runs(state: State, study: str | None, scope: dict[str, str], at_us: int) -> list[Run]:
    going = [
        (run.started_us, run)
        for run in state.runs.values()
        if run.started_us is not None and _order(run, at_us) is None and _belongs(run, study, scope)
    ]
    return [run for _, run in sorted(going, key=lambda each: each[0], reverse=True)]


def _order(run: Run, at_us: int) -> tuple[int, int] | None:
    """When a run's outcome was known, or known to be unknown; None while it goes on.

    Whoever is killed says no more: such a run ended when its own timeout was over.
    """
    if run.counted is not None:
        return run.counted.when
    if run.finished_us is not None:
        return run.finished_us, run.finished_sequence
    if run.started_us is not None and run.timeout_s is not None:
        over_us = run.started_us + round(Fraction(run.timeout_s) * SECOND_US)
        return (over_us, 0) if over_us <= at_us else None
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
    if study is not None and not of_family(study_of(run), study):
        return False
    if not scope:
        return True
    own = scope_of(run)
    return own is not None and all(
        key in own and scope_text(own[key]) == text for key, text in scope.items()
    )


def of_family(name: str | None, study: str) -> bool:
    """Whether a study is the one of this name, or one that follows it in another space."""
    return name is not None and re.fullmatch(re.escape(study) + _FAMILY, name) is not None


def last_run_fact(found: History) -> Fact:
    """What the last run says."""
    run = found.last
    counted = run.counted if run is not None else None
    if run is None or counted is None:
        return Fact(kind="last_run", subject="fleet", features={}, show={"run": ""})
    return Fact(
        kind="last_run",
        subject=subject_of(run),
        features={
            "survivors": counted.survivors,
            "completed_trials": counted.completed_trials,
        },
        show={
            "run": run_label(run),
            "survivors": f"{counted.survivors:,}",
            "completed": f"{counted.completed_trials:,}",
            "seed_count": f"{counted.seed_count:,}",
        },
        evidence=(counted.event,),
    )


def note_facts(found: History, study: str | None) -> list[Fact]:
    """Runs that do not speak, and the last that does where nodes of it were lost meanwhile."""
    last = found.last
    runs = [*found.partial, last] if last is not None and last.losses else found.partial
    facts = [_note(run, run.counted) for run in runs if run.counted is not None]
    return [*_uncounted(found.uncounted, study), *facts]


def _uncounted(runs: list[Run], study: str | None) -> list[Fact]:
    """The runs that ended and were not counted, as one fact that names the newest."""
    if not runs:
        return []
    newest = runs[:_UNCOUNTED_NAMED]
    named = [f"{run_label(run)} ({_how_it_ended(run)})" for run in newest]
    several = f"study/{study}" if study else "fleet"
    return [
        Fact(
            kind="uncounted",
            subject=subject_of(runs[0]) if len(runs) == 1 else several,
            features={"runs": len(runs)},
            show={
                "run": run_label(runs[0]),
                "outcome": _how_it_ended(runs[0]),
                "runs": f"{len(runs):,}",
                "newest": humanize.listed(named),
            },
            evidence=tuple(
                ended for run in newest if (ended := run.finished_event or run.started_event)
            ),
        )
    ]


def _how_it_ended(run: Run) -> str:
    outcome = run.outcome or f"its timeout of {humanize.number(run.timeout_s or 0)} s is over"
    return f"{outcome}: {run.reason}" if run.reason else outcome


def _note(run: Run, counted: Counted) -> Fact:
    lost = () if counted.partial else (loss.event for loss in run.losses)
    return Fact(
        kind="note",
        subject=subject_of(run),
        features=known(
            uncounted_share=counted.uncounted,
            survivors=counted.survivors,
            lost_nodes=len(run.losses),
        ),
        show={
            "run": run_label(run),
            "partial": counted.partial,
            "lost": humanize.listed([loss.node for loss in run.losses]),
        },
        evidence=(counted.event, *lost),
    )


def subject_of(run: Run) -> str:
    """What findings about a run are about: the run, else its study, else the fleet."""
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


def numbers_of(run: Run) -> Numbers | None:
    """What a run was asked for, as far as it says both."""
    counted = run.counted
    if counted is not None:
        return Numbers(counted.trials, counted.seed_count)
    if run.trials is None or run.seed_count is None:
        return None
    return Numbers(run.trials, run.seed_count)


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
