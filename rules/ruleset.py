"""Rules as data: what a fact must look like, and what is then said about it.

A rule looks at one fact of one kind. Its conditions compare what was measured
with constants or with values of the policy. Being data, rules can be read
without running them, checked against the features that facts have
(`rules.features`), and evaluated by either of two engines (`rules.engine`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal, cast

import msgspec

from rules.conditions import Condition, Scalar

Severity = Literal["block", "unknown", "degrade", "warn", "info"]

SEVERITIES: tuple[Severity, ...] = ("block", "unknown", "degrade", "warn", "info")
"""Worst first."""

_LARGEST = Fraction(10**300)
"""A feature is a finite float, however large what it says."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. ``message`` and ``remedy`` are format strings over the fact's ``show``.

    ``severity`` is one of `SEVERITIES` or, like a limit, ``$section.key`` of the
    policy. ``effect`` is what the rule does beside being reported: a card's state, or
    the numbers to use.
    """

    name: str
    about: str
    when: tuple[Condition, ...]
    severity: str
    message: str
    remedy: str
    effect: dict[str, str] = {}


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one subject, flattened for the rules.

    ``features`` are what was measured, as `rules.features` declares it: finite
    numbers, text, booleans; what is not known is left out. ``show`` is what
    messages mention; ``evidence`` names the events it rests on. ``sources`` says so
    by feature, where rules about a fact rest on different events.
    """

    kind: str
    subject: str
    features: dict[str, Scalar]
    show: dict[str, Any]
    evidence: tuple[str, ...] = ()
    sources: Mapping[str, tuple[str, ...]] | None = None

    def rests_on(self, *conditions: Condition) -> tuple[str, ...]:
        """The events that some conditions about this fact rest on."""
        if self.sources is None:
            return self.evidence
        return tuple(dict.fromkeys(id for each in conditions for id in self.sources[each.feature]))

    @property
    def all_evidence(self) -> tuple[str, ...]:
        """The events that anything known of it rests on."""
        if self.sources is None:
            return self.evidence
        return tuple(dict.fromkeys(id for name in self.features for id in self.sources[name]))


class Fired(msgspec.Struct, frozen=True):
    """A rule that holds for a fact."""

    rule: Rule
    fact: Fact

    @property
    def severity(self) -> Severity:
        """How bad it is, by the policy."""
        return cast(Severity, self.rule.severity)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The events that it rests on."""
        return self.fact.rests_on(*self.rule.when)

    @property
    def message(self) -> str:
        """The rule's message about this fact."""
        return self.rule.message.format_map(self.fact.show)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.rule.remedy.format_map(self.fact.show)


def comparable(exact: Fraction, limit: float) -> float:
    """An exact number as a feature: on the side of a limit, written in decimals, that it is on.

    The nearest float alone could lie on the limit where the exact number is just beyond it.
    """
    feature = float(min(exact, _LARGEST))
    if feature == limit and exact != Fraction(repr(limit)):
        return math.nextafter(feature, math.inf if exact > Fraction(repr(limit)) else -math.inf)
    return feature


def known(**features: Scalar | None) -> dict[str, Scalar]:
    """Features without those that nobody knows."""
    return {name: value for name, value in features.items() if value is not None}
