"""Proof that a ledger is what was written: every hash recomputed, every link checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sqlalchemy import select

from ledger.canonical import GENESIS
from ledger.errors import LedgerError, NotFound, Unavailable
from ledger.reading import FIRST_PAGE, next_page
from ledger.sql import Row, events, row_hash
from ledger.store import Head, Ledger
from ledger.translation import translated

_PAGE = 5000


class Verification(NamedTuple):
    """The result: the last position that verifies, and the first that does not (or None)."""

    ok: bool
    head: Head
    first_bad: int | None
    reason: str = ""


def verify(
    ledger: Ledger,
    *,
    expect: Head | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Recompute the whole chain; ``expect`` is a head noted earlier.

    Without ``expect`` a ledger whose newest events were cut off verifies: the
    chain cannot know what followed. ``progress`` is called with positions.
    """
    good = Head(0, GENESIS)
    expected_seen = expect is None or expect.sequence == 0
    for row in _rows(ledger):
        at = good.sequence + 1
        reason = ""
        if row is None:
            reason = "cannot be read"
        elif row[0] < at:
            reason = f"is not the first (there is one at {row[0]})"
        elif row[0] != at:
            reason = f"is missing (the next one there is {row[0]})"
        elif row[13] != good.hash:
            reason = "does not follow from the event before it"
        elif _hash(row) != row[14]:
            reason = "was changed after it was stored"
        elif expect is not None and at == expect.sequence and row[14] != expect.hash:
            reason = "has another hash than the head noted earlier"
        if reason:
            return Verification(False, good, at, f"position {at} {reason}")
        assert row is not None
        good = Head(at, row[14])
        expected_seen = expected_seen or (expect is not None and at == expect.sequence)
        if at % _PAGE == 0:
            progress(at)
    if not expected_seen:
        at = good.sequence + 1
        return Verification(False, good, at, f"position {at} and what followed are cut off")
    return Verification(True, good, None)


def _hash(row: Row) -> str:
    """The row's hash; empty for values that no event ever had."""
    try:
        return row_hash(row)
    except (TypeError, ValueError, OverflowError):
        return ""


def _rows(ledger: Ledger) -> Iterator[Row | None]:
    """Rows in order; None for the first that the database or its text cannot give."""
    # From wherever the first one stands: other readers see none before position 1.
    statement = following = select(events).order_by(events.c.sequence)
    page, searching = FIRST_PAGE, False
    while True:
        try:
            with translated("verifying"), ledger.engine.connect() as connection:
                found = following.limit(page)
                rows = connection.execute(found).cursor.fetchall()  # the driver's own tuples
        except (Unavailable, NotFound):
            raise
        except (LedgerError, ValueError):
            if page == 1:
                yield None
                return
            page, searching = 1, True  # find the very row
            continue
        yield from rows
        if len(rows) < page:
            return
        following = statement.where(events.c.sequence > rows[-1][0])
        page = 1 if searching else next_page(page, rows, _PAGE)
