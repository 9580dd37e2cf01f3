"""The rules in force under a policy: those it leaves on, with its values as their limits."""

from __future__ import annotations

from collections.abc import Sequence

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
            when=tuple(_resolved(each, policy) for each in rule.when),
            severity=_severity(rule.severity, policy),
        )
        for rule in rules
        if rule.name not in disabled
    )


def _resolved(condition: Condition, policy: Policy) -> Condition:
    if not condition.key:
        return condition
    return msgspec.structs.replace(condition, limit=policy_value(policy, condition.key))


def _severity(written: str, policy: Policy) -> str:
    return str(policy_value(policy, written[1:])) if written.startswith("$") else written


def policy_value(policy: Policy, key: str) -> Scalar:
    """The value of a key, ``section.key``."""
    value = policy
    for name in key.split("."):
        value = getattr(value, name)
    assert isinstance(value, str | int | float | bool)
    return value
