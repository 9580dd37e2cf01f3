"""Will it fit? Trials times the median time of comparable trials, against a timeout."""

from __future__ import annotations

import statistics

from rules import words
from rules.policy import Policy
from rules.ruleset import Fact, Margin
from rules.state import State


def median_trial_s(state: State, seed_count: int | None) -> float | None:
    """Median duration in seconds of finished trials with this many seeds; None without any."""
    times = state.trial_times.get(str(seed_count)) if seed_count is not None else None
    return statistics.median(times) if times else None


def budget_fact(
    kind: str,
    state: State,
    policy: Policy,
    step: str,
    timeout_s: float | None,
    trials: int | None,
    seed_count: int | None,
) -> list[Fact]:
    """A fact where there are trials to count and a timeout to count against."""
    if trials is None or timeout_s is None:
        return []
    median = median_trial_s(state, seed_count)
    budget = policy.preflight.time_budget_share * timeout_s
    need = 0.0 if median is None else trials * median
    # At least a microsecond: trials of no measurable length always fit.
    fits = trials if median is None else int(budget // max(median, 1e-6))
    return [
        Fact(
            kind=kind,
            subject=f"step/{step}",
            features={"comparable": median is not None, "over": need > budget},
            show={
                "step": step,
                "trials": f"{trials:,}",
                "seed_count": "an unstated number of" if seed_count is None else f"{seed_count:,}",
                "median_s": words.number(median or 0.0),
                "need_s": words.number(need),
                "budget_s": words.number(budget),
                "fits": fits,
            },
            evidence=() if median is None else tuple(state.trial_events[str(seed_count)]),
            margins=() if median is None else (_margin(need, budget),),
        )
    ]


def _margin(need_s: float, budget_s: float) -> Margin:
    return Margin(
        rule="over_time_budget",
        what="seconds needed",
        value=need_s,
        limit=budget_s,
        operator=">",
        key="preflight.time_budget_share",
    )
