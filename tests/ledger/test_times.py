"""Times: RFC 3339 with an offset in, canonical UTC out, microseconds within."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.times import InvalidTime, format_time, from_datetime, parse_time, to_datetime

_moments = st.datetimes(
    timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 12, 31),
)


@given(moment=_moments)
def test_a_time_survives_every_form(moment: datetime) -> None:
    time_us = from_datetime(moment)
    assert parse_time(moment.isoformat()) == time_us
    assert parse_time(format_time(time_us)) == time_us
    assert to_datetime(time_us) == moment
    assert format_time(time_us).endswith("Z")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-01-24T18:02:11Z", "2026-01-24T18:02:11Z"),
        ("2026-01-24t18:02:11z", "2026-01-24T18:02:11Z"),
        ("2026-01-24 18:02:11+00:00", "2026-01-24T18:02:11Z"),
        ("2026-01-24T10:02:11.5-08:00", "2026-01-24T18:02:11.500000Z"),
        ("2026-01-24T18:02:11.1234567899Z", "2026-01-24T18:02:11.123456Z"),
        ("2026-01-24T18:02:11.000000Z", "2026-01-24T18:02:11Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00Z"),
        # A leap second is RFC 3339, too, in any zone.
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T15:59:60.25-08:00", "2017-01-01T00:00:00.250000Z"),
    ],
)
def test_one_spelling_comes_out(text: str, canonical: str) -> None:
    assert format_time(parse_time(text)) == canonical


@pytest.mark.parametrize(
    "text", ["2026-01-24T18:02:11", "2026-01-24 18:02", "2026-01-24", "2026-01-24T18:02:11.5"]
)
def test_a_time_without_an_offset_is_refused_and_told_what_to_write(text: str) -> None:
    with pytest.raises(InvalidTime, match="has no offset from UTC: write for example"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-02-30T00:00:00Z", "2026-01-24T24:00:00Z", "2026-01-24T18:02:61Z",
        "2026-01-24T18:02:60Z", "2016-12-31T23:59:60+01:00", "9999-12-31T23:59:60Z",
        "2026-01-24T18:02:11+25:00", "2026-1-24T18:02:11Z", "٢٠٢٦-01-24T18:02:11Z", "x" * 10_000,
        "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "2026-01-24T18:02:11Z\n",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidTime) as caught:
        parse_time(text)
    assert len(str(caught.value)) < 250


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(InvalidTime, match="tzinfo"):
        from_datetime(datetime(2026, 1, 24))
    assert from_datetime(datetime(1970, 1, 1, tzinfo=UTC)) == 0
