"""What an evaluator of rules is, and what it must not be given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from rules.conditions import Scalar
from rules.ruleset import Rule

Given = tuple[str, Mapping[str, Scalar]]
"""A fact as an evaluator takes it: its kind and its features."""


class EngineFailure(Exception):
    """An evaluator failed, or was about to be given what it cannot hold."""


class Evaluator(Protocol):
    """A set of resolved rules, made once and asked many times."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order that positions count."""

    def fired(self, facts: Sequence[Given]) -> list[tuple[int, ...]]:
        """For each fact, the positions of the rules that hold; raises `EngineFailure`."""


def checked(features: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    """The features, every one of which both evaluators can hold; raises `EngineFailure`."""
    for name, value in features.items():
        if type(value) not in (str, int, float, bool):
            raise EngineFailure(f"feature {name!r} is a {type(value).__name__}")
        if type(value) is float and not math.isfinite(value):
            raise EngineFailure(f"feature {name!r} is {value}")
        if name in ("id", "sid", "kind") or name.startswith("$"):
            raise EngineFailure(f"a feature must not be called {name!r}")
    return features
