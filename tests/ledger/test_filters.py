"""Filters: every term must hold, several filters widen, and a slip is named with its remedy."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Event, InvalidFilter, new_event, parse_filter
from ledger.filters import any_matches, parse_filters
from ledger.payloads import SshProbe
from ledger.testing import NIGHT_US, sample_event
from ledger.times import SECOND_US, format_time


def _event(sequence: int, at_us: int = NIGHT_US) -> Event:
    return msgspec.structs.replace(sample_event(sequence), sequence=sequence, time_us=at_us)


def _at(seconds: int) -> str:
    return format_time(NIGHT_US + seconds * SECOND_US)


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("seq=3", [3]),
        ("seq=3..5", [3, 4, 5]),
        ("seq=8..", [8, 9]),
        ("seq=2..7,seq=5..9", [5, 6, 7]),
        ("seq=5..9,seq=2..7", [5, 6, 7]),
        ("seq=5..,seq=6", [6]),
        ("seq=1..2,seq=4..5", []),
    ],
)
def test_positions(text: str, positions: list[int]) -> None:
    where = parse_filter(text)
    assert [n for n in range(1, 10) if where.matches(_event(n))] == positions


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (f"since={_at(3)}", [3, 4, 5]),
        (f"until={_at(3)}", [0, 1, 2, 3]),
        (f"since={_at(3)},since={_at(1)}", [3, 4, 5]),
        (f"until={_at(1)},until={_at(3)}", [0, 1]),
        (f"since={_at(2)},until={_at(2)}", [2]),
        (f"since={_at(3)},until={_at(2)}", []),
    ],
)
def test_both_ends_of_a_period_belong_to_it(text: str, seconds: list[int]) -> None:
    where = parse_filter(text)
    found = [n for n in range(6) if where.matches(_event(1, NIGHT_US + n * SECOND_US))]
    assert found == seconds


def test_a_filter_given_twice_widens() -> None:
    where = parse_filters(["seq=1..2", "seq=2..3"])
    assert [n for n in range(1, 6) if any_matches(where, _event(n))] == [1, 2, 3]


def test_blanks_around_terms_mean_nothing() -> None:
    spaced = parse_filter(" type = smu_error , node=rig-6600 ")
    assert spaced.patterns == parse_filter("type=smu_error,node=rig-6600").patterns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not KEY=VALUE"),
        ("type", "is not KEY=VALUE"),
        ("type=", "is not KEY=VALUE"),
        ("=smu_error", "is not KEY=VALUE"),
        ("type=smu_error,", "is not KEY=VALUE"),
        ("typ=smu_error", "did you mean type?"),
        ("nod=zeus", "did you mean node?"),
        ("seq=*", "write a position"),
        ("seq=5..3", "comes before"),
        ("since=2026-01-24", "no offset"),
    ],
)
def test_a_slip_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(text)
    assert words in str(caught.value)


@given(pattern=st.text("ab*", min_size=1, max_size=8), name=st.text("ab", min_size=1, max_size=10))
def test_a_star_stands_for_any_text(pattern: str, name: str) -> None:
    event = new_event(SshProbe(node=name, reachable=True), time_us=0, source="test")
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    expected = re.fullmatch(expression, name) is not None
    assert parse_filter(f"node={pattern}").matches(event) == expected


def test_many_stars_on_a_long_name_are_no_trouble() -> None:
    event = new_event(SshProbe(node="a" * 1000, reachable=True), time_us=0, source="test")
    assert not parse_filter("node=" + "*a" * 40 + "*b").matches(event)
