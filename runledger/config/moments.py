"""Times as people write them: RFC 3339, ``2026-11-28``, ``14:30``, ``yesterday``, ``3d``.

What has no offset is in a zone that the caller names. A clock that was put
forward or back skips times and shows others twice: those are refused, as one
would have to be guessed. The time of a recorded event is never read by this.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ledger.times import (
    FIRST_US,
    LAST_US,
    SECOND_US,
    InvalidTime,
    from_datetime,
    parse_time,
    to_datetime,
)

FORMS = (
    "RFC 3339 such as 2026-01-24T18:02:11Z, a date, a clock time, now, today, yesterday, or an age "
    "such as 90m, 2h, 3d"
)
"""What a time may be, for help and errors."""

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(?:\d{1,12}[smhdw])+\Z", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)\Z", re.ASCII)
_CLOCK = re.compile(r"(\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\Z", re.ASCII)
_BOTH = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\Z", re.ASCII)
_LONGEST = 64


def parse_moment(text: str, *, now_us: int, zone: tzinfo = UTC, ahead: bool = False) -> int:
    """Microseconds since the epoch; raises `InvalidTime`.

    A date is where its day begins, a clock time is today's. An age lies before
    ``now_us``. With ``ahead`` it lies after it, and a clock time is the next one.

    >>> parse_moment("2h", now_us=7_200_000_000)
    0
    >>> parse_moment("1970-01-02", now_us=0) // 1_000_000
    86400
    """
    if _AGE.match(text):
        seconds = sum(int(n) * _UNIT_S[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text))
        return _possible(text, now_us + (1 if ahead else -1) * seconds * SECOND_US)
    if not needs_zone(text):
        return now_us if text == "now" else _with_offset(text)
    try:
        today = to_datetime(now_us).astimezone(zone).date()
        return _possible(text, _local(text, today, zone, now_us if ahead else None))
    except InvalidTime:
        raise
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"{text!r} is not a possible time ({error})") from None


def needs_zone(text: str) -> bool:
    """Whether a time means something else in another zone."""
    named = text in ("today", "yesterday")
    return named or any(form.match(text) for form in (_DATE, _CLOCK, _BOTH))


def _local(text: str, today: date, zone: tzinfo, after_us: int | None) -> int:
    if text in ("today", "yesterday"):
        return _midnight(today - timedelta(days=text == "yesterday"), zone)
    if _DATE.match(text):
        return _midnight(date.fromisoformat(text), zone)
    both = _BOTH.match(text)
    if both:
        day, clock = date.fromisoformat(both[1]), time.fromisoformat(both[2])
        return _exactly(text, datetime.combine(day, clock), zone)
    clock = time.fromisoformat(text)
    found = _exactly(text, datetime.combine(today, clock), zone)
    if after_us is not None and found <= after_us:  # what lies ahead is tomorrow's
        found = _exactly(text, datetime.combine(today + timedelta(days=1), clock), zone)
    return found


def _midnight(day: date, zone: tzinfo) -> int:
    """Where a day begins; where its midnight is skipped, when clocks were put forward."""
    return from_datetime(datetime.combine(day, time(), zone))


def _exactly(text: str, naive: datetime, zone: tzinfo) -> int:
    """The one moment at which clocks of a zone show this."""
    first, second = (from_datetime(naive.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    shown = [
        moment
        for moment in sorted({first, second})
        if to_datetime(moment).astimezone(zone).replace(tzinfo=None) == naive
    ]
    if len(shown) == 1:
        return shown[0]
    why = "comes twice" if shown else "is skipped"
    raise InvalidTime(
        f"{naive.isoformat(' ')} {why} in {zone}, where clocks were changed",
        remedy=f"write {text!r} with its offset from UTC",
    )


def _with_offset(text: str) -> int:
    try:
        return parse_time(text)
    except InvalidTime as error:
        if "RFC 3339" not in str(error):
            raise
        shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
        raise InvalidTime(f"{shown!r} is no time", remedy=f"write {FORMS}") from None


def _possible(text: str, moment: int) -> int:
    if not FIRST_US <= moment <= LAST_US:
        raise InvalidTime(f"{text[:_LONGEST]!r} lies outside of the years 1 to 9999 in UTC")
    return moment
