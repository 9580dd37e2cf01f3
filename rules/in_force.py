"""The rules in force under a policy: those it leaves on, with its values as their limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rules.conditions import Condition, Scalar
from rules.policy import Policy
from rules.ruleset import Rule


def resolve(rules: Sequence[Rule], policy: Policy) -> tuple[Rule, ...]:
    """The rules that the policy leaves on, each limit and severity that is a key with its value."""
    disabled = set(policy.rules.disabled)
    return tuple(
        msgspec.structs.replace(
            rule,
            when=tuple(with_limit(each, policy) for each in rule.when),
            severity=_severity(rule.severity, policy),
        )
        for rule in rules
        if rule.name not in disabled
    )


def with_limit(condition: Condition, policy: Policy) -> Condition:
    """A condition with the value of its key, where it has one, as its limit."""
    if not condition.key:
        return condition
    return msgspec.structs.replace(condition, limit=policy_value(policy, condition.key))


def _severity(written: str, policy: Policy) -> str:
    return str(policy_value(policy, written[1:])) if written.startswith("$") else written


def policy_value(policy: Policy, key: str) -> Scalar:
    """The value of a key, ``section.key``."""
    value: Any = policy
    for name in key.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    assert isinstance(value, str | int | float | bool)
    return value
