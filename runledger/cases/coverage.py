"""Which rules, and which branches of them, some cases fired: and which none did.

A branch is one way to fire: several rules may share a name, and a rule for some
steps has one for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rules.ruleset import Fact, Rule


class Branch(NamedTuple):
    """One way in which a rule fires: all these conditions hold."""

    rule: str
    when: tuple[str, ...]

    @property
    def own(self) -> bool:
        """Whether it is of a rule of one's own."""
        return self.rule.startswith("own.")


class Coverage(NamedTuple):
    """The branches there were to fire, and those that fired."""

    known: frozenset[Branch] = frozenset()
    fired: frozenset[Branch] = frozenset()

    def with_more(self, other: Coverage) -> Coverage:
        """Of both together."""
        return Coverage(self.known | other.known, self.fired | other.fired)

    def silent(self, *, own: bool) -> list[Branch]:
        """The branches that nothing fired, of own rules or of the built-in ones."""
        return sorted(each for each in self.known - self.fired if each.own == own)

    def as_json(self) -> dict[str, Any]:
        """As ``runledger test --json`` prints it."""
        return {
            which: {
                "branches": sum(each.own == own for each in self.known),
                "fired": sum(each.own == own for each in self.fired),
                "rules_not_fired": self.rules_not_fired(own=own),
                "not_fired": [
                    {"rule": each.rule, "when": list(each.when)} for each in self.silent(own=own)
                ],
            }
            for which, own in (("own", True), ("built_in", False))
        }

    def rules_not_fired(self, *, own: bool) -> list[str]:
        """The rules of which no branch fired."""
        fired = {each.rule for each in self.fired}
        return sorted({each.rule for each in self.silent(own=own)} - fired)


class Watcher:
    """Notes what fires while a judge decides."""

    def __init__(self) -> None:
        self._fired: set[Branch] = set()

    def __call__(self, _fact: Fact, rules: Sequence[Rule]) -> None:
        self._fired |= set(map(_branch, rules))

    def coverage(self, rules: Iterable[Rule]) -> Coverage:
        """What fired of these rules."""
        return Coverage(frozenset(map(_branch, rules)), frozenset(self._fired))


def _branch(rule: Rule) -> Branch:
    return Branch(rule.name, tuple(map(str, rule.when)))
