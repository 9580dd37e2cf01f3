"""Storing events whose ids say what they are, leaving those that are there already alone.

An importer makes the same id for the same fact every time, yet what it would
store today may differ from what was stored: another zone was assumed, a live
collector knew the run it belonged to. The first word stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from ledger import Conflict, Event, Ledger
from ledger.sql import events as table

_BATCH = 500
_ATTEMPTS = 5


def store_unknown(ledger: Ledger, events: Iterable[Event]) -> tuple[int, int]:
    """Append the events whose ids the ledger does not know: (stored, duplicates).

    In batches; each is whole or absent, and sending all again completes what
    was cut off.
    """
    stored = duplicates = 0
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == _BATCH:
            stored, duplicates = _added(ledger, batch, stored, duplicates)
            batch = []
    return _added(ledger, batch, stored, duplicates) if batch else (stored, duplicates)


def _added(
    ledger: Ledger, batch: Sequence[Event], stored: int, duplicates: int
) -> tuple[int, int]:
    for attempt in range(1, _ATTEMPTS + 1):
        known = _known(ledger, [event.id for event in batch])
        fresh = {event.id: event for event in reversed(batch) if event.id not in known}
        try:
            done = ledger.append(list(reversed(fresh.values()))) if fresh else None
        except Conflict:  # someone stored one of them between the look and the append
            if attempt == _ATTEMPTS:
                raise
            continue
        new = done.stored if done else 0
        return stored + new, duplicates + len(batch) - new
    raise AssertionError("unreachable")


def _known(ledger: Ledger, ids: Sequence[str]) -> set[str]:
    statement = select(table.c.id).where(table.c.id.in_(ids))
    with ledger.engine.connect() as connection:
        return set(connection.execute(statement).scalars())
