"""Rows out of the database in order, in pages that bound memory and lock nobody out.

Pages rather than one long cursor: a reader that dawdles must not keep the
write-ahead log from being folded back into the ledger's file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, Select, select, text, tuple_

from ledger.errors import LedgerError, NotFound, Unavailable
from ledger.event import Event
from ledger.filters import Filter, any_clause, any_decided, any_matches
from ledger.rows import Row, to_event
from ledger.sql import DECIDING_TYPES, IS_DECIDING, events
from ledger.translation import translated

Order = Literal["sequence", "time"]
Pages = Iterator[list[Row]]
_Values = Sequence[tuple[Any, ...]]
"""The driver's own tuples, in the order of a row's columns: to name each costs a tenth."""

_SEQUENCE, _TIME, _DATA = (Row._fields.index(name) for name in ("sequence", "time_us", "data"))

FIRST_PAGE = 100
_PAGE = 2000
PAGE_BYTES = 8 * 1024 * 1024

_SORT_AT_MOST = 20_000
"""Up to here a stretch of positions is sorted; beyond, the index on time is followed."""


class Narrowed(NamedTuple):
    """Which events to read: positions ``after`` < sequence <= ``upto``, times inclusive.

    ``where`` widens with every filter; none lets all through.
    """

    after: int = 0
    upto: int | None = None
    since_us: int | None = None
    until_us: int | None = None
    types: Iterable[str] | None = None
    where: tuple[Filter, ...] = ()

    def statement(self) -> Select[Any]:
        """The database's part of it: every row that matches, and few others."""
        statement = select(events).where(events.c.sequence > self.after)
        if self.upto is not None:
            statement = statement.where(events.c.sequence <= self.upto)
        if self.since_us is not None:
            statement = statement.where(events.c.time_us >= self.since_us)
        if self.until_us is not None:
            statement = statement.where(events.c.time_us <= self.until_us)
        if self.types is not None:
            types = sorted(self.types)
            statement = statement.where(events.c.type.in_(types))
            if set(types) <= set(DECIDING_TYPES):
                statement = statement.where(text(IS_DECIDING))
        return statement.where(any_clause(self.where)) if self.where else statement

    def _candidates(self, engine: Engine, order: Order) -> Iterator[_Values]:
        """Rows that the database lets through; by time, ``upto`` must say where they end."""
        if order == "sequence":
            return _in_sequence(engine, self.statement())
        assert self.upto is not None
        # A stretch of time is a stretch of the index already.
        short = self.since_us is None and self.upto - self.after <= _SORT_AT_MOST
        return (_sorted if short else _in_time)(engine, self.statement())

    def pages(self, engine: Engine) -> Pages:
        """Rows in the order of position, many at a time: for whoever would feel a step for each."""
        pages = (list(map(Row._make, page)) for page in self._candidates(engine, "sequence"))
        if any_decided(self.where):
            return pages
        return ([row for row in page if any_matches(self.where, to_event(row))] for page in pages)

    def events(self, engine: Engine, order: Order) -> Iterator[Event]:
        """Typed events, one at a time."""
        found = map(to_event, chain.from_iterable(self._candidates(engine, order)))
        if any_decided(self.where):
            return found
        return (event for event in found if any_matches(self.where, event))

    def newest(self, engine: Engine, count: int) -> list[Event]:
        """The last ``count`` events in the order of position."""
        found: list[Event] = []
        statement = self.statement().order_by(events.c.sequence.desc())
        page, before = min(count, _PAGE), None
        while len(found) < count:
            older = statement if before is None else statement.where(events.c.sequence < before)
            with translated("reading"), engine.connect() as connection:
                rows = _fetched(connection, older.limit(page))
            found += (event for event in map(to_event, rows) if any_matches(self.where, event))
            if len(rows) < page:
                break
            before, page = rows[-1][_SEQUENCE], _next_page(page, rows)
        return found[:count][::-1]


def _in_sequence(engine: Engine, statement: Select[Any]) -> Iterator[_Values]:
    statement = statement.order_by(events.c.sequence)
    page, after = FIRST_PAGE, 0
    with translated("reading"):
        connection = engine.connect()
    with connection:
        while True:
            with translated("reading"):
                rows = _fetched(connection, statement.where(events.c.sequence > after).limit(page))
                # No transaction stays open while the caller works on a page.
                connection.rollback()
            if rows:
                yield rows
            if len(rows) < page:
                return
            after = rows[-1][_SEQUENCE]
            page = _next_page(page, rows)


def _sorted(engine: Engine, statement: Select[Any]) -> Iterator[_Values]:
    """By (time, position), sorted and streamed.

    SQLite would rather walk the whole index on time, which costs what the
    ledger's whole history costs; adding zero keeps it from that.
    """
    statement = statement.order_by(events.c.time_us + 0, events.c.sequence)
    with translated("reading"), engine.connect() as connection:
        result = connection.execution_options(stream_results=True).execute(statement)
        while rows := result.fetchmany(FIRST_PAGE):
            yield list(map(tuple, rows))


def _in_time(engine: Engine, statement: Select[Any]) -> Iterator[_Values]:
    """By (time, position), along the index."""
    statement = following = statement.order_by(events.c.time_us, events.c.sequence)
    page = FIRST_PAGE
    while True:
        with translated("reading"), engine.connect() as connection:
            rows = _fetched(connection, following.limit(page))
        yield rows
        if len(rows) < page:
            return
        last = tuple_(rows[-1][_TIME], rows[-1][_SEQUENCE])
        following = statement.where(tuple_(events.c.time_us, events.c.sequence) > last)
        page = _next_page(page, rows)


def _fetched(connection: Connection, statement: Select[Any]) -> _Values:
    # The driver's own tuples: SQLAlchemy's rows cost as much again.
    found: _Values = connection.execute(statement).cursor.fetchall()
    return found


def every_row(engine: Engine, at_most: int) -> Iterator[Row | None]:
    """Rows in order of position, from wherever the first one stands.

    None, and nothing more, for the first that the database or its text cannot give.
    """
    # Other readers see none before position 1.
    statement = following = select(events).order_by(events.c.sequence)
    page, searching = FIRST_PAGE, False
    while True:
        try:
            with translated("verifying"), engine.connect() as connection:
                rows = _fetched(connection, following.limit(page))
        except (Unavailable, NotFound):
            raise
        except (LedgerError, ValueError):
            if page == 1:
                yield None
                return
            page, searching = 1, True  # find the very row
            continue
        yield from map(Row._make, rows)
        if len(rows) < page:
            return
        following = statement.where(events.c.sequence > rows[-1][_SEQUENCE])
        page = 1 if searching else _next_page(page, rows, at_most)


def _next_page(page: int, rows: _Values, at_most: int = _PAGE) -> int:
    """More at a time while rows are small, fewer where they are large."""
    if sum(len(row[_DATA]) for row in rows) > PAGE_BYTES:
        return max(1, page // 4)
    return min(at_most, page * 2)
