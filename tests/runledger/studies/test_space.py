"""Spaces as values: read with every problem named, compared with what is stored."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from runledger.studies.comparing import compare
from runledger.studies.space import (
    InvalidSpace,
    StudyIdentity,
    from_optuna,
    identity_of,
    identity_of_study,
    numeric,
    parameter_json,
    space_json,
    to_optuna,
)
from runledger.studies.space_reading import identity_from_json

SPACE: dict[str, BaseDistribution] = {
    "window": IntDistribution(2, 500),
    "rate": FloatDistribution(1e-5, 0.1, log=True),
    "share": FloatDistribution(0.0, 1.0, step=0.25),
    "session": CategoricalDistribution(["midday", "evening", None]),
}
BASE = identity_of(SPACE, ["maximize"], {"data_set": "daily3", "seed_start": 0})


def changed(**changes: Any) -> StudyIdentity:
    """The base study with some parameters replaced (None: taken away)."""
    space: dict[str, BaseDistribution] = {**SPACE, **changes}
    return identity_of(
        {name: each for name, each in space.items() if each is not None},
        BASE.directions,
        BASE.scope,
    )


# -- identity -----------------------------------------------------------------------


def test_the_fingerprint_does_not_depend_on_order_or_spelling() -> None:
    again = identity_of(dict(reversed(SPACE.items())), BASE.directions,
                        {"seed_start": "0", "data_set": "daily3"})  # fmt: skip
    assert again.fingerprint == BASE.fingerprint
    assert len(BASE.fingerprint) == 64


@pytest.mark.parametrize(
    "other",
    [
        changed(window=IntDistribution(2, 501)),
        changed(window=FloatDistribution(2, 500)),
        changed(session=CategoricalDistribution(["evening", "midday", None])),
        changed(rate=FloatDistribution(1e-5, 0.1)),
        changed(share=None),
        msgspec.structs.replace(BASE, directions=("minimize",)),
        msgspec.structs.replace(BASE, scope={"data_set": "daily4", "seed_start": 0}),
        msgspec.structs.replace(BASE, scope=None),
    ],
)
def test_every_change_changes_the_fingerprint(other: StudyIdentity) -> None:
    assert other.fingerprint != BASE.fingerprint
    assert compare(BASE, other).verdict != "safe"


def test_choices_that_python_deems_equal_are_told_apart() -> None:
    flags = changed(session=CategoricalDistribution([True, False]))
    bits = changed(session=CategoricalDistribution([1, 0]))
    assert compare(flags, bits).verdict == "new_study"


def test_a_scope_may_hold_what_json_cannot() -> None:
    scope = {"data": Path("draws.json"), "limit": math.inf, "range": (1, 2), 7: "seven"}
    plain = {"data": "draws.json", "limit": "inf", "range": [1, 2], "7": "seven"}
    as_given, as_written = identity_of(SPACE, scope=scope), identity_of(SPACE, scope=plain)
    assert as_given == as_written
    assert as_given.fingerprint == as_written.fingerprint


@pytest.mark.parametrize("distribution", list(SPACE.values()))
def test_a_distribution_survives_the_way_through_json(distribution: BaseDistribution) -> None:
    parameter = from_optuna(distribution)
    assert to_optuna(parameter) == distribution
    program = {"parameters": {"x": parameter_json(parameter)}}
    assert identity_from_json(program).space["x"] == parameter
    as_optuna_writes = {
        "parameters": {"x": msgspec.json.decode(distribution_to_json(distribution))}
    }
    assert identity_from_json(as_optuna_writes).space["x"] == parameter


def test_a_study_tells_its_space_by_what_it_tried() -> None:
    study = optuna.create_study(direction="maximize")
    with pytest.raises(InvalidSpace, match="has tried nothing"):
        identity_of_study(study)
    study.ask({"window": IntDistribution(2, 500)})
    study.ask({"rate": FloatDistribution(0, 1), "window": IntDistribution(2, 600)})
    found = identity_of_study(study, {"data_set": "d"})
    assert found.space["window"].high == 600, "the newest"
    assert (set(found.space), found.directions) == ({"window", "rate"}, ("maximize",))


# -- reading ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ([], "the space is no JSON object"),
        ({}, "parameters: missing"),
        ({"parameters": {}}, "parameters: missing"),
        ({"params": {}}, "params: unknown key; did you mean parameters?"),
        ({"parameters": {"x": 3}}, "parameters.x.type: write one of float, int, categorical"),
        ({"parameters": {"x": {"type": "real"}}}, "parameters.x.type: write one of"),
        ({"parameters": {"x": {"type": "int", "low": 1}}}, "parameters.x.high: write a finite"),
        ({"parameters": {"x": {"type": "int", "low": 1, "high": 2.5}}}, "finite whole number"),
        ({"parameters": {"x": {"type": "float", "low": "1", "high": 2}}}, "parameters.x.low"),
        ({"parameters": {"x": {"type": "float", "low": 3, "high": 2}}}, "low 3 is above high 2"),
        (
            {"parameters": {"x": {"type": "int", "low": 1, "high": 2, "stp": 1}}},
            "did you mean step",
        ),
        ({"parameters": {"x": {"type": "int", "low": 1, "high": 2, "step": 0}}}, "above 0"),
        ({"parameters": {"x": {"type": "int", "low": 1, "high": 2, "log": 1}}}, "true or false"),
        ({"parameters": {"x": {"type": "categorical", "choices": []}}}, "at least one choice"),
        ({"parameters": {"x": {"type": "categorical"}}}, "at least one choice"),
        ({"parameters": {"x": {"name": "Unknown", "attributes": {}}}}, "write one of"),
        ({"direction": "up"}, "'up' is neither minimize nor maximize"),
        ({"directions": []}, "neither minimize nor maximize"),
        ({"scope": "d"}, "scope: write it as an object"),
    ],
)
def test_what_cannot_be_understood_is_named(program: Any, problem: str) -> None:
    with pytest.raises(InvalidSpace) as raised:
        identity_from_json(program)
    assert any(problem in each for each in raised.value.problems), raised.value.problems


def test_all_problems_are_named_at_once() -> None:
    program = {"direction": "up", "parameters": {"x": {}, "y": {"type": "int"}}}
    with pytest.raises(InvalidSpace) as raised:
        identity_from_json(program)
    assert len(raised.value.problems) == 4


# -- values in a space --------------------------------------------------------------------


@given(st.sampled_from(list(SPACE)), st.data())
def test_what_optuna_proposes_is_held_and_stays_as_it_is(name: str, data: st.DataObject) -> None:
    distribution = SPACE[name]
    study = optuna.create_study(
        sampler=optuna.samplers.RandomSampler(data.draw(st.integers(0, 99)))
    )
    value = study.ask({name: distribution}).params[name]
    parameter = from_optuna(distribution)
    assert parameter.holds(value)
    assert parameter.nearest(value) == pytest.approx(value) if value is not None else True


@given(
    st.integers(-1000, 1000), st.integers(0, 1000), st.sampled_from([None, 0.1, 3.0]),
    st.floats(allow_nan=False),
)  # fmt: skip
def test_the_nearest_value_always_lies_in_optunas_distribution(
    low: int, width: int, step: float | None, value: float
) -> None:
    parameter = numeric("float", low, low + width, step, False)
    distribution = to_optuna(parameter)
    assert distribution._contains(distribution.to_internal_repr(parameter.nearest(value)))


@pytest.mark.filterwarnings("ignore:The distribution is specified")
def test_a_stepped_range_ends_where_optuna_ends_it() -> None:
    for distribution in (FloatDistribution(0.05, 1, step=0.3), IntDistribution(2, 10, step=3)):
        written = numeric(
            "int" if isinstance(distribution, IntDistribution) else "float",
            distribution.low,
            10 if isinstance(distribution, IntDistribution) else 1.0,
            distribution.step,
            False,
        )
        assert written == from_optuna(distribution)


@pytest.mark.parametrize(
    ("distribution", "value", "nearest"),
    [
        (IntDistribution(2, 500), 1, 2),
        (IntDistribution(2, 500), 9999, 500),
        (IntDistribution(2, 500), 7.0, 7),
        (IntDistribution(2, 10, step=3), 7, 8),
        (IntDistribution(2, 10, step=3), 99, 8),
        (FloatDistribution(0, 1), "inf", 1.0),
        (FloatDistribution(0, 1), 1, 1.0),
        (FloatDistribution(0, 1, step=0.25), 0.3, 0.25),
        (CategoricalDistribution(["a", None, 1]), None, None),
        (CategoricalDistribution(["a", None, 1]), "1", msgspec.UNSET),
        (CategoricalDistribution(["a", None, 1]), True, msgspec.UNSET),
        (IntDistribution(2, 500), "text", msgspec.UNSET),
        (IntDistribution(2, 500), None, msgspec.UNSET),
        (FloatDistribution(0, 1), True, msgspec.UNSET),
    ],
)
def test_values_are_brought_into_the_space_where_there_is_a_way(
    distribution: BaseDistribution, value: Any, nearest: Any
) -> None:
    found = from_optuna(distribution).nearest(value)
    assert found is nearest or (found == nearest and type(found) is type(nearest))


def test_large_integers_are_told_apart() -> None:
    parameter = from_optuna(IntDistribution(0, 10**10, step=10))
    assert parameter.holds(10**10)
    assert not parameter.holds(10**10 - 1)


# -- safe, new study, refuse ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "verdict", "what", "why"),
    [
        (BASE, "safe", None, ""),
        (changed(window=IntDistribution(2, 900)), "new_study", "parameter window", "a wider range"),
        (changed(window=IntDistribution(5, 90)), "new_study", "parameter window", "a narrower"),
        (changed(window=IntDistribution(5, 900)), "new_study", "parameter window", "a shifted"),
        (changed(window=IntDistribution(2, 500, step=2)), "new_study", "parameter window", "step"),
        (changed(window=FloatDistribution(2, 500)), "new_study", "parameter window", "of another"),
        (changed(window=None), "new_study", "parameter window", "gone"),
        (changed(gap=IntDistribution(0, 1)), "new_study", "parameter gap", "new: past trials"),
        (changed(session=CategoricalDistribution(["midday"])), "new_study", "parameter session",
         "other choices: Optuna would fail"),
        (changed(session=CategoricalDistribution([None, "midday", "evening"])), "new_study",
         "parameter session", "choices in another order"),
        (msgspec.structs.replace(BASE, scope={"data_set": "daily4", "seed_start": 0}),
         "new_study", "scope data_set", "nothing is carried over unless told so"),
        (msgspec.structs.replace(BASE, directions=("minimize",)), "refuse", "direction",
         "Optuna would silently keep the stored direction"),
        (msgspec.structs.replace(BASE, directions=("maximize", "minimize")), "refuse",
         "direction", "Optuna would silently keep"),
    ],
)  # fmt: skip
def test_each_difference_has_its_verdict_and_reason(
    program: StudyIdentity, verdict: str, what: str | None, why: str
) -> None:
    comparison = compare(BASE, program)
    assert comparison.verdict == verdict
    if what is None:
        assert comparison.differences == ()
    else:
        (difference,) = comparison.differences
        assert difference.what == what
        assert why in difference.why


GREAT = 2**63 - 1


def test_a_range_of_64_bits_has_a_fingerprint_and_comes_back_exactly() -> None:
    identity = identity_of({"seed": IntDistribution(0, GREAT)})
    again = identity_from_json({"parameters": space_json(identity.space)})
    assert again == identity
    assert again.fingerprint == identity.fingerprint
    assert again.space["seed"].high == GREAT
    assert to_optuna(again.space["seed"]) == IntDistribution(0, GREAT)
    other = identity_of({"seed": IntDistribution(0, GREAT - 1)})
    assert other.fingerprint != identity.fingerprint


@pytest.mark.parametrize("value", [2**53 + 1, str(2**53 + 1), GREAT, str(GREAT)])
def test_a_seed_of_64_bits_is_found_exactly(value: object) -> None:
    parameter = identity_of({"seed": IntDistribution(0, GREAT)}).space["seed"]
    assert parameter.holds(value)
    assert parameter.nearest(value) == int(str(value))


def test_a_stepped_range_of_64_bits_ends_on_its_last_step() -> None:
    parameter = identity_of({"seed": IntDistribution(1, GREAT, step=1000)}).space["seed"]
    assert parameter.high == 1 + (GREAT - 1) // 1000 * 1000
    assert not parameter.holds(2**60)
    assert parameter.holds(1 + 1000 * 2**50)
