"""What own facts say of one subject: their values, and on demand what they rest on.

A judgement asks for every value and for few of the rest, so windows are cut out
only for what a rule then speaks of.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ledger.times import SECOND_US
from rules.conditions import Scalar
from rules.folds.kept import Window, within
from rules.own.declared import OwnFact
from rules.own.texts import shown
from rules.state import Kept

_LARGEST = 1e300
"""A sum is a finite number, however large what it adds up."""

_NOTHING = Kept()


class Asked(NamedTuple):
    """An own fact that is looked at: what it keeps of every subject, by the subject's key."""

    fact: OwnFact
    span_us: int | None
    kept_of: Mapping[str, Kept]


def asked(facts: Iterable[OwnFact], own: Mapping[str, Mapping[str, Kept]]) -> list[Asked]:
    """The facts with what a state keeps for them."""
    return [
        Asked(
            fact,
            None if fact.timespan_s is None else round(fact.timespan_s * SECOND_US),
            own.get(fact.name, {}),
        )
        for fact in facts
    ]


class OwnValues:
    """All that the own facts of one kind say of the subject with a key."""

    def __init__(self, facts: Sequence[Asked], key: str, at_us: int) -> None:
        self._facts = facts
        self._key = key
        self._at_us = at_us

    def values(self) -> dict[str, Scalar]:
        """The value of each fact that has one."""
        found: dict[str, Scalar] = {}
        for fact, span_us, kept_of in self._facts:
            kept = kept_of.get(self._key)
            if kept is None:
                if fact.keep in ("count", "distinct"):
                    found[fact.name] = 0
            elif fact.keep == "count" and span_us is not None:
                found[fact.name] = len(kept.times) - bisect_right(kept.times, self._at_us - span_us)
            else:
                value = _value(fact, within(kept, span_us, self._at_us))
                if value is not None:
                    found[fact.name] = value
        return found

    def events(self, name: str) -> tuple[str, ...] | None:
        """The newest events that a fact keeps; None where there is no such fact."""
        window = self._window(name)
        return None if window is None else tuple(window.events)

    def since_us(self, name: str) -> int | None:
        """The time of the oldest event that a fact keeps."""
        window = self._window(name)
        return window.times[0] if window is not None and window.times else None

    def said(self, name: str) -> str | None:
        """A fact's value in words; None where there is no such fact."""
        window = self._window(name)
        if window is None:
            return None
        (fact,) = (each.fact for each in self._facts if each.fact.name == name)
        value = shown(_value(fact, window))
        kept, beyond = len(window.times), window.beyond
        if not beyond:
            return value
        return f"{value} (of the newest {kept:,} events; about {beyond:,} more are not kept)"

    def _window(self, name: str) -> Window | None:
        for fact, span_us, kept_of in self._facts:
            if fact.name == name:
                return within(kept_of.get(self._key, _NOTHING), span_us, self._at_us)
        return None


def _value(fact: OwnFact, window: Window) -> Scalar | None:
    """What a fact says of its window; None where it holds nothing to say it of."""
    if fact.keep == "count":
        return len(window.times)
    if fact.keep == "distinct":
        return len({(isinstance(each, bool), each) for each in window.values})
    if not window.values:
        return None
    return _OF_VALUES[fact.keep](window.values)


def _total(values: Iterable[Any]) -> Scalar:
    listed = list(values)
    if all(isinstance(each, int) for each in listed):
        total: int | float = sum(listed)
    else:
        try:
            total = math.fsum(listed)
        except OverflowError:
            total = math.inf if sum(each / 1e9 for each in listed) > 0 else -math.inf
    return max(-_LARGEST, min(_LARGEST, total)) if abs(total) > _LARGEST else total


_OF_VALUES: dict[str, Callable[[Any], Scalar]] = {
    "newest": lambda values: values[-1],
    "max": max,
    "min": min,
    "sum": _total,
}
