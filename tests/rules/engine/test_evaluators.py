"""Both evaluators say the same, over rules and facts of every shape; what neither may hold."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.conditions import Condition, Scalar
from rules.engine import EVALUATORS, EngineFailure, Evaluator, evaluator, problem_of, why_not
from rules.engine.plain import PlainEvaluator
from rules.features import FACTS
from rules.in_force import resolve
from rules.policy import default_policy
from rules.ruleset import Rule
from rules.rulesets import ALL_RULES

RULES = resolve(ALL_RULES, default_policy())
PLAIN = PlainEvaluator(RULES)
HERE = [name for name in EVALUATORS if not why_not(name)]

_numbers = st.one_of(
    st.integers(-(2**53), 2**53),
    st.integers(-3, 60_000),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0, 1, 2, 30, 50_000, 49_999, 0.5, -0.0]),
)
_texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["ok", "yes", "no", "'", '"', "\\", "$m", "\x00", "\u2028", "ü𝄞", "true"]),
)


def _near(limits: list[Scalar]) -> list[Scalar]:
    """Values at some limits and close to them."""
    near: list[Scalar] = []
    for limit in limits:
        near += [limit, not limit] if isinstance(limit, bool) else [limit]
        if isinstance(limit, int | float) and not isinstance(limit, bool):
            near += [limit - 1, limit + 1, float(limit), limit / 2]
    return near


@st.composite
def _facts(draw: st.DrawFn) -> tuple[str, dict[str, Scalar]]:
    """A fact of a kind that there is, each feature near what it is compared to, or left out."""
    kind = draw(st.sampled_from(sorted(FACTS)))
    features: dict[str, Scalar] = {}
    for name, feature in FACTS[kind].features.items():
        limits = [
            each.limit
            for rule in RULES
            if rule.about == kind
            for each in rule.when
            if each.feature == name and each.limit is not None
        ]
        any_value = {"text": _texts, "boolean": st.booleans()}.get(feature.type, _numbers)
        choices: list[Any] = [any_value, st.none()]
        if limits:
            choices.append(st.sampled_from(_near(limits)))
        value = draw(st.one_of(*choices))
        if value is not None:
            features[name] = value
    return kind, features


@pytest.fixture(scope="module", params=HERE)
def engine(request: pytest.FixtureRequest) -> Evaluator:
    return evaluator(RULES, request.param)


@settings(max_examples=150, deadline=None)
@given(facts=st.lists(_facts(), min_size=1, max_size=8))
def test_the_rules_fire_as_plain_python_says(engine: Evaluator, facts: list[Any]) -> None:
    assert engine.fired(facts) == PLAIN.fired(facts)


_written = _texts.filter(lambda text: "\x00" not in text)
_conditions = st.one_of(
    st.builds(
        Condition,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        _numbers,
    ),
    st.builds(Condition, st.sampled_from(["s", "t"]), st.sampled_from(["==", "!="]), _written),
    st.builds(Condition, st.just("y"), st.sampled_from(["==", "!="]), st.booleans()),
    st.builds(
        Condition, st.sampled_from(["a", "b", "s", "y"]), st.sampled_from(["exists", "missing"])
    ),
)
_things = st.fixed_dictionaries(
    {},
    optional={
        "a": _numbers,
        "b": _numbers,
        "c": _numbers,
        "s": _written,
        "t": st.sampled_from(["ok", "no"]),
        "y": st.booleans(),
        "beside": _numbers,
    },
)


def _rule(position: int, when: list[Condition]) -> Rule:
    return Rule(
        name=f"r{position}",
        about="thing",
        when=tuple(when),
        severity="info",
        message="",
        remedy="",
    )


@pytest.mark.parametrize("name", HERE)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    whens=st.lists(st.lists(_conditions, min_size=1, max_size=3), min_size=1, max_size=5),
    things=st.lists(_things, min_size=1, max_size=12),
)
def test_any_rules_fire_as_plain_python_says(
    name: Any, whens: list[list[Condition]], things: list[dict[str, Scalar]]
) -> None:
    rules = [_rule(position, when) for position, when in enumerate(whens)]
    facts = [("thing", features) for features in things]
    asked = evaluator(rules, name)
    expected = PlainEvaluator(rules).fired(facts)
    assert asked.fired(facts) == expected
    assert asked.fired(facts[::-1]) == expected[::-1]


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_no_comparison_holds_of_a_feature_without_a_value(name: Any, operator: Any) -> None:
    asked = evaluator([_rule(0, [Condition("a", operator, 5)])], name)
    assert asked.fired([("thing", {}), ("thing", {"b": 5})]) == [(), ()]


@pytest.mark.parametrize("name", HERE)
def test_numbers_may_have_any_size_and_spelling(name: Any) -> None:
    limits: list[int | float] = [10**400, 2**70, 2**63, 1e-06, 1e16, 1e22, 5e-324, -1e-05]
    operators: list[Any] = ["==", "!=", "<", "<=", ">", ">="]
    rules = [
        _rule(0, [Condition("a", operator, limit)]) for limit in limits for operator in operators
    ]
    facts = [("thing", {"a": limit}) for limit in (*limits, 0, 2**63 + 1, 1e300, -(2**65))]
    assert evaluator(rules, name).fired(facts) == PlainEvaluator(rules).fired(facts)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None, [1], {"a": 1}])
def test_a_value_that_an_evaluator_cannot_hold_is_refused(engine: Evaluator, value: Any) -> None:
    with pytest.raises(EngineFailure):
        engine.fired([("gpu_failures", {"failures": value})])
    assert engine.fired([("gpu_failures", {"failures": 3})]) == PLAIN.fired(
        [("gpu_failures", {"failures": 3})]
    )


def test_a_fact_that_no_rule_is_about_fires_nothing(engine: Evaluator) -> None:
    assert engine.fired([("nothing like it", {"x": 1}), ("gpu", {})]) == [(), ()]


def test_many_facts_at_once_and_again(engine: Evaluator) -> None:
    facts: list[Any] = [
        fact
        for incidents in range(12)
        for exclusions in range(50)
        for fact in (
            ("gpu", {"incidents": incidents, "exclusions": exclusions, "most_incidents": 1}),
            ("gpu_failures", {"failures": exclusions}),
        )
    ]
    expected = PLAIN.fired(facts)
    assert engine.fired(facts) == expected
    assert engine.fired(facts[::-1]) == expected[::-1]


@pytest.mark.parametrize("name", HERE)
def test_each_evaluator_fires_a_rule(name: Any) -> None:
    assert problem_of(name) == ""


# In a process of its own: in this one, other tests have made the peak that is measured.
_MANY_ENGINES = """
import gc, resource
from rules.engine.durable import DurableEvaluator
from rules.in_force import resolve
from rules.policy import default_policy
from rules.rulesets import ALL_RULES

def peak_mib(engines):
    for _ in range(engines):
        DurableEvaluator(RULES).fired([("fleet", {"configured": 1, "usable": 0})])
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

RULES = resolve(ALL_RULES, default_policy())
before = peak_mib(10)
print(peak_mib(60) - before)
"""


@pytest.mark.skipif(bool(why_not("durable")), reason="durable-rules is for Python up to 3.12")
def test_an_engine_that_is_let_go_frees_what_was_compiled_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MANY_ENGINES], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 20  # about 40 MiB if they stayed
