"""What a decision looked at, what fired, and what nearly did.

A pure account of one judgement: the judge is watched while it decides, so
that an explanation cannot differ from the decision. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from rules.conditions import ORDERED
from rules.decide import Draft, Judge, Question
from rules.engine.plain import holds
from rules.fleet import Fleet
from rules.policy import Policy
from rules.ruleset import Fact, Rule
from rules.state import State

_PASSED = {"<": ">=", "<=": ">"}
"""What is said of a limit that was passed, by the operator that asks to stay below it."""


class Spoken(msgspec.Struct, frozen=True):
    """A fact and the rules that hold for it."""

    fact: Fact
    rules: tuple[Rule, ...]


class NearMiss(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that did not fire by one number: it fires when ``value operator limit`` holds.

    ``what`` is a feature, ``distance`` what is left to the limit, in its unit; ``key``
    is the policy key that holds the limit, empty where the limit is not a key.
    """

    rule: str
    subject: str
    what: str
    value: float
    operator: str
    limit: float
    distance: float
    key: str
    evidence: tuple[str, ...]

    @property
    def words(self) -> str:
        """The miss in a line."""
        return (
            f"{self.what} of {self.subject} is {self.value:g}; "
            f"it fires at {self.operator} {self.limit:g}"
        )

    @property
    def closeness(self) -> float:
        """0 at the limit, 1 as far away as the limit is large, and beyond."""
        return self.distance / (abs(self.limit) or 1.0)


class Account(msgspec.Struct, frozen=True):
    """One judgement: its draft, every fact with what fired, and what nearly did."""

    draft: Draft
    spoken: tuple[Spoken, ...]
    nearly: tuple[NearMiss, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """Every event that any fact rests on, in the order the facts were judged."""
        return tuple(dict.fromkeys(id for each in self.spoken for id in each.fact.all_evidence))


class Watched:
    """A judge that remembers what it looked at."""

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        self._spoken: list[Spoken] = []
        self.judge = Judge(policy, fleet, watch=self._note)

    def _note(self, fact: Fact, rules: Sequence[Rule]) -> None:
        self._spoken.append(Spoken(fact, tuple(rules)))

    def decide(self, kind: str, question: Question, state: State, at_us: int) -> Account:
        """Decide, and give account of it."""
        self._spoken.clear()
        draft = self.judge.decide(kind, question, state, at_us)
        spoken = tuple(self._spoken)
        return Account(draft, spoken, tuple(_nearly(spoken, self.judge.rules.in_force)))


def _nearly(spoken: Sequence[Spoken], rules: Sequence[Rule]) -> list[NearMiss]:
    misses = [miss for each in spoken for miss in _misses(each, rules)]
    unique = {(miss.rule, miss.subject, miss.what): miss for miss in misses}
    return sorted(
        unique.values(), key=lambda miss: (miss.closeness, miss.rule, miss.subject, miss.what)
    )


def _misses(spoken: Spoken, rules: Sequence[Rule]) -> Iterator[NearMiss]:
    """The rules about a fact of whose conditions all but one, a comparison of numbers, hold."""
    fact = spoken.fact
    fired = {rule.name for rule in spoken.rules}
    worse = {
        (each.feature, each.operator, each.limit)
        for rule in spoken.rules
        if rule.severity != "info"
        for each in rule.when
    }
    for rule in rules:
        if rule.about != fact.kind or rule.name in fired:
            continue
        failing = [each for each in rule.when if not holds(fact.features, each)]
        if len(failing) != 1:
            continue
        (condition,) = failing
        value, limit = fact.features.get(condition.feature), condition.limit
        # Nothing of something, or a limit of nothing (which often means none), is no distance.
        if condition.operator not in ORDERED or not value or not limit:
            continue
        # That trouble, once there is some, was not less is no news.
        if (condition.feature, _PASSED.get(condition.operator), limit) in worse:
            continue
        assert isinstance(value, int | float)
        assert isinstance(limit, int | float)
        yield NearMiss(
            rule=rule.name,
            subject=fact.subject,
            what=condition.feature,
            value=float(value),
            operator=condition.operator,
            limit=float(limit),
            distance=abs(float(limit) - float(value)),
            key=condition.key,
            evidence=fact.rests_on(condition),
        )
