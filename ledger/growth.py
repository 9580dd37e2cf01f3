"""How large a ledger is, and how fast it grows: by when its events were stored."""

from __future__ import annotations

from sqlalchemy import select

from ledger.errors import NotFound
from ledger.sql import events
from ledger.store import Ledger
from ledger.translation import translated


def size_bytes(ledger: Ledger) -> int:
    """What a ledger takes up in its database."""
    with translated("reading"):
        return ledger._backend.size_bytes()


def recorded_us(ledger: Ledger, sequence: int) -> int:
    """When the event at a position was stored; raises `NotFound` where there is none."""
    found = ledger._fetch(select(events.c.recorded_us).where(events.c.sequence == sequence))
    if not found:
        raise NotFound(f"no event at position {sequence}")
    return int(found[0][0])


def stored_since(ledger: Ledger, upto: int, since_us: int) -> int:
    """How many of the events up to a position were stored at or after a time.

    It looks at a few positions only: what was stored later stands later. Where a
    clock was put back it is about right.
    """
    low, high = 1, upto + 1
    while low < high:
        middle = (low + high) // 2
        if recorded_us(ledger, middle) < since_us:
            low = middle + 1
        else:
            high = middle
    return upto + 1 - low
