"""Will it fit? Trials times the median time of comparable trials, against a timeout.

Reckoned exactly in the decimals that people wrote: 2,000 trials of 3.6 s fill
7,200 s, and do not miss them by the last bit of a float.
"""

from __future__ import annotations

import statistics
from fractions import Fraction

from ledger.text import humanize
from rules.policy import Policy
from rules.ruleset import Fact, comparable, known
from rules.state import State

_SHORTEST_S = Fraction(1, 1_000_000)
"""Trials of no measurable length always fit."""


def median_trial_s(state: State, seed_count: int | None) -> Fraction | None:
    """Median duration in seconds of finished trials with this many seeds; None without any."""
    times = state.trial_times.get(str(seed_count)) if seed_count is not None else None
    if not times:
        return None
    return (_exact(statistics.median_low(times)) + _exact(statistics.median_high(times))) / 2


def time_budget_s(policy: Policy, timeout_s: float) -> Fraction:
    """The seconds that trials may use of a timeout."""
    return _exact(policy.preflight.time_budget_share) * _exact(timeout_s)


def trials_that_fit(median_s: Fraction, budget_s: Fraction) -> int:
    """How many trials of this length a budget holds."""
    return int(budget_s // max(median_s, _SHORTEST_S))


def _exact(number: float) -> Fraction:
    return Fraction(str(number))


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
    median_s = median_trial_s(state, seed_count)
    budget_s = time_budget_s(policy, timeout_s)
    need_s = Fraction(0) if median_s is None else trials * median_s
    fits = trials if median_s is None else trials_that_fit(median_s, budget_s)
    features = known(
        trials=trials,
        seed_count=seed_count,
        comparable_trials=len(state.trial_times.get(str(seed_count), ())),
        timeout_s=timeout_s,
    )
    if median_s is not None:
        features |= {
            "median_s": float(median_s),
            "need_s": float(need_s),
            "used_share": comparable(
                need_s / _exact(timeout_s), policy.preflight.time_budget_share
            ),
            "fits": fits,
        }
    return [
        Fact(
            kind=kind,
            subject=f"step/{step}",
            features=features,
            show={
                "step": step,
                "trials": f"{trials:,}",
                "unknown": "the number of seeds was not given"
                if seed_count is None
                else f"no finished trial had {seed_count:,} seeds",
                "tell": "give --seed-count" if seed_count is None else "nothing to do",
                "median_s": humanize.number(float(median_s or 0)),
                "need_s": humanize.number(float(need_s)),
                "budget_s": humanize.number(float(budget_s)),
                "fits": f"{fits:,}",
                "fewer": f"at most {fits:,} trials, or for fewer seeds" if fits else "fewer seeds",
            },
            evidence=() if median_s is None else tuple(state.trial_events[str(seed_count)]),
        )
    ]
