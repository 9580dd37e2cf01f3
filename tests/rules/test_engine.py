"""durable-rules against plain Python, over rules and facts of every shape."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import reference
from rules.engine import Engine, EngineFailure
from rules.policy import default_policy
from rules.ruleset import Rule, Scalar, resolve
from rules.rulesets import ALL_RULES

RULES = resolve(ALL_RULES, default_policy())
KINDS = sorted({rule.about for rule in RULES})

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
_values = st.one_of(_numbers, _texts, st.booleans())


def _features_of(kind: str) -> dict[str, list[Scalar]]:
    """The features that rules about a kind look at, with the values they compare to."""
    found: dict[str, list[Scalar]] = {}
    for rule in RULES:
        if rule.about == kind:
            for feature, _, value in rule.when:
                found.setdefault(feature, []).append(value)
    return found


@st.composite
def _facts(draw: st.DrawFn) -> tuple[str, dict[str, Scalar]]:
    kind = draw(st.sampled_from(KINDS))
    features = {}
    for feature, limits in _features_of(kind).items():
        near: list[Scalar] = list(limits)
        for limit in limits:
            if isinstance(limit, bool):
                near.append(not limit)
            elif isinstance(limit, int | float):
                near += [limit - 1, limit + 1]
        same_kind = _texts if isinstance(limits[0], str) else st.sampled_from(near)
        features[feature] = draw(st.one_of(st.sampled_from(near), same_kind))
    return kind, features


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(RULES)


@settings(max_examples=150, deadline=None)
@given(facts=st.lists(_facts(), min_size=1, max_size=8))
def test_the_rules_fire_as_plain_python_says(engine: Engine, facts: list[Any]) -> None:
    assert engine.fired(facts) == reference.fired(RULES, facts)


_conditions = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    _numbers,
)
_text_conditions = st.tuples(
    st.sampled_from(["s", "t"]),
    st.sampled_from(["==", "!="]),
    _texts.filter(lambda t: "\x00" not in t),
)


def _rule(position: int, when: list[Any]) -> Rule:
    return Rule(
        name=f"r{position}",
        about="thing",
        when=tuple(when),
        severity="info",
        message="",
        remedy="",
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    whens=st.lists(
        st.lists(st.one_of(_conditions, _text_conditions), min_size=1, max_size=3),
        min_size=1,
        max_size=5,
    ),
    things=st.lists(
        st.fixed_dictionaries(
            {"a": _numbers, "b": _numbers, "c": _numbers},
        ).flatmap(
            lambda numbers: st.fixed_dictionaries(
                {"s": _texts.filter(lambda t: "\x00" not in t), "t": st.sampled_from(["ok", "no"])}
            ).map(lambda texts: {**numbers, **texts})
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_any_rules_over_numbers_and_text_fire_as_plain_python_says(
    whens: list[Any], things: list[Any]
) -> None:
    rules = [_rule(position, when) for position, when in enumerate(whens)]
    facts = [("thing", features) for features in things]
    assert Engine(rules).fired(facts) == reference.fired(rules, facts)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None, [1], {"a": 1}])
def test_a_value_that_durable_rules_cannot_hold_is_refused_before_it_sees_it(
    engine: Engine, value: Any
) -> None:
    with pytest.raises(EngineFailure):
        engine.fired([("gpu", {"failures": value})])
    assert engine.fired([("gpu", {"failures": 3})]) == reference.fired(
        RULES, [("gpu", {"failures": 3})]
    )


def test_a_fact_that_no_rule_is_about_fires_nothing(engine: Engine) -> None:
    assert engine.fired([("nothing like it", {"x": 1}), ("gpu", {})]) == [(), ()]


def test_many_facts_at_once_and_again(engine: Engine) -> None:
    facts: list[Any] = [
        fact
        for state in ("ok", "watch", "excluded", "retire")
        for failures in range(350)
        for fact in (
            ("gpu", {"rules": state, "reinstated": False, "taken_out": False}),
            ("gpu_failures", {"failures": failures}),
        )
    ]
    expected = reference.fired(RULES, facts)
    assert engine.fired(facts) == expected
    assert engine.fired(facts[::-1]) == expected[::-1]


# In a process of its own: in this one, other tests have made the peak that is measured.
_MANY_ENGINES = """
import gc, resource
from rules.engine import Engine
from rules.policy import default_policy
from rules.ruleset import resolve
from rules.rulesets import ALL_RULES

def peak_mib(engines):
    for _ in range(engines):
        Engine(RULES).fired([("fleet", {"configured": 1, "usable": 0})])
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

RULES = resolve(ALL_RULES, default_policy())
before = peak_mib(10)
print(peak_mib(60) - before)
"""


def test_an_engine_that_is_let_go_frees_what_was_compiled_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MANY_ENGINES], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 20  # about 40 MiB if they stayed
