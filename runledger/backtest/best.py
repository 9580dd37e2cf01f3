"""What would have been best, with how far that can be known.

Four things count: failures prevented (of runs and jobs), quiet GPU-hours that cards sat out,
runs that were lost, and needless blocks. They have no common price here: a policy beats another
where it is no worse in any and better in one, both when all that nobody knows is read in favour
of deciding strictly and when it is read against that. What history has too little of, no range
tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from runledger.backtest.scores import Best, Scores

_Worth = tuple[float, ...]
"""Failures prevented, and what it cost, negative: more of each is better."""


def best_of(policies: Sequence[Scores]) -> Best:
    """The policies that none of the others beats."""
    worths = [(_worth(each, strict=True), _worth(each, strict=False)) for each in policies]
    unbeaten = [mine for mine in worths if not any(_beats(other, mine) for other in worths)]
    left = [each.policy for each, mine in zip(policies, worths, strict=True) if mine in unbeaten]
    beaten = [mine for mine in worths if mine not in unbeaten]
    one = len(left) == 1 and all(_beats(unbeaten[0], mine) for mine in beaten)
    first = policies[0]
    failed = first.preflight.knowable + first.preflight.unforeseeable + first.exclusions.failed_jobs
    return Best(policies=tuple(left) if failed else (), sure=one and failed > 0, rests_on=failed)


def _worth(scores: Scores, *, strict: bool) -> _Worth:
    """``strict``: unknown hours were bad, and what may have been prevented was."""
    preflight, exclusions = scores.preflight, scores.exclusions
    good = (preflight.prevented, exclusions.jobs_spared)
    costs = (exclusions.quiet_hours, preflight.lost, preflight.needless)
    prevented = sum(each.high if strict else each.low for each in good)
    return prevented, *(-(each.low if strict else each.high) for each in costs)


def _beats(one: tuple[_Worth, ...], other: tuple[_Worth, ...]) -> bool:
    pairs = [pair for a, b in zip(one, other, strict=True) for pair in zip(a, b, strict=True)]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
