"""durable-rules, and the only module that touches it.

What it is kept from doing, and why: its host would start timer threads that
dispatch rules by the wall clock, so ours starts none; a fact that no rule
matches can crash the process, so a catch-all rule of lowest priority matches
every fact; an exception inside an action is swallowed, so the actions only
note what fired and anything noted by the engine is raised; its parser of JSON
crashes the process on 1e-06 and holds no whole number beyond 63 bits, so it is
given ranks, which compare as the numbers do. It never frees a compiled set of
rules: an engine that is let go sees to that.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

from rules.conditions import Scalar
from rules.engine.evaluator import EngineFailure, Given, checked
from rules.ruleset import Rule

_RULESET = "runledger"
_COMPARE = {"!=": "$neq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_PRESENCE = {"exists": "$ex", "missing": "$nex"}

_NONE: dict[str, list[int | float]] = {}

_Sort = tuple[str | int | None, ...]
"""A kind of fact, and the rank of each feature that rules about it look at; None: unknown."""


def why_not_loaded() -> str:
    """Why durable-rules cannot be used by this interpreter; nothing where it can."""
    try:
        import durable_rules_engine  # noqa: F401
    except ImportError as error:  # not installed, or its C part wants an older Python
        return str(error) or type(error).__name__
    return ""


def library_version() -> str:
    """The version of durable-rules."""
    return metadata.version("durable-rules")


class DurableEvaluator:
    """Compiles the rules once, and puts to durable-rules only facts of a new sort.

    Rules look at one fact each and compare its features with fixed limits, so
    facts whose features lie alike between these limits fire equal rules: one
    of each sort is put to durable-rules and what fired is remembered.
    """

    def __init__(self, rules: Sequence[Rule], *, remember: int = 100_000) -> None:
        self.rules = tuple(rules)
        self._remember = remember
        self._limits = _limits(self.rules)
        self._known: dict[_Sort, tuple[int, ...]] = {}
        self._sessions = itertools.count()
        self._fired: dict[str, set[int]] = {}
        self._one_at_a_time = threading.Lock()
        self._host = _host(self._definition())
        _free_with(self, self._host.get_ruleset(_RULESET))

    def fired(self, facts: Sequence[Given]) -> list[tuple[int, ...]]:
        """For each fact, the positions of the rules that hold."""
        sorts = [self.sort(kind, checked(features)) for kind, features in facts]
        with self._one_at_a_time:
            new = dict.fromkeys(sort for sort in sorts if sort not in self._known)
            if new:
                if len(self._known) + len(new) > self._remember:
                    self._known.clear()
                    new = dict.fromkeys(sorts)
                self._known.update(zip(new, self.evaluate(list(new)), strict=True))
            return [self._known[sort] for sort in sorts]

    def sort(self, kind: str, features: Mapping[str, Scalar]) -> _Sort:
        """The sort of a fact: its kind, and the rank of each feature that rules look at."""
        sort: list[str | int | None] = [kind]
        for feature, limits in self._limits.get(kind, _NONE).items():
            value = features.get(feature)
            sort.append(None if value is None else _rank(limits, value))
        return tuple(sort)

    def evaluate(self, sorts: Sequence[_Sort]) -> list[tuple[int, ...]]:
        """What fires for each sort of fact, asked of durable-rules whatever is remembered."""
        session = f"s{next(self._sessions)}"
        batch = [
            {"id": str(number), "sid": session, "kind": kind, **self._ranks(kind, ranks)}
            for number, (kind, *ranks) in enumerate(sorts)
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

    def _ranks(self, kind: Any, ranks: Sequence[str | int | None]) -> dict[str, str | int]:
        named = zip(self._limits.get(kind, _NONE), ranks, strict=True)
        return {feature: rank for feature, rank in named if rank is not None}

    def _definition(self) -> dict[str, Any]:
        rules: dict[str, Any] = {
            f"r{position}": {
                "all": [{"m": {"$and": [{"kind": rule.about}, *self._expressions(rule)]}}],
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

    def _expressions(self, rule: Rule) -> Iterator[dict[str, Any]]:
        for each in rule.when:
            if each.limit is None:
                yield {_PRESENCE[each.operator]: {each.feature: 1}}
                continue
            rank = _rank(self._limits[rule.about][each.feature], each.limit)
            if each.operator == "==":
                yield {each.feature: rank}
            else:
                yield {_COMPARE[each.operator]: {each.feature: rank}}

    def _note(self, position: int) -> Callable[[Any], None]:
        def run(context: Any) -> None:
            self._fired[context.m.id].add(position)

        return run


def _limits(rules: Sequence[Rule]) -> dict[str, dict[str, list[int | float]]]:
    """By kind of fact and feature that rules look at, the numbers it is compared to, in order."""
    found: dict[str, dict[str, set[int | float]]] = {}
    for rule in rules:
        for each in rule.when:
            limits = found.setdefault(rule.about, {}).setdefault(each.feature, set())
            if isinstance(each.limit, int | float):  # false and true are 0 and 1
                limits.add(each.limit)
    return {
        kind: {feature: sorted(limits) for feature, limits in features.items()}
        for kind, features in found.items()
    }


def _rank(limits: Sequence[int | float], value: Scalar) -> str | int:
    """A number by its place among some limits: odd at one of them, even between; text as it is.

    Ranks compare as the numbers do, and are whole and small.
    """
    if isinstance(value, str):
        return value
    return bisect_left(limits, value) + bisect_right(limits, value)


def _host(definition: dict[str, Any]) -> Any:
    from durable import engine

    class Host(engine.Host):  # type: ignore[misc]
        def _run(self) -> None:
            """No timer threads: windows come from event time, in the facts."""

    return Host(definition)


def _free_with(engine: DurableEvaluator, ruleset: Any) -> None:
    """Free what durable-rules compiled once the engine is gone; at exit the process does."""
    import durable_rules_engine

    finalizer = weakref.finalize(engine, durable_rules_engine.delete_ruleset, ruleset._handle)
    finalizer.atexit = False
