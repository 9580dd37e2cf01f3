"""What an evaluator of rules is, and what it must not be given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Protocol

from rules.conditions import Scalar
from rules.ruleset import Rule

Given = tuple[str, Mapping[str, Scalar]]
"""A fact as an evaluator takes it: its kind and its features."""

_SCALARS = frozenset({str, int, bool})


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
        if type(value) is float:
            if not isfinite(value):
                raise EngineFailure(f"feature {name!r} is {value}")
        elif type(value) not in _SCALARS:
            raise EngineFailure(f"feature {name!r} is a {type(value).__name__}")
    return features
