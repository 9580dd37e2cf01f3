"""Filling an empty ledger from an export, positions, times and hashes included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ledger.chain import row_hash
from ledger.errors import InvalidEvents, NotEmpty, Problem
from ledger.event import MAX_PAYLOAD_BYTES, parse_line
from ledger.reading import PAGE_BYTES
from ledger.rows import Row, to_row
from ledger.store import Appended, Ledger
from ledger.strict_json import shown
from ledger.translation import translated
from ledger.writer import Head, Transaction

_BATCH = 1000
_NAMED_AT_MOST = 100
"""Problems named before giving up: a broken file may have millions."""


def restore(
    ledger: Ledger,
    lines: Iterable[str | bytes],
    *,
    progress: Callable[[int], None] = lambda _: None,
    max_bytes: int = MAX_PAYLOAD_BYTES,
) -> Appended:
    """Store the events of an export as they were, whole or not at all.

    ``lines`` are read as they are needed; memory stays flat. ``progress`` is
    called with positions. Raises `NotEmpty`, or `InvalidEvents` naming the
    lines that are no events, or the first that does not continue the chain.
    """
    ledger.make()
    with translated("restoring"), ledger._writer.transaction() as transaction:
        head = transaction.head()
        if head.sequence:
            raise NotEmpty(head.sequence)
        rows = _checked(_parsed(lines, max_bytes), head)
        for batch in _batches(rows):
            _refuse_known_ids(transaction, batch)
            transaction.insert(batch)
            head = Head(batch[-1].sequence, batch[-1].hash)
            progress(head.sequence)
    return Appended(head.sequence, 0, head)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """The rows, many at a time, and fewer where they are large."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.data)
        if len(batch) == _BATCH or size > PAGE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parsed(lines: Iterable[str | bytes], max_bytes: int) -> Iterator[tuple[int, Row]]:
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        event = parse_line(number, line, problems, stored=True, max_bytes=max_bytes)
        if event is not None and not problems:
            yield number, to_row(event)
        elif len(problems) >= _NAMED_AT_MOST:
            break
    if problems:
        raise InvalidEvents(problems)


def _checked(rows: Iterator[tuple[int, Row]], head: Head) -> Iterator[Row]:
    for number, row in rows:
        at = head.sequence + 1
        if row.sequence != at:
            raise _broken(number, "sequence", f"{row.sequence} where {at} should follow")
        if row.prevhash != head.hash:
            raise _broken(number, "prevhash", f"position {at} does not follow from the one before")
        if row_hash(row) != row.hash:
            raise _broken(number, "hash", f"position {at} was changed after it was stored")
        head = Head(at, row.hash)
        yield row


def _refuse_known_ids(transaction: Transaction, rows: list[Row]) -> None:
    """A chain can be forged around an id that stands twice; no ledger ever wrote one."""
    ids = [row.id for row in rows]
    known = set(transaction.rows_by_id(ids))
    for row in rows:
        if row.id in known:
            raise _broken(0, "id", f"{shown(row.id)} of position {row.sequence} is taken already")
        known.add(row.id)


def _broken(line: int, field: str, message: str) -> InvalidEvents:
    remedy = "restore from a whole, unchanged export, made without --where"
    return InvalidEvents([Problem(field, message, remedy, line)])
