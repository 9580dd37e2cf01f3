"""Conditions are read as they are written, and what is no condition says what to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conditions import Condition, parse_condition, when


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("temp_c >= 95", Condition("temp_c", ">=", 95)),
        ("used_share>1.5", Condition("used_share", ">", 1.5)),
        ("used_share > 1e3", Condition("used_share", ">", 1000.0)),
        ("a == -3", Condition("a", "==", -3)),
        ("out == false", Condition("out", "==", False)),
        ("out != true", Condition("out", "!=", True)),
        ("state == ok", Condition("state", "==", "ok")),
        ('step == "3"', Condition("step", "==", "3")),
        ('model == "RX \\"6600\\""', Condition("model", "==", 'RX "6600"')),
        ("incidents >= $gpu.exclude_after_incidents",
         Condition("incidents", ">=", key="gpu.exclude_after_incidents")),
        ("exists(temp_c)", Condition("temp_c", "exists")),
        (" missing( temp_c ) ", Condition("temp_c", "missing")),
    ],
)  # fmt: skip
def test_a_condition_is_read(text: str, condition: Condition) -> None:
    assert parse_condition(text) == condition


@pytest.mark.parametrize(
    "text",
    ["", "temp_c", "temp_c =", "temp_c = 3", "temp_c >= ", "temp_c ~ 3", "3temp >= 3", "exists()",
     "exists(a, b)", "a == b c", 'a == "open', "a == 1x", "a == $b", "1 == a"],
)  # fmt: skip
def test_what_is_no_condition_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"FEATURE OP VALUE|a value is"):
        parse_condition(text)


_values = st.one_of(
    st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)


@given(
    operator=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    value=_values,
)
def test_what_is_written_is_read_again(operator: str, value: str | int | float | bool) -> None:
    written = Condition("feature_1", operator, value)  # type: ignore[arg-type]
    again = parse_condition(str(written))
    assert (again, type(again.limit)) == (written, type(value))


def test_the_conditions_of_a_rule_keep_their_order() -> None:
    assert [each.feature for each in when("b == 1", "missing(a)", "c > $gpu.window_s")] == list(
        "bac"
    )
