"""durable-rules, and the only module that touches it.

What it is kept from doing, and why: its host would start timer threads that
dispatch rules by the wall clock, so ours starts none; a fact that no rule
matches can crash the process, so a catch-all rule of lowest priority matches
every fact; an exception inside an action is swallowed, so the actions only
note what fired and anything noted by the engine is raised; values it refuses
or mismatches (NaN, infinities, nothing) are refused before it sees them. It
never frees a compiled set of rules: an engine that is let go sees to that.
"""

from __future__ import annotations

import itertools
import math
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from rules.ruleset import Rule, Scalar

_RULESET = "runledger"
_COMPARE = {"!=": "$neq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


class EngineFailure(Exception):
    """durable-rules failed, or was about to be given what it cannot hold."""


class Engine:
    """A set of resolved rules, compiled once and evaluated many times.

    Rules look at one fact each, so equal features fire equal rules: each
    distinct fact is put to durable-rules once and remembered.
    """

    def __init__(self, rules: Sequence[Rule], *, remember: int = 100_000) -> None:
        self.rules = tuple(rules)
        self._remember = remember
        self._known: dict[tuple[Any, ...], tuple[int, ...]] = {}
        self._sessions = itertools.count()
        self._fired: dict[str, set[int]] = {}
        self._one_at_a_time = threading.Lock()
        self._host = _host(self._definition())
        _free_with(self, self._host.get_ruleset(_RULESET))

    def fired(self, facts: Sequence[tuple[str, dict[str, Scalar]]]) -> list[tuple[int, ...]]:
        """For each fact (its kind and features), the positions of the rules that hold."""
        keys = [(kind, *_typed(_checked(features))) for kind, features in facts]
        with self._one_at_a_time:
            new = {
                key: fact for key, fact in zip(keys, facts, strict=True) if key not in self._known
            }
            if new:
                if len(self._known) + len(new) > self._remember:
                    self._known.clear()
                    new = dict(zip(keys, facts, strict=True))
                self._known.update(zip(new, self._evaluate(list(new.values())), strict=True))
            return [self._known[key] for key in keys]

    def _evaluate(self, facts: list[tuple[str, dict[str, Scalar]]]) -> list[tuple[int, ...]]:
        session = f"s{next(self._sessions)}"
        batch = [
            {"id": str(number), "sid": session, "kind": kind, **features}
            for number, (kind, features) in enumerate(facts)
        ]
        self._fired = {str(number): set() for number in range(len(batch))}
        try:
            self._host.assert_facts(_RULESET, batch)
            state = self._host.get_state(_RULESET, session)
            swallowed = state.get("exception") if isinstance(state, dict) else None
            if swallowed:
                raise EngineFailure(f"a rule's action failed: {swallowed}")
        except EngineFailure:
            raise
        except Exception as error:
            raise EngineFailure(f"durable-rules failed: {error}") from error
        finally:
            self._host.delete_state(_RULESET, session)
        return [tuple(sorted(self._fired[str(number)])) for number in range(len(batch))]

    def _definition(self) -> dict[str, Any]:
        rules: dict[str, Any] = {
            f"r{position}": {
                "all": [{"m": {"$and": [{"kind": rule.about}, *map(_expression, rule.when)]}}],
                "run": self._note(position),
            }
            for position, rule in enumerate(self.rules)
        }
        rules["catch_all"] = {
            "all": [{"m": {"$ex": {"kind": 1}}}],
            "pri": 1_000_000,
            "run": lambda _context: None,
        }
        return {_RULESET: rules}

    def _note(self, position: int) -> Callable[[Any], None]:
        def run(context: Any) -> None:
            self._fired[context.m.id].add(position)

        return run


def _expression(condition: tuple[str, str, Scalar]) -> dict[str, Any]:
    feature, compare, value = condition
    if compare == "==":
        return {feature: value}
    return {_COMPARE[compare]: {feature: value}}


def _typed(features: dict[str, Scalar]) -> tuple[Any, ...]:
    """A key that tells True from 1 and 1 from 1.0, which compare equal in Python."""
    return tuple((name, type(value), value) for name, value in sorted(features.items()))


def _checked(features: dict[str, Scalar]) -> dict[str, Scalar]:
    for name, value in features.items():
        if type(value) not in (str, int, float, bool):
            raise EngineFailure(f"feature {name!r} is a {type(value).__name__}")
        if type(value) is float and not math.isfinite(value):
            raise EngineFailure(f"feature {name!r} is {value}")
        if name in ("id", "sid", "kind") or name.startswith("$"):
            raise EngineFailure(f"a feature must not be called {name!r}")
    return features


def _host(definition: dict[str, Any]) -> Any:
    from durable import engine

    class Host(engine.Host):  # type: ignore[misc]
        def _run(self) -> None:
            """No timer threads: windows come from event time, in the facts."""

    return Host(definition)


def _free_with(engine: Engine, ruleset: Any) -> None:
    """Free what durable-rules compiled once the engine is gone; at exit the process does."""
    import durable_rules_engine

    finalizer = weakref.finalize(engine, durable_rules_engine.delete_ruleset, ruleset._handle)
    finalizer.atexit = False
