"""Times to places along the time line, and round times to label.

Places are in the units of a drawing 1000 wide, of which names take the left.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.times import SECOND_US, from_datetime, to_datetime
from runledger.report import phrases
from runledger.report.selection import Selection

LEFT = 132.0
RIGHT = 988.0

_MINUTE_US = 60 * SECOND_US
_DAY_US = 86_400 * SECOND_US
_TICKS_US = (
    *(minutes * _MINUTE_US for minutes in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(days * _DAY_US for days in (1, 2, 3, 7)),
)
_MOST_TICKS = 12


class Scale:
    """Times to places."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.per_us = (RIGHT - LEFT) / selection.span_us

    def x(self, time_us: int) -> float:
        """The place of a time; those outside of the selection lie on its edge."""
        inside = min(max(time_us, self.selection.since_us), self.selection.until_us)
        return round(LEFT + (inside - self.selection.since_us) * self.per_us, 1)

    def ticks(self) -> list[tuple[float, str, bool]]:
        """Place, label, and whether a day begins there: about ten, at round times."""
        span = self.selection.span_us
        step = next((each for each in _TICKS_US if span <= each * _MOST_TICKS), None)
        if step is None:
            return [(self.x(at), f"{to_datetime(at):%b %Y}", True) for at in self._months()]
        first = -(-self.selection.since_us // step) * step
        return [
            (
                self.x(at),
                phrases.day(at) if at % _DAY_US == 0 else f"{to_datetime(at):%H:%M}",
                at % _DAY_US == 0,
            )
            for at in range(first, self.selection.until_us + 1, step)
        ]

    def _months(self) -> list[int]:
        """The beginnings of some months, a whole number of them apart."""
        first, last = to_datetime(self.selection.since_us), to_datetime(self.selection.until_us)
        begin, end = first.year * 12 + first.month, last.year * 12 + last.month
        every = next(
            each for each in (1, 2, 3, 6, 12, 60, 1200, 120_000) if end - begin <= 10 * each
        )
        months = range(begin - begin % every, end, every)
        starts = [
            from_datetime(datetime(at // 12, at % 12 + 1, 1, tzinfo=UTC))
            for at in months
            if at > 11
        ]
        return [at for at in starts if at >= self.selection.since_us]
