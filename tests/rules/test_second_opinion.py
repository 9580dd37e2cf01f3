"""The arithmetic of "unlucky or dead?", against exact fractions and known closed forms."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.second_opinion import (
    _CONTEXT,
    MOST_TRIALS,
    Opinion,
    Prior,
    _no_success,
    unlucky_or_dead,
)

USUAL = Prior(alive=0.8, alpha=1.0, beta=9.0)


def exact(alpha: float, beta: float, trials: int) -> Fraction:
    """No success in so many trials, factor by factor."""
    a, b = Fraction(repr(alpha)), Fraction(repr(beta))
    product = Fraction(1)
    for done in range(trials):
        product *= (b + done) / (a + b + done)
    return product


@pytest.mark.parametrize(
    ("trials", "dead", "more"),
    # By hand: dead = 0.2 / (0.2 + 0.8 x 9 / (9 + n)); more is the first m with
    # (9 + n) / (9 + n + m) <= 0.2, that is 4 x (9 + n).
    [(0, 0.2, 36), (20, 0.4462, 116), (34, 0.5443, 172), (50, 0.6211, 236), (200, 0.8531, 836)],
)
def test_with_a_flat_tail_the_closed_form_can_be_checked_by_hand(
    trials: int, dead: float, more: int
) -> None:
    opinion = unlucky_or_dead(trials, USUAL, 0.8)
    assert (opinion.probability_dead, opinion.more_trials) == (dead, more)


@given(
    st.integers(0, 120),
    st.floats(0.001, 1000).map(lambda x: float(f"{x:.4g}")),
    st.floats(0.001, 1000).map(lambda x: float(f"{x:.4g}")),
)
def test_the_gamma_functions_agree_with_exact_fractions(
    trials: int, alpha: float, beta: float
) -> None:
    with localcontext(_CONTEXT):
        got = Fraction(_no_success(Decimal(repr(alpha)), Decimal(repr(beta)), trials))
    want = exact(alpha, beta, trials)
    assert abs(got - want) <= want * Fraction(1, 10**30)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("find", [0.5, 0.8, 0.95])
def test_the_advised_number_is_the_first_that_reaches_the_probability(
    alpha: float, find: float
) -> None:
    more = unlucky_or_dead(30, Prior(alive=0.8, alpha=alpha, beta=4.0), find).more_trials
    assert more is not None
    miss = 1 - Fraction(repr(find))
    assert exact(alpha, 34.0, more) <= miss < exact(alpha, 34.0, more - 1)


@given(st.integers(0, 10_000))
def test_every_further_failure_makes_dead_likelier(trials: int) -> None:
    now = unlucky_or_dead(trials, USUAL, 0.8)
    later = unlucky_or_dead(trials + 1, USUAL, 0.8)
    assert now.probability_dead <= later.probability_dead
    assert now.more_trials is not None
    assert later.more_trials is not None
    assert now.more_trials <= later.more_trials


@pytest.mark.parametrize(
    ("prior", "find", "opinion"),
    [
        # Sure that the space is alive: no failure says otherwise.
        (
            Prior(alive=1, alpha=1, beta=9),
            0.8,
            Opinion(trials=99, probability_dead=0.0, dead_is_likelier=False, more_trials=432),
        ),
        # Sure that it is dead.
        (
            Prior(alive=0, alpha=1, beta=9),
            0.8,
            Opinion(trials=99, probability_dead=1.0, dead_is_likelier=True, more_trials=432),
        ),
        # Certainty cannot be bought, and none costs nothing but one trial.
        (
            Prior(alive=1, alpha=1, beta=9),
            1.0,
            Opinion(trials=99, probability_dead=0.0, dead_is_likelier=False, more_trials=None),
        ),
        (
            Prior(alive=1, alpha=1, beta=9),
            0,
            Opinion(trials=99, probability_dead=0.0, dead_is_likelier=False, more_trials=1),
        ),
    ],
)
def test_certain_priors_and_certain_finds(prior: Prior, find: float, opinion: Opinion) -> None:
    assert unlucky_or_dead(99, prior, find) == opinion


@pytest.mark.parametrize("size", [0.001, 1.0, 1_000_000.0])
def test_the_largest_counts_and_the_ends_of_the_priors_are_answered(size: float) -> None:
    for other in (0.001, 1_000_000.0):
        opinion = unlucky_or_dead(2**53, Prior(alive=0.5, alpha=size, beta=other), 0.8)
        assert 0 <= opinion.probability_dead <= 1
        assert opinion.more_trials is None or 0 < opinion.more_trials <= MOST_TRIALS
