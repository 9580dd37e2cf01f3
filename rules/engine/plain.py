"""The evaluator in plain Python, and the word on a single condition in explanations."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from rules.conditions import Condition, Scalar
from rules.engine.evaluator import Given, checked
from rules.ruleset import Rule

_COMPARE: dict[str, Callable[[Scalar, Scalar], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class PlainEvaluator:
    """Evaluates rules by comparing, one condition after the other."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._about: dict[str, list[tuple[int, tuple[Condition, ...]]]] = {}
        for position, rule in enumerate(self.rules):
            self._about.setdefault(rule.about, []).append((position, rule.when))

    def fired(self, facts: Sequence[Given]) -> list[tuple[int, ...]]:
        """For each fact, the positions of the rules that hold."""
        return [self._holding(kind, checked(features)) for kind, features in facts]

    def _holding(self, kind: str, features: Mapping[str, Scalar]) -> tuple[int, ...]:
        return tuple(
            position
            for position, when in self._about.get(kind, ())
            if all(holds(features, each) for each in when)
        )


def holds(features: Mapping[str, Scalar], condition: Condition) -> bool:
    """Whether one condition, its limit resolved, holds for a fact's features."""
    compare, limit = condition.operator, condition.limit
    value = features.get(condition.feature)
    if compare == "missing":
        return value is None
    if value is None:
        return False
    if compare == "exists":
        return True
    assert limit is not None, f"{condition} was not resolved"
    if isinstance(value, str) != isinstance(limit, str):
        return compare == "!="
    return _COMPARE[compare](value, limit)
