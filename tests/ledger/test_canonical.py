"""The canonical form is RFC 8785, whichever road a value takes to it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import canonical, digest

_numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 5.0, 1e15, 1e16, 1e17, 1e20, 1e21, 1e-6, 1e-7, 5e-324, 1.5e300]),
)
_text = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["1.0,", "e+5", "2e10}", "\u2028", "\x7f", "é", "𝄞", "ﬁ", "\x1f\t\b\f"]),
)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_text, inner, max_size=5)),
    max_leaves=20,
)


@given(value=_json)
def test_it_is_what_the_reference_package_writes(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(value=_json)
def test_what_is_read_back_is_written_the_same_again(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(text)) == text


def test_the_example_of_the_rfc() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert (
        canonical(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_keys_are_sorted_by_their_utf16_units() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 0)))) == [
        "\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, b"0"),
        (-0.0, b"0"),
        (5.0, b"5"),
        (1e21, b"1e+21"),
        (1e20, b"100000000000000000000"),
        (3.819949766496909e16, b"38199497664969090"),
        (5e-324, b"5e-324"),
        (1e-7, b"1e-7"),
        (0.000001, b"0.000001"),
        (2**53 - 1, b"9007199254740991"),
        (9007199254740992.0, b"9007199254740992"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(number: float, text: bytes) -> None:
    assert canonical(number) == text
    assert math.isclose(float(text), number, rel_tol=0)


@pytest.mark.parametrize("text", ["3e5", "5.0", '"1e5,', "\\", '\\"1.0]', "a\n2.0,"])
@pytest.mark.parametrize("number", [5.0, 1e16, 1e-7, 0.5, 7])
def test_text_that_looks_like_a_number_hides_no_number(text: str, number: float) -> None:
    for value in ({text: number, "z": text}, [text, number], [number, text, {text: text}]):
        assert canonical(value) == rfc8785.dumps(value)


def test_digests_are_lower_case_sha256() -> None:
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
