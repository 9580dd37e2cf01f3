"""What a decision looked at, what fired, and what nearly did.

A pure account of one judgement: the judge is watched while it decides, so
that an explanation cannot differ from the decision. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from rules.decide import Draft, Judge, Question
from rules.fleet import Fleet
from rules.policy import Policy
from rules.reference import compared, holds
from rules.ruleset import Condition, Fact, Margin, Rule, resolve
from rules.rulesets import ALL_RULES
from rules.state import State

_ORDERED = ("<", "<=", ">", ">=")


class Spoken(msgspec.Struct, frozen=True):
    """A fact and the rules that hold for it."""

    fact: Fact
    rules: tuple[Rule, ...]


class NearMiss(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that did not fire by one number: it fires when ``value operator limit`` holds.

    ``distance`` is what is left to the limit, in the unit of ``what``; ``key``
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
        return tuple(dict.fromkeys(id for each in self.spoken for id in each.fact.evidence))


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
        return Account(draft, spoken, tuple(_nearly(spoken, self.judge.policy)))


def conditions(rule: Rule, policy: Policy) -> list[tuple[Condition, str]]:
    """A rule's conditions under a policy, each with the policy key of its limit (or "").

    Takes a rule as it is written, or as the policy resolved it.
    """
    for written in ALL_RULES:
        if written.name == rule.name and written.about == rule.about:
            (resolved,) = resolve([written], policy) or (written,)
            if rule.when in (written.when, resolved.when):
                keys = [
                    limit[1:] if isinstance(limit, str) and limit.startswith("$") else ""
                    for _, _, limit in written.when
                ]
                return list(zip(resolved.when, keys, strict=True))
    return [(condition, "") for condition in rule.when]


def _nearly(spoken: Sequence[Spoken], policy: Policy) -> list[NearMiss]:
    disabled = set(policy.rules.disabled)
    misses = [miss for each in spoken for miss in _misses(each, policy)]
    unique = {(miss.rule, miss.subject, miss.what): miss for miss in misses}
    left = [miss for miss in unique.values() if miss.rule not in disabled]
    return sorted(left, key=lambda miss: (miss.closeness, miss.rule, miss.subject, miss.what))


def _misses(spoken: Spoken, policy: Policy) -> Iterator[NearMiss]:
    fact = spoken.fact
    fired = {rule.name for rule in spoken.rules}
    for margin in fact.margins:
        if margin.rule not in fired and margin.value and not _reached(margin):
            yield _miss(margin, fact)
    for rule in ALL_RULES:
        if rule.about != fact.kind or rule.name in fired:
            continue
        failing = [each for each in conditions(rule, policy) if not holds(fact.features, each[0])]
        if len(failing) != 1:
            continue
        ((feature, compare, limit), key) = failing[0]
        value = fact.features.get(feature)
        if compare in _ORDERED and value and _is_number(value) and _is_number(limit):
            margin = Margin(
                rule=rule.name,
                what=feature,
                value=float(value),
                limit=float(limit),
                operator=compare,
                key=key,
            )
            yield _miss(margin, fact)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reached(margin: Margin) -> bool:
    return compared(margin.value, margin.operator, margin.limit)


def _miss(margin: Margin, fact: Fact) -> NearMiss:
    return NearMiss(
        rule=margin.rule,
        subject=fact.subject,
        what=margin.what,
        value=margin.value,
        operator=margin.operator,
        limit=margin.limit,
        distance=abs(margin.limit - margin.value),
        key=margin.key,
        evidence=fact.evidence,
    )
