"""Unlucky or dead? What a search that found nothing says about its chances.

The model is a spike and a slab. With some probability nothing in the space can
yield a survivor at all: the data, the rig or the bounds are dead (the spike).
Otherwise each trial finds some with an unknown chance, Beta(alpha, beta) before
the first trial (the slab). Trials are taken as exchangeable; a sampler that
learns only from successes has learnt nothing yet when there were none.

Everything is computed in decimal arithmetic of fixed precision, whose results
are specified to the last digit, so that every machine prints the same bytes.
Nothing here knows of runs, policies or events.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache

import msgspec

MOST_TRIALS = 1_000_000_000
"""No advice goes beyond this number of trials."""

_CONTEXT = Context(prec=64, rounding=ROUND_HALF_EVEN)
_DIGITS = Decimal("0.0001")
_HALF_LOG_TWO_PI = Decimal("0.91893853320467274178032973640561763986139747363778341")
_ASYMPTOTIC_FROM = 40
# Bernoulli numbers B2, B4, …: beyond x = 40 the series is exact to more than 30 digits.
_BERNOULLI = (
    (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510),
    (43867, 798), (-174611, 330), (854513, 138), (-236364091, 2730),
)  # fmt: skip


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """Beliefs before the first trial; ``alpha`` and ``beta`` are those of the Beta distribution."""

    alive: float
    alpha: float
    beta: float


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What ``trials`` finished trials without a survivor say.

    ``probability_dead`` is rounded to four digits; ``dead_is_likelier`` is judged
    before rounding. ``more_trials`` find a survivor with the asked probability if
    the space is alive; None where more than `MOST_TRIALS` would be needed.
    """

    trials: int
    probability_dead: float
    dead_is_likelier: bool
    more_trials: int | None


@lru_cache(maxsize=4096)
def unlucky_or_dead(trials: int, prior: Prior, find_probability: float) -> Opinion:
    """The opinion after so many finished trials (0 or more) without a survivor.

    >>> unlucky_or_dead(50, Prior(alive=0.8, alpha=1.0, beta=9.0), 0.8)
    Opinion(trials=50, probability_dead=0.6211, dead_is_likelier=True, more_trials=236)
    """
    with localcontext(_CONTEXT):
        alpha, beta, alive = _decimal(prior.alpha), _decimal(prior.beta), _decimal(prior.alive)
        unlucky = alive * _no_success(alpha, beta, trials)
        dead = (1 - alive) / (1 - alive + unlucky) if alive < 1 else Decimal(0)
        return Opinion(
            trials=trials,
            probability_dead=float(dead.quantize(_DIGITS)),
            dead_is_likelier=dead > Decimal("0.5"),
            more_trials=_more_trials(alpha, beta + trials, 1 - _decimal(find_probability)),
        )


def _decimal(number: float) -> Decimal:
    """The decimal that a person wrote in the policy: 0.8, not the binary number next to it."""
    return Decimal(repr(number))


def _no_success(alpha: Decimal, beta: Decimal, trials: int) -> Decimal:
    """The probability of no success in so many trials, over all chances that Beta deems likely.

    It is B(alpha, beta + trials) / B(alpha, beta).
    """
    if trials == 0:
        return Decimal(1)
    log = (
        _log_gamma(alpha + beta)
        - _log_gamma(beta)
        + _log_gamma(beta + trials)
        - _log_gamma(alpha + beta + trials)
    )
    return min(log, Decimal(0)).exp()


def _log_gamma(x: Decimal) -> Decimal:
    """The logarithm of the gamma function of a positive number: Stirling's series, far out."""
    shift = Decimal(1)
    while x < _ASYMPTOTIC_FROM:
        shift *= x
        x += 1
    series = Decimal(0)
    for index, (above, below) in enumerate(_BERNOULLI, 1):
        series += Decimal(above) / (below * 2 * index * (2 * index - 1) * x ** (2 * index - 1))
    return (x - Decimal("0.5")) * x.ln() - x + _HALF_LOG_TWO_PI + series - shift.ln()


def _more_trials(alpha: Decimal, beta: Decimal, miss: Decimal) -> int | None:
    """The fewest trials (at least 1) that miss with at most this probability; by halving."""
    # The last digits of the logarithms are noise: an exact tie counts as reached.
    allowed = miss * (1 + Decimal("1e-25"))
    if _no_success(alpha, beta, MOST_TRIALS) > allowed:
        return None
    low, high = 0, MOST_TRIALS
    while high - low > 1:
        middle = (low + high) // 2
        if _no_success(alpha, beta, middle) <= allowed:
            high = middle
        else:
            low = middle
    return high
