"""The ledger: an append-only, hash-chained sequence of events in a database.

`Ledger` appends and reads; both behave the same on SQLite and PostgreSQL.
Positions are gapless and in commit order because every append holds the one
write lock (``BEGIN IMMEDIATE``, or an advisory lock) from reading the head to
committing. What is stored is never changed: see the triggers in `migrations`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from sqlalchemy import Engine, Select, select, text

from ledger.canonical import GENESIS
from ledger.database import connect
from ledger.errors import Conflict, HeadMoved, NotFound
from ledger.event import Event
from ledger.filters import Filter, any_clause, any_matches
from ledger.location import locate
from ledger.migrate import current_revision, require_current, upgrade_engine
from ledger.reading import in_sequence, in_time, pages_in_sequence, streamed
from ledger.rows import CONTENT, to_event, to_row
from ledger.sql import DECIDING_TYPES, IS_DECIDING, Row, events, row_hash
from ledger.translation import translated
from ledger.writer import Head, Writer

__all__ = ["Appended", "Head", "Ledger", "open_ledger", "to_event"]

_POSITIONS_AT_A_TIME = 500


class Appended(NamedTuple):
    """What an append did: events stored, events that were there already, the head after."""

    stored: int
    duplicates: int
    head: Head


def open_ledger(
    location: str | Path,
    *,
    create: bool = True,
    readonly: bool = False,
    older: bool = False,
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Ledger:
    """The ledger at a SQLite path or a database URL.

    With ``create``, a missing ledger is made at the current schema. ``older``
    is for those who only read events, which every schema holds alike. ``clock``
    gives ``recordedtime`` in microseconds since the epoch. Raises `NotFound`
    (no ledger there), `SchemaMismatch` (run ``runledger upgrade``) or
    `Unavailable`.
    """
    engine = connect(locate(location), create=create and not readonly, readonly=readonly)
    try:
        if create and not readonly and current_revision(engine) is None:
            upgrade_engine(engine)
        require_current(engine, or_older=older)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, clock=clock)


class Ledger:
    """One open ledger. Safe to share between threads; forked children start afresh."""

    def __init__(self, engine: Engine, *, clock: Callable[[], int]) -> None:
        self.engine = engine
        self.writer = Writer(engine)
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the ledger opens new ones if used again."""
        self.engine.dispose()

    # -- appending ---------------------------------------------------------

    def append(self, new: Event | Iterable[Event], *, expect_head: int | None = None) -> Appended:
        """Store events whole or not at all, durably, before returning.

        An event whose id is stored already with the same content counts as a
        duplicate. Raises `Conflict` (same id, other content), `HeadMoved`
        (the head is not at position ``expect_head``) or `Unavailable`, after
        which the same events can be sent again.
        """
        drafts = [to_row(event) for event in ([new] if isinstance(new, Event) else new)]
        ids = [draft[1] for draft in drafts]
        with translated("appending"), self.writer.transaction() as transaction:
            head = transaction.head()
            if expect_head is not None and head.sequence != expect_head:
                raise HeadMoved(expect_head, head.sequence)
            rows, duplicates = _pending(drafts, transaction.rows_by_id(ids), head, self._clock())
            if rows:
                transaction.insert(rows)
                head = Head(rows[-1][0], rows[-1][14])
        return Appended(len(rows), duplicates, head)

    # -- reading -----------------------------------------------------------

    def head(self) -> Head:
        """The newest position and its hash."""
        statement = select(events.c.sequence, events.c.hash)
        statement = statement.order_by(events.c.sequence.desc()).limit(1)
        with translated("reading the head"), self.engine.connect() as connection:
            row = connection.execute(statement).first()
        return Head(0, GENESIS) if row is None else Head(row[0], row[1])

    def hash_at(self, sequence: int) -> str:
        """The hash at a position (64 zeros at 0); raises `NotFound` beyond the head."""
        if sequence == 0:
            return GENESIS
        statement = select(events.c.hash).where(events.c.sequence == sequence)
        with translated("reading a hash"), self.engine.connect() as connection:
            found = connection.execute(statement).scalar()
        if found is None:
            raise NotFound(f"no event at position {sequence}")
        return str(found)

    def hashes_at(self, sequences: Iterable[int]) -> dict[int, str]:
        """The hashes at many positions; those beyond the head are left out."""
        wanted = sorted(set(sequences))
        found = {0: GENESIS} if 0 in wanted else {}
        with translated("reading hashes"), self.engine.connect() as connection:
            for start in range(0, len(wanted), _POSITIONS_AT_A_TIME):
                part = wanted[start : start + _POSITIONS_AT_A_TIME]
                statement = select(events.c.sequence, events.c.hash)
                rows = connection.execute(statement.where(events.c.sequence.in_(part)))
                found.update((sequence, chain_hash) for sequence, chain_hash in rows)
        return found

    def get(self, id: str) -> Event:
        """The event with this id; raises `NotFound`."""
        for row in in_sequence(self.engine, select(events).where(events.c.id == id)):
            return to_event(row)
        raise NotFound(f"no event {id!r} in this ledger")

    def read(
        self,
        *,
        after: int = 0,
        upto: int | None = None,
        until_us: int | None = None,
        where: Iterable[Filter] = (),
        types: Iterable[str] | None = None,
        order: Literal["sequence", "time"] = "sequence",
    ) -> Iterator[Event]:
        """Stream events as typed events, in bounded memory.

        Positions ``after`` < sequence <= ``upto``; ``until_us`` bounds the time
        of the event (inclusive); ``types`` names event types; ``where`` widens
        with every filter. In order of position, or of (time, position).
        """
        where = tuple(where)
        rows = self.rows(
            after=after, upto=upto, until_us=until_us, where=where, types=types, order=order
        )
        found = map(to_event, rows)
        return (event for event in found if any_matches(where, event)) if where else found

    def rows(
        self,
        *,
        after: int = 0,
        upto: int | None = None,
        until_us: int | None = None,
        where: Iterable[Filter] = (),
        types: Iterable[str] | None = None,
        order: Literal["sequence", "time"] = "sequence",
    ) -> Iterator[Row]:
        """As `read`, untyped; of ``where`` only what the database can tell holds."""
        statement = select(events).where(events.c.sequence > after)
        if until_us is not None:
            statement = statement.where(events.c.time_us <= until_us)
        if types is not None:
            types = sorted(types)
            statement = statement.where(events.c.type.in_(types))
            if set(types) <= set(DECIDING_TYPES):
                statement = statement.where(text(IS_DECIDING))
        filters = tuple(where)
        if filters:
            statement = statement.where(any_clause(filters))
        if order == "sequence":
            if upto is not None:
                statement = statement.where(events.c.sequence <= upto)
            return in_sequence(self.engine, statement)
        head = self.head().sequence
        upto = head if upto is None else min(upto, head)
        statement = statement.where(events.c.sequence <= upto)
        return in_time(self.engine, statement, span=upto - after)

    def pages(
        self, *, upto: int | None = None, where: Iterable[Filter] = ()
    ) -> Iterator[list[Row]]:
        """As `rows`, in the order of position, many at a time."""
        statement = select(events)
        if upto is not None:
            statement = statement.where(events.c.sequence <= upto)
        filters = tuple(where)
        if filters:
            statement = statement.where(any_clause(filters))
        return pages_in_sequence(self.engine, statement)

    def read_rows(self, statement: Select[Any]) -> Iterator[Row]:
        """Rows of a statement, streamed while a read transaction stays open."""
        return streamed(self.engine, statement)

    def follow(
        self,
        *,
        after: int = 0,
        poll_s: float = 0.5,
        stop: Callable[[], bool] = lambda: False,
        types: Iterable[str] | None = None,
    ) -> Iterator[Event]:
        """Every event after a position, and then each new one as it is committed.

        Runs until ``stop()`` is true. Misses nothing, whatever the number of
        writers: positions become visible in order.
        """
        types = None if types is None else tuple(types)
        while not stop():
            upto = self.head().sequence
            if upto > after:
                yield from self.read(after=after, upto=upto, types=types)
                after = upto
            else:
                time.sleep(poll_s)


def _pending(
    drafts: list[Row], known: dict[str, Row], head: Head, recorded_us: int
) -> tuple[list[Row], int]:
    """The rows still to be stored, hashed from ``head`` on, and how many are there already."""
    sequence, prevhash = head
    rows: list[Row] = []
    conflicts: list[str] = []
    for draft in drafts:
        there = known.get(draft[1])
        if there is not None:
            if there[CONTENT] != draft[CONTENT]:
                conflicts.append(draft[1])
            continue
        sequence += 1
        row = (sequence, *draft[1:12], recorded_us, prevhash, "")
        prevhash = row_hash(row)
        row = (*row[:14], prevhash)
        rows.append(row)
        known[row[1]] = row
    if conflicts:
        raise Conflict(list(dict.fromkeys(conflicts)))
    return rows, len(drafts) - len(rows)
