"""The same rules in plain Python: slower to trust than to read.

An oracle for `rules.engine` in the tests, and nothing else: decisions are made
by the engine.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from rules.ruleset import Rule, Scalar

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
            if rule.about == kind and all(_holds(features, *each) for each in rule.when)
        )
        for kind, features in facts
    ]


def _holds(features: dict[str, Scalar], feature: str, compare: str, value: Scalar) -> bool:
    if feature not in features:
        return False
    mine = features[feature]
    if isinstance(mine, str) != isinstance(value, str):
        return compare == "!="
    return _OPERATORS[compare](mine, value)
