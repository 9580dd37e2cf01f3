"""Facts carry what is declared, rules look at nothing else, and what they compare has numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rules.conditions import ORDERED, when
from rules.decide import Judge
from rules.features import FACTS, FactKind, Feature, checked_rules, rule_problems
from rules.policy import default_policy
from rules.ruleset import Fact, Rule
from rules.rulesets import ALL_RULES
from tests.rules.histories import FLEET, NOON, D, H, M, Story, ordered
from tests.runledger.nights import eventful

_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def _judged(story: Story, at: int) -> list[Fact]:
    """Every fact of every kind of decision."""
    facts: list[Fact] = []

    def watch(fact: Fact, _: Sequence[Rule]) -> None:
        facts.append(fact)

    judge = Judge(default_policy(), FLEET, watch=watch)
    state = judge.fold.run(ordered(story.events, NOON + at))
    judge.decide(
        "preflight", {"step": "3", "run": "R1", "trials": 5, "seed_count": 7}, state, NOON + at
    )
    judge.decide("exclusions", {}, state, NOON + at)
    proposal = {"trials": 400, "seed_count": 9, "rationale": "why"}
    judge.decide("parameters", {"step": "3", "proposal": proposal}, state, NOON + at)
    return facts


@pytest.mark.parametrize("seed", range(6))
def test_a_fact_carries_only_what_is_declared_of_its_kind(seed: int) -> None:
    story = eventful(seed, 2)
    story.override("node/zeus", "exclude", D).run("R1", 30 * H, 5)
    for fact in _judged(story, 2 * D - 3 * M):
        declared = FACTS[fact.kind].features
        for name, value in fact.features.items():
            assert type(value) in _TYPES[declared[name].type], (fact.kind, name, value)
            assert not declared[name].words or value in (*declared[name].words, "not shown")


def test_every_kind_of_fact_and_every_feature_says_what_it_is() -> None:
    for name, kind in FACTS.items():
        assert kind.title
        assert kind.says.endswith("."), name
        for feature in kind.features.values():
            assert feature.says.endswith("."), feature


def _rule(*texts: str, about: str = "card") -> Rule:
    return Rule(name="r", about=about, when=when(*texts), severity="info", message="m", remedy="r")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (_rule("temprature == 3"), "card has no feature 'temprature'"),
        (_rule("state == ok", about="crad"), "no facts about 'crad'"),
        (_rule("state >= 3"), "state is a text, it has no order"),
        (_rule("out > 0"), "out is a boolean, it has no order"),
        (_rule("incidents == many"), "incidents is a integer"),
        (_rule("out == 1"), "out is a boolean"),
        (_rule("state == fine"), "state is one of ok, unresponsive, missing, unknown"),
    ],
)
def test_a_rule_that_no_fact_can_meet_is_refused(rule: Rule, problem: str) -> None:
    (said,) = rule_problems(rule)
    assert problem in said
    with pytest.raises(ValueError, match="rule r: "):
        checked_rules([rule])


def test_a_rule_over_what_there_is_passes_in_kinds_of_ones_own() -> None:
    kinds = {"card": FactKind(title="t", says="s", features={"hot": Feature("integer", "Hot.")})}
    assert not list(rule_problems(_rule("hot >= 3"), kinds))


def test_every_threshold_of_the_policy_that_a_rule_has_is_compared_with_a_number() -> None:
    for rule in ALL_RULES:
        for each in rule.when:
            if each.key:
                assert each.operator in ORDERED, (rule.name, str(each))
