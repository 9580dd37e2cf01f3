"""Rules as data: what a fact must look like, and what is then said about it.

A rule looks at one fact of one kind. Its conditions compare the fact's
features with constants or, written ``$section.key``, with values of the policy.
Being data, rules can be hashed (a decision names the digest of those that made
it), evaluated by two engines (`rules.engine` and `rules.reference`), and read
without running them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from ledger.canonical import canonical, digest
from rules.policy import Policy

Scalar = str | int | float | bool
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Condition = tuple[str, Operator, Scalar]
Severity = Literal["block", "unknown", "degrade", "warn", "info"]

SEVERITIES: tuple[Severity, ...] = ("block", "unknown", "degrade", "warn", "info")
"""Worst first."""


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


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """How far a fact is from a limit that was compared while it was gathered.

    ``rule`` would fire once ``value`` reaches ``limit`` (for ``>``: passes it);
    ``key`` is the policy key that holds the limit, empty where it is another's.
    """

    rule: str
    what: str
    value: float
    limit: float
    operator: Operator = ">="
    key: str = ""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one subject, flattened for the rules.

    ``features`` are what conditions look at (finite numbers, text, booleans);
    ``show`` is what messages mention; ``evidence`` names the events it rests on;
    ``margins`` tell an explanation what nearly happened, and no rule sees them.
    """

    kind: str
    subject: str
    features: dict[str, Scalar]
    show: dict[str, Any]
    evidence: tuple[str, ...] = ()
    margins: tuple[Margin, ...] = ()


class Fired(msgspec.Struct, frozen=True):
    """A rule that holds for a fact."""

    rule: Rule
    fact: Fact

    @property
    def severity(self) -> Severity:
        """How bad it is, by the policy."""
        return cast(Severity, self.rule.severity)

    @property
    def message(self) -> str:
        """The rule's message about this fact."""
        return self.rule.message.format_map(self.fact.show)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.rule.remedy.format_map(self.fact.show)


def resolve(rules: Sequence[Rule], policy: Policy) -> tuple[Rule, ...]:
    """The rules that the policy leaves on, with its values in place of ``$section.key``."""
    disabled = set(policy.rules.disabled)
    return tuple(
        msgspec.structs.replace(
            rule,
            when=tuple((name, how, _value(limit, policy)) for name, how, limit in rule.when),
            severity=_value(rule.severity, policy),
        )
        for rule in rules
        if rule.name not in disabled
    )


def _value(value: Any, policy: Policy) -> Any:
    """A constant, or what the policy has under ``$section.key``."""
    if isinstance(value, str) and value.startswith("$"):
        section, _, key = value[1:].partition(".")
        return getattr(getattr(policy, section), key)
    return value


def rules_digest(rules: Sequence[Rule]) -> str:
    """SHA-256 over the rules' definitions: part of every decision."""
    return digest(canonical([msgspec.to_builtins(rule) for rule in rules]))
