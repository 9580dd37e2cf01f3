"""The rules in force: compiled once for a policy and fleet, put to facts again and again.

Says which rules hold for a fact, and nothing of what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rules.engine import Name, chosen, evaluator
from rules.fleet import Fleet
from rules.folds.context import Context
from rules.in_force import policy_value, resolve
from rules.own.book import OwnBook
from rules.policy import Policy
from rules.ruleset import Fact, Fired, Rule
from rules.rulesets import ALL_RULES

Watch = Callable[[Fact, Sequence[Rule]], None]
"""Called with every fact that is judged, and the rules that hold for it."""


class Rulebook:
    """All rules under one policy and fleet, those of one's own included.

    ``watch`` sees every fact and what fired for it: that is how a decision is
    explained by the very code that makes it. ``engine`` names the evaluator, where
    it shall not be the one that was chosen for this process.
    """

    def __init__(
        self,
        policy: Policy,
        fleet: Fleet,
        *,
        watch: Watch | None = None,
        engine: Name | None = None,
    ) -> None:
        self.policy = policy
        self.fleet = fleet
        self.context = Context(policy, fleet)
        self.engine = engine or chosen()
        self.own = OwnBook(policy.declared, lambda key: policy_value(policy, key), fleet.step_name)
        rules = resolve((*ALL_RULES, *self.own.rules), policy)
        self._evaluator = evaluator(rules, self.engine)
        self._watch = watch

    @property
    def in_force(self) -> tuple[Rule, ...]:
        """The rules that are on, each limit a value."""
        return self._evaluator.rules

    def fired(self, facts: Sequence[Fact]) -> list[list[Fired]]:
        """For each fact, the rules that hold for it."""
        hits = self._evaluator.fired([(fact.kind, fact.features) for fact in facts])
        rules = self.in_force
        if self._watch is not None:
            for fact, positions in zip(facts, hits, strict=True):
                self._watch(fact, [rules[position] for position in positions])
        return [
            [Fired(rules[position], fact) for position in positions]
            for fact, positions in zip(facts, hits, strict=True)
        ]

    def all_fired(self, facts: Sequence[Fact]) -> list[Fired]:
        """The rules that hold for any of the facts, in the order of the facts."""
        return [each for fired in self.fired(facts) for each in fired]
