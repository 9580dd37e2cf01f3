"""What a map shows of a policy, and what its best is measured by: what it prevents, and costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from runledger.backtest.ranges import Range
from runledger.backtest.scores import Scores


class Measure(NamedTuple):
    """What a panel shows; ``good``: more of it is better."""

    title: str
    unit: str
    of: Callable[[Scores], Range]
    good: bool

    @property
    def heading(self) -> str:
        """The title, with the unit where it does not say it."""
        return self.title if self.unit in self.title.lower() else f"{self.title} ({self.unit})"


def _prevented(scores: Scores) -> Range:
    runs, jobs = scores.preflight.prevented, scores.exclusions.jobs_spared
    return Range(runs.low + jobs.low, runs.high + jobs.high)


def _spared(scores: Scores) -> Range:
    return Range(scores.exclusions.spared, scores.exclusions.spared)


MEASURES = (
    Measure("Failures prevented", "runs and jobs", _prevented, True),
    Measure("Incidents while sitting out", "incidents", _spared, True),
    Measure("Bad hours sat out", "GPU-hours", lambda each: each.exclusions.bad_hours, True),
    Measure("Quiet hours sat out", "GPU-hours", lambda each: each.exclusions.quiet_hours, False),
    Measure("Runs lost", "runs", lambda each: each.preflight.lost, False),
    Measure("Needless blocks", "blocks", lambda each: each.preflight.needless, False),
)
