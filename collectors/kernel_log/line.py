"""One line of a kernel log, taken apart."""

from __future__ import annotations

from calendar import monthrange
from typing import NamedTuple

import msgspec


class Civil(NamedTuple):
    """A stamp as a clock on the wall shows it: without zone, perhaps without year or day."""

    year: int | None
    month: int | None
    day: int | None
    hour: int
    minute: int
    second: int
    microsecond: int

    def possible(self) -> bool:
        """Whether some day of some year has this stamp (a leap second does not)."""
        if self.hour > 23 or self.minute > 59 or self.second > 59:
            return False
        if self.month is None or self.day is None:
            return True
        if not 1 <= self.month <= 12 or self.year == 0:
            return False
        return 1 <= self.day <= monthrange(self.year or 2000, self.month)[1]

    def of_day_us(self) -> int:
        """Microseconds since midnight."""
        return ((self.hour * 60 + self.minute) * 60 + self.second) * 1_000_000 + self.microsecond


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what the kernel said, and when, as far as the line tells.

    ``text`` is the message without any frame, ``raw`` the line as it stood in
    the log (for JSON formats the message); both may have indented continuation
    lines attached. ``monotonic_us`` counts from boot, ``wall_us`` from the
    epoch, ``civil`` lacks a zone, ``delta_us`` counts from the line before.
    ``level`` is the kernel's, 0 (emergency) to 7 (debug). ``kernel`` is false
    where another program wrote the line; ``certain``: its own frame stands
    around it, and nothing else can be the kernel's message. ``boot_id``, ``sequence`` and
    ``cursor`` are there where the format carries them.
    """

    number: int
    raw: str
    text: str
    monotonic_us: int | None = None
    wall_us: int | None = None
    civil: Civil | None = None
    delta_us: int | None = None
    host: str | None = None
    level: int | None = None
    kernel: bool = True
    certain: bool = False
    boot_id: str | None = None
    sequence: int | None = None
    cursor: str | None = None
    kmsg: bool = False

    @property
    def stamped(self) -> bool:
        """Whether the line itself says anything about its time."""
        return not (
            self.monotonic_us is None
            and self.wall_us is None
            and self.civil is None
            and self.delta_us is None
        )
