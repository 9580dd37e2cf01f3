"""A ledger as NDJSON: one event a line, exactly as stored, ready to be verified elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.chain import wire_line
from ledger.errors import Damaged
from ledger.filters import Filter
from ledger.rows import Row
from ledger.store import Ledger


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
    for page in ledger.pages(after=after, upto=upto, where=where, types=types):
        yield from map(_line, page)


def _line(row: Row) -> bytes:
    try:
        return wire_line(row) + b"\n"
    except OverflowError:
        at = row.sequence
        raise Damaged(f"position {at} has a time beyond the years 1 to 9999", at) from None
