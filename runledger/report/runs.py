"""Trials and survivors over runs, each with the decision that led to it.

Runs are those that the fold knows at the end of the period, so that a count
that came later, or for another run, is taken as every decision takes it. A run
that ended without a count has an unknown yield, never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ledger.payloads import DecisionPayload
from ledger.times import SECOND_US
from rules.kinds import PARAMETERS, PREFLIGHT
from rules.state import Run, State
from runledger.report.collect import Collected
from runledger.report.decision_entries import Made
from runledger.report.phrases import compact
from runledger.report.selection import Selection
from runledger.report.timeline import run_times

_HOUR_US = 3_600 * SECOND_US
_MINUTE_US = 60 * SECOND_US
_BEFORE = 4
"""Runs shown from before the period, for comparison, where it holds few."""

_CHARTED = 48


class Led(NamedTuple):
    """A decision that a run followed or did not; ``number`` links to it on the page."""

    text: str
    verdict: str
    time_us: int
    number: int | None
    followed: bool | None = None


@dataclass(slots=True)
class RunRow:
    """One run as the report tells it."""

    run: Run
    time_us: int
    end_us: int | None
    before: bool
    trials: int | None
    seed_count: int | None
    completed: int | None
    survivors: int | None
    partial: str
    lost: str
    pruned: int
    parameters: Led | None
    preflight: Led | None


def run_rows(selection: Selection, state: State, collected: Collected) -> list[RunRow]:
    """The runs of a report in the order of their start."""
    known = sorted(
        (
            (time_us, end_us, run)
            for run in state.runs.values()
            for time_us, end_us in [_times(run)]
        ),
        key=lambda each: (each[0], each[2].id),
    )
    within: list[RunRow] = []
    before: list[RunRow] = []
    for time_us, end_us, run in known:
        ended_in = end_us is not None and end_us >= selection.since_us
        started_in = time_us >= selection.since_us
        running = end_us is None and run.outcome is None and started_in
        inside = (started_in or ended_in or running) and _chosen(selection, run)
        if inside:
            within.append(_row(run, time_us, end_us, False, collected))
        elif time_us < selection.since_us and _comparable(selection, run):
            before.append(_row(run, time_us, end_us, True, collected))
    return [*(before[-_BEFORE:] if len(within) < 2 * _BEFORE else []), *within]


def _times(run: Run) -> tuple[int, int | None]:
    start, end = run_times(run)
    return start or 0, end


def _chosen(selection: Selection, run: Run) -> bool:
    if selection.kind == "run":
        return run.id == selection.run
    if selection.nodes is None or run.nodes is None:
        return True
    return any(node in selection.nodes for node in run.nodes)


def _comparable(selection: Selection, run: Run) -> bool:
    if selection.kind == "node" and not _chosen(selection, run):
        return False
    return selection.study is None or _study(run) == selection.study


def _study(run: Run) -> str | None:
    return run.study or (run.counted.study if run.counted is not None else None)


def _row(run: Run, time_us: int, end_us: int | None, before: bool, collected: Collected) -> RunRow:
    counted = run.counted
    trials: Mapping[str, int] = collected.trials.get(run.id, {})
    asked = run.trials if run.trials is not None else counted.trials if counted else None
    seeds = (
        run.seed_count if run.seed_count is not None else counted.seed_count if counted else None
    )
    return RunRow(
        run=run,
        time_us=time_us,
        end_us=end_us,
        before=before,
        trials=asked,
        seed_count=seeds,
        completed=counted.completed_trials if counted else trials.get("COMPLETE"),
        survivors=counted.survivors if counted else None,
        partial=counted.partial if counted else "",
        lost=", ".join(loss.node for loss in run.losses),
        pruned=trials.get("PRUNED", 0),
        parameters=_sized_by(run, time_us, asked, seeds, collected.decisions.made[PARAMETERS.name]),
        preflight=_allowed_by(run, time_us, collected.decisions.made[PREFLIGHT.name]),
    )


def _sized_by(
    run: Run, time_us: int, trials: int | None, seeds: int | None, made: Iterable[Made]
) -> Led | None:
    """The newest decision on parameters before the run, on its study or on any."""
    newest = None
    for each in made:
        if each.time_us <= time_us and each.decision.question.get("study") in (None, _study(run)):
            newest = each
    if newest is None:
        return None
    outcome = newest.decision.outcome
    numbers = outcome.get("trials"), outcome.get("seed_count")
    rule = outcome.get("clause") if "proposal" in newest.decision.question else outcome.get("rule")
    followed = None if trials is None and seeds is None else (trials, seeds) == numbers
    shown = " × ".join("–" if each is None else f"{each:,}" for each in numbers)
    return Led(
        f"{shown} ({rule})", newest.decision.verdict, newest.time_us, newest.number, followed
    )


def _allowed_by(run: Run, time_us: int, made: Iterable[Made]) -> Led | None:
    """The preflight of the run, else one without a run in the hour before it."""
    named = unnamed = None
    for each in made:
        asked = each.decision.question.get("run")
        if each.time_us > time_us + _MINUTE_US:
            continue
        if asked == run.id:
            named = each
        elif asked is None and each.time_us >= time_us - _HOUR_US:
            unnamed = each
    found = named or unnamed
    if found is None:
        return None
    return Led(_step(found.decision), found.decision.verdict, found.time_us, found.number)


def _step(decision: DecisionPayload) -> str:
    return f"step {decision.question.get('step', '?')}"


# -- the chart -----------------------------------------------------------------


class RunBars(NamedTuple):
    """One run in the chart; heights and places in the drawing's units."""

    row: RunRow
    x: float
    asked_h: float
    done_h: float
    found_h: float
    trials_label: str
    found_label: str
    size_label: str


class RunChart(NamedTuple):
    """Bars of trials above bars of survivors, run by run."""

    bars: list[RunBars]
    width: float
    slot: float
    trials_top: int
    survivors_top: int
    left_out: int


TRIALS_H = 92.0
FOUND_H = 112.0
CHART_LEFT = 64.0


def chart(rows: list[RunRow]) -> RunChart | None:
    """The chart of some runs; None where there is nothing to draw."""
    shown = [row for row in rows if row.trials is not None or row.survivors is not None]
    shown = shown[-_CHARTED:]
    if not shown:
        return None
    slot = min(110.0, max(54.0, 920.0 / len(shown)))
    trials_top = max(max(row.trials or 0, row.completed or 0) for row in shown) or 1
    survivors_top = max((row.survivors or 0 for row in shown), default=0) or 1
    bars = []
    for at, row in enumerate(shown):
        done = row.completed
        bars.append(
            RunBars(
                row=row,
                x=round(CHART_LEFT + at * slot + slot / 2, 1),
                asked_h=round((row.trials or 0) / trials_top * TRIALS_H, 1),
                done_h=round((done or 0) / trials_top * TRIALS_H, 1),
                found_h=round((row.survivors or 0) / survivors_top * FOUND_H, 1),
                trials_label=f"{_amount(done)}/{_amount(row.trials)}",
                found_label=_amount(row.survivors),
                size_label="" if row.seed_count is None else compact(row.seed_count),
            )
        )
    width = CHART_LEFT + slot * len(shown) + 8.0
    return RunChart(bars, width, slot, trials_top, survivors_top, len(rows) - len(shown))


def _amount(number: int | None) -> str:
    return "?" if number is None else compact(number)
