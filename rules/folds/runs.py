"""Runs: what was asked, how they ended, what was counted; and how long trials take."""

from __future__ import annotations

import re
from typing import Any

from ledger import Event
from ledger.canonical import canonical
from ledger.event_checks import nearest
from ledger.payloads import (
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    SurvivorsCounted,
    TrialCompleted,
)
from rules.folds.context import FoldSettings
from rules.state import Counted, Loss, Run, RunStep, State

_RUNS_KEPT = 400
_STEPS_KEPT = 64
"""Steps remembered of a run, and steps known to count survivors."""

_STOPPED = re.compile(
    r"(?:preflight\W{1,3})?no[_ -]go\b|preflight\W{1,3}unknown\b|unknown\Z", re.IGNORECASE
)
"""How a reason begins that is a preflight's verdict: what it ended never ran."""

_NAMED_TRIALS = 25
"""So many of the newest comparable trials are named as evidence of how long trials take."""


def _run(state: State, id: str) -> Run:
    run = state.runs.get(id)
    if run is None:
        run = state.runs[id] = Run(id=id)
        if len(state.runs) > _RUNS_KEPT:
            _forget(state)
    return run


def _study_of_subject(event: Event) -> str | None:
    kind, _, name = event.subject.partition("/")
    return name if kind == "study" and name else None


