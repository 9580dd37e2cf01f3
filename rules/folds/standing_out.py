"""Which cards stand out among the others: a card's fault shows on it, a workload's on all.

A card stands out by what it had within the harmless window: at least so often, and at
least so many times the mean of the other cards that were at work in that time, of
the same model where models are known. Judged from the highest count down, each
against those that do not stand out.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from rules.card import Compared
from rules.folds.context import FoldSettings
from rules.ruleset import comparable
from rules.state import State

TIMES_OF_NONE = 1e9
"""How many times the others' mean it is where that is nothing."""

_LEAST_OTHERS = 2


def standing_out(
    state: State,
    counts: Mapping[str, int],
    now_us: int,
    settings: FoldSettings,
    least: int | None = None,
) -> dict[str, Compared]:
    """The cards that stand out, by key; ``counts`` says how often each had it."""
    least = settings.ambiguous_after if least is None else least
    found: dict[str, Compared] = {}
    for key in sorted(counts, key=lambda each: (-counts[each], each)):
        if counts[key] < least:
            break
        others = [each for each in _others(state, key, now_us, settings) if each not in found]
        if len(others) >= _LEAST_OTHERS:
            compared = compare(counts, key, others, settings.ambiguous_ratio)
            if compared.times >= settings.ambiguous_ratio:
                found[key] = compared
    return found


def compare(counts: Mapping[str, int], key: str, others: list[str], limit: float) -> Compared:
    """A card's count beside the mean of others."""
    total, count = sum(counts.get(each, 0) for each in others), counts[key]
    times = comparable(Fraction(count * len(others), total), limit) if total else TIMES_OF_NONE
    return Compared(count=count, others=total / len(others), times=times)


def _others(state: State, key: str, now_us: int, settings: FoldSettings) -> list[str]:
    """The cards that one is compared with: those at work; where these are few, those ok."""
    oldest = now_us - settings.harmless_window_us
    mine = state.cards[key].model
    alike = [
        (other, card)
        for other, card in state.cards.items()
        if other != key and (mine is None or card.model is None or card.model == mine)
    ]
    working = [other for other, card in alike if _since(card.worked_us, oldest)]
    if len(working) >= _LEAST_OTHERS:
        return working
    return [
        other
        for other, card in alike
        if _since(card.worked_us, oldest) or (card.up is True and _since(card.shown_ok_us, oldest))
    ]


def _since(time_us: int | None, oldest_us: int) -> bool:
    return time_us is not None and time_us > oldest_us


def fault_counts(state: State, now_us: int, settings: FoldSettings) -> dict[str, int]:
    """How many ambiguous faults each card had, those that it had none of left out."""
    return _counts(state, "faults", now_us, settings)


def hang_counts(state: State, now_us: int, settings: FoldSettings) -> dict[str, int]:
    """How often a tool hung on each card."""
    return _counts(state, "hangs", now_us, settings)


def _counts(state: State, of: str, now_us: int, settings: FoldSettings) -> dict[str, int]:
    oldest = now_us - settings.harmless_window_us
    found: dict[str, int] = {}
    for key, card in state.cards.items():
        times: list[int] = getattr(card, of)
        if times and (count := sum(oldest < each <= now_us for each in times)):
            found[key] = count
    return found
