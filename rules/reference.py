"""The same rules in plain Python: slower to trust than to read.

An oracle for `rules.engine` in the tests, and the word on a single condition
in explanations; decisions are made by the engine.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from rules.ruleset import Condition, Rule, Scalar

_OPERATORS: dict[str, Callable[[Scalar, Scalar], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def fired(
    rules: Sequence[Rule], facts: Sequence[tuple[str, dict[str, Scalar]]]
) -> list[tuple[int, ...]]:
    """For each fact (its kind and features), the positions of the rules that hold."""
    return [
        tuple(
            position
            for position, rule in enumerate(rules)
            if rule.about == kind and all(holds(features, each) for each in rule.when)
        )
        for kind, features in facts
    ]


def holds(features: dict[str, Scalar], condition: Condition) -> bool:
    """Whether one condition, its limit resolved, holds for a fact's features."""
    feature, compare, limit = condition
    if feature not in features:
        return False
    value = features[feature]
    if isinstance(value, str) != isinstance(limit, str):
        return compare == "!="
    return compared(value, compare, limit)


def compared(value: Scalar, compare: str, limit: Scalar) -> bool:
    """``value compare limit``, for two of a kind."""
    return _OPERATORS[compare](value, limit)