def _forget(state: State) -> None:
    """Keep the newest runs, and beyond them the newest that counts of each study and scope."""
    keep: dict[tuple[str, str], str] = {}
    for id, run in state.runs.items():
        counted = run.counted
        if counted is not None:
            of = (counted.study or run.study or "", scope_key(counted.scope or run.scope))
            best = keep.get(of)
            newest = state.runs[best].counted if best is not None else None
            if not counted.partial and (newest is None or counted.time_us >= newest.time_us):
                keep[of] = id
    recent = set(list(state.runs)[-_RUNS_KEPT // 2 :]) | set(keep.values())
    state.runs = {id: run for id, run in state.runs.items() if id in recent}


def scope_text(value: Any) -> str:
    """A scope's value as text: that is how scopes are compared."""
    return value if isinstance(value, str) else canonical(value).decode()


def scope_key(scope: dict[str, Any] | None) -> str:
    """A scope as one text."""
    return "" if scope is None else canonical(scope).decode()


def run_started(state: State, event: Event, data: RunStarted, settings: FoldSettings) -> None:
    """A run began. The newest start of a run speaks, and an earlier try's end is no longer its."""
    if event.run is None:
        return
    run = _run(state, event.run)
    run.study, run.scope = data.study or _study_of_subject(event), data.scope
    run.nodes = None if data.nodes is None else [settings.node(each) for each in data.nodes]
    run.trials, run.seed_count = data.trials, data.seed_count
    run.timeout_s = data.timeout_s
    going = run.started_event is not None and run.finished_us is None
    if not going:
        run.steps = {}
    # A search within a pipeline's run begins it again, and says nothing of what was asked.
    if not going or data.requested is not None:
        run.dropped = _dropped(data)
    run.stopped = False
    run.started_us, run.started_event = event.time_us, event.id
    run.finished_us, run.finished_sequence, run.finished_event = None, 0, None
    run.outcome, run.reason = None, ""


def _dropped(data: RunStarted | StepStarted) -> list[str]:
    """The parameters asked for that did not reach the program, in words.

    What reached it without being asked for is its own affair. Without the effective
    ones, those that the program does not know cannot have reached it.
    """
    effective, accepts = data.effective, data.accepts
    if effective is None:
        if accepts is None:
            return []
        effective = {key: value for key, value in (data.requested or {}).items() if key in accepts}
    found = []
    for key in sorted(data.requested or {}):
        asked, got = _shown(data.requested, key), _shown(effective, key)
        if asked == got:
            continue
        unknown = ""
        if key not in effective and accepts is not None and key not in accepts:
            near = f", it knows {nearest(key, accepts)}" if accepts else ""
            unknown = f" (the program does not know it{near})"
        found.append(f"{key}: asked {asked}, got {got}{unknown}")
    return found


def _shown(parameters: dict[str, Any] | None, key: str) -> str:
    return canonical(parameters[key]).decode() if parameters and key in parameters else "nothing"


def run_finished(state: State, event: Event, data: RunFinished, settings: FoldSettings) -> None:
    """A run ended."""
    if event.run is None:
        return
    run = _run(state, event.run)
    run.finished_us, run.finished_sequence = event.time_us, event.sequence
    run.finished_event = event.id
    run.outcome, run.reason = data.outcome, data.reason or ""
    run.stopped = _was_stopped(data)


def step_started(state: State, event: Event, data: StepStarted, settings: FoldSettings) -> None:
    """A step of a run began; one that says at once that it was aborted did not."""
    step = _step(state, event)
    if step is not None:
        step.ran = data.outcome in (None, "succeeded")
        step.event, step.dropped = event.id, _dropped(data)


def step_finished(state: State, event: Event, data: StepFinished, settings: FoldSettings) -> None:
    """A step of a run ended: it had run, unless a verdict stopped it before."""
    step = _step(state, event)
    if step is not None and (_was_stopped(data) or (data.outcome == "aborted" and not step.event)):
        step.ran = False
    elif step is not None:
        step.ran = True


def _step(state: State, event: Event) -> RunStep | None:
    if event.run is None or event.step is None:
        return None
    steps = _run(state, event.run).steps
    if event.step not in steps and len(steps) < _STEPS_KEPT:
        steps[event.step] = RunStep()
    return steps.get(event.step)


def _was_stopped(data: RunFinished | StepFinished) -> bool:
    return data.outcome == "aborted" and _STOPPED.match(data.reason or "") is not None


def survivors_counted(
    state: State, event: Event, data: SurvivorsCounted, settings: FoldSettings
) -> None:
    """A run's yield was counted; the newest count of a run speaks."""
    uncounted, partial = 0.0, ""
    if data.seeds_covered is not None and data.seeds_covered < data.seed_count:
        uncounted = (data.seed_count - data.seeds_covered) / data.seed_count
        partial = f"{data.seeds_covered:,} of {data.seed_count:,} seeds covered"
    elif (
        data.jobs_ok is not None
        and data.jobs_expected is not None
        and data.jobs_ok < data.jobs_expected
    ):
        uncounted = (data.jobs_expected - data.jobs_ok) / data.jobs_expected
        partial = f"{data.jobs_ok} of {data.jobs_expected} jobs came back"
    counted_steps = state.counted_steps
    if event.step is not None and event.step not in counted_steps:
        state.counted_steps = [*counted_steps, event.step][-_STEPS_KEPT:]
    _run(state, event.run or f"event {event.id}").counted = Counted(
        time_us=event.time_us,
        sequence=event.sequence,
        event=event.id,
        trials=data.trials,
        completed_trials=data.completed_trials,
        seed_count=data.seed_count,
        survivors=data.survivors,
        study=data.study or _study_of_subject(event),
        scope=data.scope,
        uncounted=uncounted,
        partial=partial,
    )


def trial_completed(
    state: State, event: Event, data: TrialCompleted, settings: FoldSettings
) -> None:
    """How long a trial of this many seeds took."""
    if data.state == "COMPLETE" and data.duration_s is not None and data.seed_count is not None:
        times = state.trial_times.setdefault(str(data.seed_count), [])
        times.append(float(data.duration_s))
        if len(times) > settings.trials_kept:
            del times[0]
        named = state.trial_events.setdefault(str(data.seed_count), [])
        named.append(event.id)
        del named[:-_NAMED_TRIALS]


def node_lost(state: State, name: str, lost_us: int, event: str) -> None:
    """A node was lost: every run that was using it then is confounded by it.

    A run that was counted may still be going on: whether it had ended is known later.
    """
    for run in state.runs.values():
        if run.started_us is None or lost_us < run.started_us:
            continue
        if run.finished_us is not None and run.finished_us < lost_us:
            continue
        if run.nodes is not None and name not in run.nodes:
            continue
        known = next((loss for loss in run.lost if loss.node == name), None)
        if known is None:
            run.lost.append(Loss(node=name, event=event, time_us=lost_us))
        elif lost_us < known.time_us:
            known.event, known.time_us = event, lost_us
