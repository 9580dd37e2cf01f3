"""Times as people write them."""

from __future__ import annotations

import contextlib
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.times import InvalidTime, format_time, parse_time
from runledger.config.moments import parse_moment

NOW_US = parse_time("2026-11-28T22:15:30.5Z")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "utc", "berlin"),
    [
        ("now", "2026-11-28T22:15:30.500000Z", None),
        ("today", "2026-11-28T00:00:00Z", "2026-11-27T23:00:00Z"),
        ("yesterday", "2026-11-27T00:00:00Z", "2026-11-26T23:00:00Z"),
        ("2026-07-01", "2026-07-01T00:00:00Z", "2026-06-30T22:00:00Z"),
        ("14:30", "2026-11-28T14:30:00Z", "2026-11-28T13:30:00Z"),
        ("14:30:05.25", "2026-11-28T14:30:05.250000Z", "2026-11-28T13:30:05.250000Z"),
        ("2026-07-01T08:00", "2026-07-01T08:00:00Z", "2026-07-01T06:00:00Z"),
        ("2026-07-01 08:00:01", "2026-07-01T08:00:01Z", "2026-07-01T06:00:01Z"),
        ("2026-07-01T08:00:00+09:00", "2026-06-30T23:00:00Z", None),
        ("90m", "2026-11-28T20:45:30.500000Z", None),
        ("3d", "2026-11-25T22:15:30.500000Z", None),
        ("1h30m", "2026-11-28T20:45:30.500000Z", None),
        ("2w", "2026-11-14T22:15:30.500000Z", None),
        ("0s", "2026-11-28T22:15:30.500000Z", None),
    ],
)
def test_a_time_is_in_the_zone_that_is_named(text: str, utc: str, berlin: str | None) -> None:
    assert format_time(parse_moment(text, now_us=NOW_US)) == utc
    assert format_time(parse_moment(text, now_us=NOW_US, zone=BERLIN)) == (berlin or utc)


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("2h", "2026-11-29T00:15:30.500000Z"),
        ("23:00", "2026-11-28T23:00:00Z"),
        ("06:00", "2026-11-29T06:00:00Z"),
        ("2026-12-01", "2026-12-01T00:00:00Z"),
        ("today", "2026-11-28T00:00:00Z"),
    ],
)
def test_what_lies_ahead_is_counted_forward(text: str, ahead: str) -> None:
    assert format_time(parse_moment(text, now_us=NOW_US, ahead=True)) == ahead


@pytest.mark.parametrize(
    ("text", "zone", "why"),
    [
        ("2026-03-29T02:30", "Europe/Berlin", "is skipped"),
        ("2026-10-25 02:30", "Europe/Berlin", "comes twice"),
        ("2011-12-30T12:00", "Pacific/Apia", "is skipped"),
    ],
)
def test_what_changed_clocks_skip_or_show_twice_is_not_guessed(
    text: str, zone: str, why: str
) -> None:
    with pytest.raises(InvalidTime, match=why) as caught:
        parse_moment(text, now_us=NOW_US, zone=ZoneInfo(zone))
    assert "offset from UTC" in caught.value.remedy


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),  # begins at 01:00
        ("2026-11-01", "America/Havana", "2026-11-01T04:00:00Z"),  # midnight comes twice
        ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"),
    ],
)
def test_a_day_begins_where_its_first_moment_is(day: str, zone: str, begins: str) -> None:
    assert format_time(parse_moment(day, now_us=NOW_US, zone=ZoneInfo(zone))) == begins


@pytest.mark.parametrize(
    "text",
    [
        *("", "noon", "2h ago", "-2h", "3y", "7:30", "TODAY ", "1.5h", "2h\n", "٣d", "9999999999d"),
        *("2026-13-01", "25:00", "2026-11-28T", "0001-01-01", "2026-11-28T14:30:00.1234567"),
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InvalidTime):
        parse_moment(text, now_us=NOW_US, zone=BERLIN)


@given(st.text(max_size=40))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with contextlib.suppress(InvalidTime):
        parse_moment(text, now_us=NOW_US, zone=BERLIN)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_has_an_offset_is_what_the_ledger_reads(moment: object) -> None:
    text = str(moment)
    assert parse_moment(text, now_us=NOW_US, zone=BERLIN) == parse_time(text)
