"""Policies to compare: none at all, and one for each value of a key."""

from __future__ import annotations

import re

from rules.policy import Policy, default_policy, with_settings
from rules.rulesets import RULE_NAMES
from runledger.errors import BadInput

_MOST_VALUES = 100


def no_rules() -> Policy:
    """A policy under which no rule fires: nothing is blocked and no card sits out."""
    names = ", ".join(f'"{name}"' for name in sorted(RULE_NAMES))
    return with_settings(default_policy(), [f"rules.disabled=[{names}]"])


def swept(name: str, policy: Policy, sweep: str) -> list[tuple[str, Policy]]:
    """A policy for each value in ``KEY=A..B`` (whole numbers) or ``KEY=A,B,C``.

    Raises `BadInput`, or `rules.policy.InvalidPolicy` for a key or value that
    a policy cannot have.
    """
    key, equals, values = sweep.partition("=")
    if not equals or not key or not values:
        raise BadInput(f"--sweep {sweep!r}: write KEY=A..B or KEY=A,B,C")
    found = []
    for value in _values(sweep, values):
        setting = f"{key}={value}"
        found.append((setting if name == "default" else f"{name} {setting}", setting))
    return [(label, with_settings(policy, [setting])) for label, setting in found]


def _values(sweep: str, values: str) -> list[str]:
    match = re.fullmatch(r"(-?\d{1,15})\.\.(-?\d{1,15})", values)
    if match is None:
        listed = [each.strip() for each in values.split(",")]
    else:
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise BadInput(f"--sweep {sweep!r}: {last} comes before {first}")
        if last - first >= _MOST_VALUES:
            raise BadInput(f"--sweep {sweep!r}: more than {_MOST_VALUES} values; list some of them")
        listed = [str(each) for each in range(first, last + 1)]
    if not all(listed) or len(listed) > _MOST_VALUES:
        raise BadInput(f"--sweep {sweep!r}: write KEY=A..B or KEY=A,B,C")
    return listed
