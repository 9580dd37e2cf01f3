"""Appending events whose ids were derived from what they are about.

The same kernel line read twice has the same id, and an id that is stored keeps
what is stored under it: a better clock or a later parser may say it a little
differently, which is no conflict but the same event again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from ledger import Appended, Conflict, Event, Ledger
from ledger.database import translated
from ledger.sql import events as table

_IDS_AT_ONCE = 500
_TRIES = 5


def append_new(ledger: Ledger, events: Sequence[Event]) -> Appended:
    """Append those of ``events`` whose id is not stored; the others are duplicates.

    Raises as `Ledger.append`. Another writer may store one of them meanwhile:
    then it is looked up again.
    """
    for attempt in range(1, _TRIES + 1):
        seen = stored_ids(ledger, [event.id for event in events])
        fresh = []
        for event in events:
            if event.id not in seen:
                seen.add(event.id)
                fresh.append(event)
        try:
            done = ledger.append(fresh)
        except Conflict:
            if attempt == _TRIES:
                raise
            continue
        known = len(events) - len(fresh)
        return Appended(done.stored, done.duplicates + known, done.head)
    raise AssertionError("unreachable")


def stored_ids(ledger: Ledger, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` that the ledger holds."""
    wanted = list(dict.fromkeys(ids))
    found: set[str] = set()
    with translated("looking for events"), ledger.engine.connect() as connection:
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            chunk = wanted[start : start + _IDS_AT_ONCE]
            statement = select(table.c.id).where(table.c.id.in_(chunk))
            found.update(connection.execute(statement).scalars())
    return found
