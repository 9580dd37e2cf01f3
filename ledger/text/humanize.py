"""Numbers and times as a person reads them in messages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ledger.times import format_time

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def span(seconds: float) -> str:
    """A duration in its largest whole unit: ``30 days``, ``10 minutes``, ``1.5 seconds``."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{number(seconds)} seconds"


def age(seconds: float) -> str:
    """A duration roughly: ``3 days``, ``11 minutes``."""
    for size, unit in _UNITS:
        if seconds >= 2 * size or size == 1:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("a duration is at least a number of seconds")


def to_go(seconds: float) -> str:
    """What is left of a duration, never less than it is: ``11 days``, ``5 hours``.

    >>> to_go(10.5 * 86400), to_go(3600), to_go(0)
    ('11 days', '60 minutes', '0 seconds')
    """
    for size, unit in _UNITS:
        if seconds >= 2 * size or size == 1:
            return counted(math.ceil(seconds / size), unit)
    raise AssertionError("a duration is at least a number of seconds")


def older_than(seconds: float, limit: str) -> str:
    """An age beyond a limit, never in the same words as the limit: ``over 10 minutes``."""
    text = age(seconds)
    return f"over {text}" if text == limit else text


def to_the_second(time: str) -> str:
    """A time as people read it; JSON has it to the microsecond."""
    head, _, fraction = time.rpartition(".")
    return f"{head}Z" if head and fraction[:-1].isdigit() and fraction.endswith("Z") else time


def number(value: float) -> str:
    """A number without a fraction where it has none, else with at most three digits of it."""
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """A share in whole percent; one that is not quite all or nothing never reads as if it were.

    >>> percent(0.6211), percent(0.9999), percent(0.00053), percent(1.0)
    ('62 %', 'over 99 %', 'under 1 %', '100 %')
    """
    if 0.99 < share < 1:
        return "over 99 %"
    if 0 < share < 0.01:
        return "under 1 %"
    return f"{share * 100:.0f} %"


def moment(time_us: int) -> str:
    """A time to the second, in UTC."""
    return format_time(time_us - time_us % 1_000_000).replace("T", " ")


def counted(amount: int, noun: str) -> str:
    """``1 incident``, ``2 incidents``."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def listed(items: Sequence[str], limit: int = 5) -> str:
    """A list for a sentence, cut where it is long."""
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"
