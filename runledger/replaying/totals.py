"""What decisions amount to, in the fleet's own units: steps, GPU-hours, trials and seeds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ledger.payloads import DecisionPayload
from ledger.times import parse_time
from rules.ladder import SITS_OUT
from runledger.deciding.decisions import MAY_START

_HOUR_US = 3_600_000_000
_STANDS_FOR_US = 24 * _HOUR_US
"""An exclusion decision speaks until the next one, but for a day at most."""


class Totals:
    """Adds up pairs of decisions, before and after a change, in whatever order they come."""

    def __init__(self) -> None:
        self._steps = {"blocked": 0, "freed": 0}
        self._runs = {"before": _Asked(), "after": _Asked()}
        self._out: list[tuple[int, int, int]] = []

    def add(self, before: DecisionPayload, after: DecisionPayload) -> None:
        """Count one decision."""
        if before.kind == "preflight":
            started, starts = before.verdict in MAY_START, after.verdict in MAY_START
            self._steps["blocked"] += started and not starts
            self._steps["freed"] += starts and not started
        elif before.kind == "parameters":
            self._runs["before"].add(before)
            self._runs["after"].add(after)
        else:
            self._out.append((parse_time(before.as_of.time), _out(before), _out(after)))

    def _gpu_hours_out(self) -> dict[str, float]:
        in_order = sorted(self._out, key=lambda each: each[0])
        hours = {"before": 0.0, "after": 0.0}
        for (since_us, before, after), (until_us, *_) in pairwise(in_order):
            stood_h = min(until_us - since_us, _STANDS_FOR_US) / _HOUR_US
            hours["before"] += stood_h * before
            hours["after"] += stood_h * after
        return {arm: round(each, 1) for arm, each in hours.items()}

    def result(self) -> dict[str, Any]:
        """Steps blocked and freed; GPU-hours sat out, trials and seeds before and after."""
        return {
            "steps": dict(self._steps),
            "gpu_hours_out": self._gpu_hours_out(),
            "trials": {arm: asked.trials for arm, asked in self._runs.items()},
            "seeds": {arm: asked.seeds for arm, asked in self._runs.items()},
        }


class _Asked:
    def __init__(self) -> None:
        self.trials = self.seeds = 0

    def add(self, decision: DecisionPayload) -> None:
        """Count what a decision asks for: nothing, where a proposal does not pass."""
        outcome = decision.outcome
        if outcome.get("applied", outcome) is None:
            return
        self.trials += outcome["trials"]
        self.seeds += outcome["trials"] * outcome["seed_count"]


def _out(decision: DecisionPayload) -> int:
    return sum(gpu["state"] in SITS_OUT for gpu in decision.outcome["gpus"])
