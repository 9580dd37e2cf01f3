"""Proof that a ledger is what was written: every hash recomputed, every link checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ledger.canonical import GENESIS
from ledger.chain import row_hash
from ledger.reading import every_row
from ledger.rows import Row
from ledger.store import Head, Ledger

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
    for row in every_row(ledger._backend.engine, _PAGE):
        at = good.sequence + 1
        reason = ""
        if row is None:
            reason = "cannot be read"
        elif row.sequence < at:
            reason = f"is not the first (there is one at {row.sequence})"
        elif row.sequence != at:
            reason = f"is missing (the next one there is {row.sequence})"
        elif row.prevhash != good.hash:
            reason = "does not follow from the event before it"
        elif _hash(row) != row.hash:
            reason = "was changed after it was stored"
        elif expect is not None and at == expect.sequence and row.hash != expect.hash:
            reason = "has another hash than the head noted earlier"
        if reason:
            return Verification(False, good, at, f"position {at} {reason}")
        assert row is not None
        good = Head(at, row.hash)
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
