"""Rows out of the database in order, in pages that bound memory and lock nobody out.

Pages rather than one long cursor: a reader that dawdles must not keep the
write-ahead log from being folded back into the ledger's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Engine, Select, tuple_

from ledger.sql import Row, events
from ledger.translation import translated

FIRST_PAGE = 100
_PAGE = 2000
PAGE_BYTES = 8 * 1024 * 1024
_DATA = 11
_TIME = 5

_SORT_AT_MOST = 20_000
"""Up to here a stretch of positions is sorted; beyond, the index on time is followed."""


def streamed(engine: Engine, statement: Select[Any]) -> Iterator[Row]:
    """All rows of a statement, fetched as they are taken."""
    with translated("reading"), engine.connect() as connection:
        result = connection.execution_options(stream_results=True).execute(statement)
        while rows := result.fetchmany(FIRST_PAGE):
            yield from map(tuple, rows)


def in_sequence(engine: Engine, statement: Select[Any]) -> Iterator[Row]:
    """Rows of a selection from ``events`` in the order of position."""
    return chain.from_iterable(pages_in_sequence(engine, statement))


def pages_in_sequence(engine: Engine, statement: Select[Any]) -> Iterator[list[Row]]:
    """The same, as lists of many rows: for whoever would feel a step for each."""
    statement = statement.order_by(events.c.sequence)
    page, after = FIRST_PAGE, 0
    with translated("reading"):
        connection = engine.connect()
    with connection:
        while True:
            with translated("reading"):
                rows = _fetched(connection, statement.where(events.c.sequence > after), page)
                # No transaction stays open while the caller works on a page.
                connection.rollback()
            if rows:
                yield rows
            if len(rows) < page:
                return
            after = rows[-1][0]
            page = next_page(page, rows)


def in_time(engine: Engine, statement: Select[Any], *, span: int) -> Iterator[Row]:
    """Rows in the order of (time, position); ``span`` is how many positions they come from.

    A short stretch is sorted. SQLite would rather walk the whole index on time
    for it, which costs what the ledger's whole history costs; adding zero keeps
    it from that.
    """
    if span <= _SORT_AT_MOST:
        yield from streamed(engine, statement.order_by(events.c.time_us + 0, events.c.sequence))
        return
    statement = statement.order_by(events.c.time_us, events.c.sequence)
    page = FIRST_PAGE
    rows = _page(engine, statement, page)
    while True:
        yield from rows
        if len(rows) < page:
            return
        last = tuple_(rows[-1][_TIME], rows[-1][0])
        page = next_page(page, rows)
        rows = _page(
            engine, statement.where(tuple_(events.c.time_us, events.c.sequence) > last), page
        )


def _page(engine: Engine, statement: Select[Any], size: int) -> list[Row]:
    with translated("reading"), engine.connect() as connection:
        return _fetched(connection, statement, size)


def _fetched(connection: Connection, statement: Select[Any], size: int) -> list[Row]:
    # The driver's own tuples: SQLAlchemy's rows cost as much again.
    return list(connection.execute(statement.limit(size)).cursor.fetchall())


def next_page(page: int, rows: Sequence[Row], at_most: int = _PAGE) -> int:
    """More at a time while rows are small, fewer where they are large."""
    if sum(len(row[_DATA]) for row in rows) > PAGE_BYTES:
        return max(1, page // 4)
    return min(at_most, page * 2)
