"""What decisions amount to, in the fleet's own units: steps, GPU-hours, trials and seeds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ledger.payloads import DecisionPayload
from ledger.times import parse_time
from rules.kinds import KINDS

_HOUR_US = 3_600_000_000
STANDS_FOR_US = 24 * _HOUR_US
"""An exclusion decision speaks until the next one, but for a day at most."""


class Totals:
    """Adds up pairs of decisions, before and after a change, in whatever order they come."""

    def __init__(self) -> None:
        self._steps = {"blocked": 0, "freed": 0}
        self._trials = {"before": 0, "after": 0}
        self._seeds = {"before": 0, "after": 0}
        self._out: list[tuple[int, int, int]] = []

    def add(self, before: DecisionPayload, after: DecisionPayload) -> None:
        """Count one decision."""
        kind = KINDS[before.kind]
        old, new = kind.stakes(before), kind.stakes(after)
        self._steps["blocked"] += bool(old.starts and not new.starts)
        self._steps["freed"] += bool(new.starts and not old.starts)
        for arm, stakes in (("before", old), ("after", new)):
            self._trials[arm] += stakes.trials
            self._seeds[arm] += stakes.seeds
        if old.cards_out is not None and new.cards_out is not None:
            self._out.append((parse_time(before.as_of.time), old.cards_out, new.cards_out))

    def _gpu_hours_out(self) -> dict[str, float]:
        in_order = sorted(self._out, key=lambda each: each[0])
        hours = {"before": 0.0, "after": 0.0}
        for (since_us, before, after), (until_us, *_) in pairwise(in_order):
            stood_h = min(until_us - since_us, STANDS_FOR_US) / _HOUR_US
            hours["before"] += stood_h * before
            hours["after"] += stood_h * after
        return {arm: round(each, 1) for arm, each in hours.items()}

    def result(self) -> dict[str, Any]:
        """Steps blocked and freed; GPU-hours sat out, trials and seeds before and after."""
        return {
            "steps": dict(self._steps),
            "gpu_hours_out": self._gpu_hours_out(),
            "trials": dict(self._trials),
            "seeds": dict(self._seeds),
        }
