"""What differs between two policies, key by key, in the words that a policy is written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from ledger.text import humanize
from rules.own.declared import OwnFact, OwnRule
from rules.policy import Policy


class Difference(NamedTuple):
    """One key that differs; None: the policy does not have it."""

    key: str
    before: Any
    after: Any

    @property
    def words(self) -> str:
        """The difference in one line."""
        if self.before is None:
            return f"{self.key}: new: {self._shown(self.after)}"
        if self.after is None:
            return f"{self.key}: gone; it was {self._shown(self.before)}"
        return f"{self.key}: {self._shown(self.before)} → {self._shown(self.after)}"

    def _shown(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            plain = f"{value:g}" if isinstance(value, float) else str(value)
            is_time = self.key.endswith("_s") and value >= 60
            return f"{plain} ({humanize.span(value)})" if is_time else plain
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value)) or "none"
        if isinstance(value, dict):
            return "; ".join(f"{key} {self._shown(each)}" for key, each in value.items())
        return str(value)


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Every key that differs, own facts and rules by their names; the policies' names do not."""
    return list(_between(_flat(before), _flat(after)))


def _between(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    for key in dict.fromkeys([*one, *other]):
        before, after = one.get(key), other.get(key)
        # A policy tells 1 from true, which Python does not.
        if before != after or isinstance(before, bool) != isinstance(after, bool):
            yield Difference(key, before, after)


def _flat(policy: Policy) -> dict[str, Any]:
    table: dict[str, Any] = msgspec.to_builtins(policy)
    del table["name"]
    table.get("rules", {}).pop("own", None)
    table.pop("facts", None)
    flat = dict(_leaves(table, ""))
    for fact in policy.facts:
        flat |= _named("fact", fact)
    for rule in policy.rules.own:
        flat |= _named("rule", rule)
    return flat


def _leaves(table: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


def _named(what: str, of: OwnFact | OwnRule) -> dict[str, Any]:
    table = msgspec.to_builtins(of)
    del table["name"]
    return {f"{what} {of.name}": table}


def changes(default: Policy, policy: Policy) -> dict[str, Any]:
    """What a policy says beside the default one, as a table that a policy file could hold."""
    said = _changed(msgspec.to_builtins(default), msgspec.to_builtins(policy))
    said.pop("name", None)
    return said


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := _changed(old, value):
                changed[key] = inner
        elif value != old:
            changed[key] = value
    return changed
