"""A ledger as NDJSON: one event a line, exactly as stored, ready to be verified elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.errors import Damaged
from ledger.filters import Filter, any_matches
from ledger.sql import Row, wire_line
from ledger.store import Ledger, to_event


def export_lines(
    ledger: Ledger,
    where: Iterable[Filter] = (),
    *,
    after: int = 0,
    upto: int | None = None,
    types: Iterable[str] | None = None,
) -> Iterator[bytes]:
    """Lines of NDJSON with their line ends, in the order of position, in bounded memory.

    Each is the event in its canonical form with the four attributes that the
    ledger sets. A whole export can be restored; a filtered one shows events,
    but not a chain.
    """
    where = tuple(where)
    for row in ledger.rows(after=after, upto=upto, where=where, types=types):
        if not where or any_matches(where, to_event(row)):
            yield _line(row)


def _line(row: Row) -> bytes:
    try:
        return wire_line(row) + b"\n"
    except OverflowError:
        raise Damaged(f"position {row[0]} has a time beyond the years 1 to 9999", row[0]) from None
