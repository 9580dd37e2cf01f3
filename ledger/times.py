"""Times as integers: microseconds since 1970-01-01T00:00:00Z.

Events are ordered, windowed and compared by these integers; text appears
only at the edges. The canonical text is RFC 3339 in UTC with a ``Z``, and six
fractional digits only where the fraction is not zero. A time without an
offset is refused: its zone would have to be guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ledger.errors import BadInput, LedgerError

SECOND_US = 1_000_000

_DAY_S = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_LAST_S = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
FIRST_US, LAST_US = _FIRST_S * SECOND_US, _LAST_S * SECOND_US + SECOND_US - 1
"""The first and the last moment that have a text: the years 1 to 9999."""

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d+))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)\Z",
    re.ASCII,
)
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?)?\Z", re.ASCII)


class InvalidTime(LedgerError, BadInput, ValueError):
    """Text that is not an RFC 3339 time with an offset."""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 64 else text[:64] + "…")


def parse_time(text: str) -> int:
    """Microseconds since the epoch for an RFC 3339 text such as ``2026-01-24T18:02:11Z``.

    Digits beyond the microsecond are dropped. Raises `InvalidTime`, whose text
    says what to write instead.
    """
    match = _RFC3339.match(text)
    if match is None:
        if _NAIVE.match(text):
            raise InvalidTime(
                f"{_shown(text)} has no offset from UTC",
                remedy="write for example 2026-01-24T18:02:11Z or 2026-01-24T10:02:11-08:00",
            )
        raise InvalidTime(
            f"{_shown(text)} is not an RFC 3339 time",
            remedy="write for example 2026-01-24T18:02:11Z",
        )
    day, clock, fraction, offset = match.groups()
    offset = "+00:00" if offset in "Zz" else offset
    # A leap second has no number of its own: it counts as the one after it.
    leap = clock.endswith(":60")
    try:
        whole = datetime.fromisoformat(f"{day}T{clock[:-2] + '59' if leap else clock}{offset}")
        seconds = (whole - _EPOCH) // timedelta(seconds=1) + leap
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"{_shown(text)} is not a possible time ({error})") from None
    if leap and seconds % _DAY_S:
        raise InvalidTime(
            f"{_shown(text)} is not a possible time (only the last second of a day in UTC is 60)"
        )
    if not _FIRST_S <= seconds <= _LAST_S:
        raise InvalidTime(f"{_shown(text)} lies outside of the years 1 to 9999 in UTC")
    return seconds * SECOND_US + int((fraction or "0")[:6].ljust(6, "0"))


@lru_cache(maxsize=4096)
def _minute_text(minutes: int) -> str:
    return (_EPOCH + timedelta(minutes=minutes)).isoformat()[:17]


def format_time(time_us: int) -> str:
    """The canonical text of a time given in microseconds since the epoch."""
    rest, fraction = divmod(time_us, SECOND_US)
    minutes, second = divmod(rest, 60)
    if fraction:
        return f"{_minute_text(minutes)}{second:02d}.{fraction:06d}Z"
    return f"{_minute_text(minutes)}{second:02d}Z"


def from_datetime(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime; a naive one is refused."""
    if moment.tzinfo is None:
        raise InvalidTime(f"{moment!r} is naive: attach its zone, for example tzinfo=UTC")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(time_us: int) -> datetime:
    """The aware UTC datetime of a time given in microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=time_us)
