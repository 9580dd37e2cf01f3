"""Events kept over a window of event time: the newest, and a count of those beyond."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from ledger import Event
from rules.conditions import Scalar
from rules.state import Kept

MOST_KEPT = 10_000
"""Events kept of one subject."""

NAMED = 20
"""So many of the newest kept events are named as evidence."""

_SLOTS = 64
"""What is beyond the kept events is counted in so many parts of a window."""


class Window(NamedTuple):
    """What of the kept events lies within a window: ``events`` names the newest few.

    ``beyond`` counts what it holds that was not kept, to a 64th of the window.
    """

    times: Sequence[int]
    values: Sequence[Scalar]
    events: Sequence[str]
    beyond: int


def keep(kept: Kept, event: Event, span_us: int, value: Scalar | None = None) -> None:
    """Keep one more event, which is the newest, and drop what the window no longer holds."""
    kept.times.append(event.time_us)
    kept.events.append(event.id)
    if value is not None:
        kept.values.append(value)
    oldest_us = event.time_us - span_us
    if kept.times[0] <= oldest_us:
        _drop(kept, bisect_right(kept.times, oldest_us))
    if len(kept.times) > MOST_KEPT:
        _count_beyond(kept, span_us, oldest_us)
        _drop(kept, 1)
    del kept.events[:-NAMED]


def within(kept: Kept, span_us: int | None, at_us: int) -> Window:
    """What of the kept events has a time in (at - span, at]; without a span, all of it."""
    if span_us is None:
        return Window(kept.times, kept.values, kept.events, 0)
    oldest_us = at_us - span_us
    start = bisect_right(kept.times, oldest_us)
    left = len(kept.times) - start
    slot_us = _slot_us(span_us)
    return Window(
        kept.times[start:],
        kept.values[start:],
        kept.events[max(0, len(kept.events) - left) :],
        sum(count for slot, count in kept.beyond if (slot + 1) * slot_us > oldest_us),
    )


def _count_beyond(kept: Kept, span_us: int, oldest_us: int) -> None:
    slot_us = _slot_us(span_us)
    slot = kept.times[0] // slot_us
    kept.beyond = [each for each in kept.beyond if (each[0] + 1) * slot_us > oldest_us]
    if kept.beyond and kept.beyond[-1][0] == slot:
        kept.beyond[-1] = (slot, kept.beyond[-1][1] + 1)
    else:
        kept.beyond.append((slot, 1))


def _slot_us(span_us: int) -> int:
    return max(1, span_us // _SLOTS)


def _drop(kept: Kept, amount: int) -> None:
    """Drop the oldest kept events."""
    del kept.times[:amount]
    del kept.values[:amount]
    del kept.events[: max(0, len(kept.events) - len(kept.times))]
