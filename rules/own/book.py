"""The own rules of a policy by the kind of fact they are about, and the own facts they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.conditions import Scalar, parse_condition
from rules.own.checking import own_features
from rules.own.compiled import EXCLUSIONS, compiled, kind_of
from rules.own.declared import Own, OwnFact, OwnRule
from rules.own.texts import parts
from rules.ruleset import Rule


class OwnBook:
    """What there is to judge by own rules: compiled once for a policy and fleet."""

    def __init__(
        self, own: Own, value: Callable[[str], Scalar], step_name: Callable[[str], str]
    ) -> None:
        self.rules: tuple[Rule, ...] = tuple(compiled(own, value, step_name))
        self.step_name = step_name
        self._facts = {fact.name: fact for fact in own.facts}
        self._needed: dict[str, dict[str, None]] = {}
        for rule in own.rules:
            kind = EXCLUSIONS if rule.decides == "exclusions" else kind_of(rule.about)
            self._needed.setdefault(kind, {}).update(dict.fromkeys(_mentioned(rule)))
        self.features: Mapping[str, tuple[str, ...]] = {
            about: tuple(features) for about, features in own_features(own.facts).items()
        }

    def judges(self, kind: str) -> bool:
        """Whether there is a rule about facts of this kind."""
        return kind in self._needed

    def facts(self, kind: str) -> list[OwnFact]:
        """The own facts that rules about a kind look at, or mention."""
        return [self._facts[name] for name in self._needed.get(kind, ()) if name in self._facts]


def _mentioned(rule: OwnRule) -> list[str]:
    looked_at = [parse_condition(text).feature for text in rule.when]
    mentioned = [name for text in (rule.message, rule.remedy) for _, name in parts(text) if name]
    return looked_at + mentioned
