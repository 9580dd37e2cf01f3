"""When a line was written: stamps of every kind become microseconds since the epoch.

In this order: a monotonic stamp with a known boot time; a stamp with an
offset; a stamp without one, read in the assumed zone; a monotonic stamp
against what the log itself says of the boot (the real-time clock being read,
or a line with both stamps); a delta to the line before; and for a line without
any stamp the time of the line before, or the boot time at the start of a log.

A missing year or day is the latest one that is not after the present time, or,
with a boot time, the first one since the boot. What none of this can place has
no time: it is never given the present one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from collectors.kernel_log.line import Civil, Line
from ledger.times import SECOND_US, from_datetime, to_datetime

DAY_US = 86_400 * SECOND_US
_BOOT_SLACK_US = 300 * SECOND_US
"""A boot time is rounded, so the first lines may seem older by a little."""
_BACK_SLACK_US = 7200 * SECOND_US
"""Clocks are set back (by an hour for daylight saving) without a day having passed."""
_YEAR_10000_US = 253_402_300_800 * SECOND_US

_RTC = re.compile(r"setting system clock to .*\((\d{9,10})\)")


class Placed(NamedTuple):
    """A line's time, if it has one, and its stamp as text that never depends on the present."""

    time_us: int | None
    stamp: str


class Clock:
    """Places the lines of one log, in order; lines between may be left out where `stands_alone`.

    ``now_us`` is the present time, ``boot_time_us`` when the machine booted
    (all in microseconds since the epoch), ``zone`` that of stamps without
    offset; ``clock_offset_us`` is the machine's clock less ours.
    """

    def __init__(
        self,
        *,
        now_us: int,
        boot_time_us: int | None = None,
        boot_id: str | None = None,
        zone: tzinfo = UTC,
        clock_offset_us: int = 0,
    ) -> None:
        self._clock_offset_us = clock_offset_us
        self._now_us = now_us
        self._boot_time_us = boot_time_us
        self._boot = boot_digits(boot_id)
        self._zone = zone
        self._this_year = self._local(now_us).year
        self._offset_us: int | None = None
        self._last = Placed(boot_time_us, "")

    @property
    def knows_boot(self) -> bool:
        """Whether the boot time was given, so that no line needs to tell it."""
        return self._boot_time_us is not None

    def stands_alone(self, line: Line) -> bool:
        """Whether the time of ``line`` does not depend on the lines before it."""
        if line.monotonic_us is not None or line.wall_us is not None:
            return True
        if line.civil is None:
            return False
        return line.civil.day is not None or self._boot_time_us is None

    def place(self, line: Line) -> Placed:
        """Place ``line`` and remember it for the lines that lean on it."""
        time_us = self._time(line)
        if time_us is not None and not 0 <= time_us < _YEAR_10000_US:
            time_us = None
        self._last = Placed(time_us, self._stamp(line))
        return self._last

    def learn(self, line: Line) -> None:
        """Take from ``line`` when the machine booted, where it tells."""
        if line.monotonic_us is None or self._boot_time_us is not None:
            return
        clock = _RTC.search(line.text)
        if clock is not None:
            self._offset_us = int(clock[1]) * SECOND_US - line.monotonic_us
        elif line.wall_us is not None or line.civil is not None:
            time_us = self._time(line)
            self._offset_us = None if time_us is None else time_us - line.monotonic_us

    def _time(self, line: Line) -> int | None:
        if line.monotonic_us is not None:
            if self._boot_time_us is not None and self._of_this_boot(line):
                return self._boot_time_us + line.monotonic_us
            if line.wall_us is None and line.civil is None:
                return None if self._offset_us is None else self._offset_us + line.monotonic_us
        if line.wall_us is not None:
            return line.wall_us - self._clock_offset_us
        if line.civil is not None:
            civil_us = self._civil_us(line.civil)
            return None if civil_us is None else civil_us - self._clock_offset_us
        if line.delta_us is not None and self._last.time_us is not None:
            return self._last.time_us + line.delta_us
        return None if line.delta_us is not None else self._last.time_us

    def _of_this_boot(self, line: Line) -> bool:
        """A journal may hold several boots: the time given is the named one's, else the first's."""
        boot = boot_digits(line.boot_id)
        if boot and not self._boot:
            self._boot = boot
        return not boot or boot == self._boot

    def _stamp(self, line: Line) -> str:
        parts = []
        if line.monotonic_us is not None:
            parts.append(f"m{line.monotonic_us}")
        if line.monotonic_us is None or not (
            self._boot or line.boot_id or self._boot_time_us is not None
        ):
            # Without a boot to count from, the same count may come again.
            if line.wall_us is not None:
                parts.append(f"w{line.wall_us}")
            elif line.civil is not None:
                parts.append(
                    "c" + "-".join("" if part is None else str(part) for part in line.civil)
                )
        if line.delta_us is not None:
            base, _, since = self._last.stamp.partition("+")
            parts.append(f"{base}+{int(since or 0) + line.delta_us}")
        return " ".join(parts) or self._last.stamp

    def _civil_us(self, civil: Civil) -> int | None:
        if civil.month is None or civil.day is None:
            return self._day_missing(civil)
        if civil.year is None:
            return self._year_missing(civil)
        return self._instant(civil.year, civil.month, civil.day, civil)

    def _year_missing(self, civil: Civil) -> int | None:
        assert civil.month is not None
        assert civil.day is not None
        since_us = None if self._boot_time_us is None else self._boot_time_us - DAY_US
        placed = None
        for year in range(self._this_year + 1, self._this_year - 10, -1):  # 29 February is rare
            time = self._instant(year, civil.month, civil.day, civil)
            if time is None or time > self._now_us:
                continue
            if placed is not None and (since_us is None or time < since_us):
                break
            placed = time
            if since_us is None:
                break
        return placed

    def _day_missing(self, civil: Civil) -> int | None:
        start_us = self._now_us - DAY_US
        if self._boot_time_us is not None:
            start_us = self._boot_time_us - _BOOT_SLACK_US
            if self._last.time_us is not None and self._last.stamp:
                start_us = max(start_us, self._last.time_us - _BACK_SLACK_US)
        for from_us in (start_us, self._now_us - DAY_US):
            day = self._local(from_us).date()
            for _ in range(3):
                time = self._instant(day.year, day.month, day.day, civil)
                if time is not None and from_us < time <= self._now_us:
                    return time
                day += timedelta(days=1)
        return None

    def _instant(self, year: int, month: int, day: int, civil: Civil) -> int | None:
        clock = (civil.hour, civil.minute, civil.second, civil.microsecond)
        try:
            return from_datetime(datetime(year, month, day, *clock, tzinfo=self._zone))
        except (ValueError, OverflowError):
            return None

    def _local(self, time_us: int) -> datetime:
        return to_datetime(time_us).astimezone(self._zone)


def boot_digits(boot_id: str | None) -> str:
    """A boot id as far as it tells boots apart: the journal writes it without hyphens."""
    return (boot_id or "").replace("-", "").lower()
