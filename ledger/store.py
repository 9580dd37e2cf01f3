"""The ledger: an append-only, hash-chained sequence of events in a database.

`Ledger` appends and reads; both behave the same on SQLite and PostgreSQL.
Positions are gapless and in commit order because every append holds the one
write lock (``BEGIN IMMEDIATE``, or an advisory lock) from reading the head to
committing. What is stored is never changed: see the triggers in `migrations`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine, Select, select

from ledger.canonical import GENESIS
from ledger.database import connect, locate, translated
from ledger.errors import Conflict, Damaged, HeadMoved, NotFound
from ledger.event import Event, payload_text
from ledger.filters import Filter, any_clause, any_matches
from ledger.migrate import current_revision, require_current, upgrade_engine
from ledger.registry import PAYLOAD_TYPES, decode_payload
from ledger.sql import EVENT_COLUMNS, Row, events, row_hash

_PAGE = 2000
"""Rows fetched at a time: bounds memory and the age of a read transaction."""

_IDS_AT_A_TIME = 500
_CONTENT = slice(2, 12)
"""The columns of a row that make up an event's content (type to data), without id."""


class Head(NamedTuple):
    """The newest position and its hash; (0, 64 zeros) for an empty ledger."""

    sequence: int
    hash: str


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
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Ledger:
    """The ledger at a SQLite path or a database URL.

    With ``create``, a missing ledger is made at the current schema. ``clock``
    gives ``recordedtime`` in microseconds since the epoch. Raises `NotFound`
    (no ledger there), `SchemaMismatch` (run ``runledger upgrade``) or
    `Unavailable`.
    """
    engine = connect(locate(location), create=create and not readonly, readonly=readonly)
    try:
        if create and not readonly and current_revision(engine) is None:
            upgrade_engine(engine)
        require_current(engine)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, clock=clock)


class Ledger:
    """One open ledger. Safe to share between threads; forked children start afresh."""

    def __init__(self, engine: Engine, *, clock: Callable[[], int]) -> None:
        self.engine = engine
        self._clock = clock
        postgres = engine.dialect.name == "postgresql"
        mark = "%s" if postgres else "?"
        columns = ", ".join(EVENT_COLUMNS)
        marks = ", ".join([mark] * len(EVENT_COLUMNS))
        self._mark = mark
        self._begin = "BEGIN" if postgres else "BEGIN IMMEDIATE"
        self._lock = (
            "SELECT pg_advisory_xact_lock(hashtext('runledger append ' || current_schema()))"
            if postgres
            else None
        )
        self._insert = f"INSERT INTO events ({columns}) VALUES ({marks})"
        self._select_by_id = f"SELECT {columns} FROM events WHERE id IN "
        self._select_head = "SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1"
        # Writers of one process take turns here rather than in the database's
        # busy handler, which is unfair and slow to wake.
        self._turn = threading.Lock()

    def __enter__(self) -> Ledger:
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
        (the head is not at position ``expect_head``) or `Unavailable`.
        """
        batch = [new] if isinstance(new, Event) else list(new)
        drafts = [_draft(event) for event in batch]
        return self._write(expect_head, lambda cursor, head: self._pending(cursor, head, drafts))

    def append_stored(self, batch: Sequence[Event]) -> Appended:
        """Store events with the sequence, time, and hashes they carry (for `restore`).

        They must continue the chain; raises `Damaged` naming the first that does not.
        """
        rows = [
            (event.sequence, *_draft(event)[1:12], event.recorded_us, event.prevhash, event.hash)
            for event in batch
        ]

        def continued(_cursor: Any, head: Head) -> tuple[list[Row], int]:
            for row in rows:
                if row[0] != head.sequence + 1 or row[13] != head.hash or row[14] != row_hash(row):
                    raise Damaged(
                        f"position {head.sequence + 1} does not verify", head.sequence + 1
                    )
                head = Head(row[0], row[14])
            return rows, 0

        return self._write(None, continued)

    def _write(
        self,
        expect_head: int | None,
        prepare: Callable[[Any, Head], tuple[list[Row], int]],
    ) -> Appended:
        with self._turn, translated("appending"):
            connection = self.engine.raw_connection()
            cursor = connection.cursor()
            try:
                cursor.execute(self._begin)
                if self._lock is not None:
                    cursor.execute(self._lock)
                cursor.execute(self._select_head)
                head = Head(*(cursor.fetchone() or (0, GENESIS)))
                if expect_head is not None and head.sequence != expect_head:
                    raise HeadMoved(expect_head, head.sequence)
                rows, duplicates = prepare(cursor, head)
                if len(rows) == 1:
                    cursor.execute(self._insert, rows[0])
                elif rows:
                    cursor.executemany(self._insert, rows)
                if rows:
                    head = Head(rows[-1][0], rows[-1][14])
                cursor.execute("COMMIT")
            except BaseException:
                # After a failed COMMIT (disk full, I/O error) the state of the
                # connection is anybody's guess: throw it away.
                connection.invalidate()
                raise
            cursor.close()
            connection.close()
        return Appended(len(rows), duplicates, head)

    def _pending(self, cursor: Any, head: Head, drafts: list[Row]) -> tuple[list[Row], int]:
        """The rows still to be stored, hashed from ``head`` on, and how many are there already."""
        known = self._rows_by_id(cursor, [draft[1] for draft in drafts])
        recorded_us = self._clock()
        sequence, prevhash = head
        rows: list[Row] = []
        duplicates = 0
        conflicts: list[str] = []
        for draft in drafts:
            there = known.get(draft[1])
            if there is not None:
                duplicates += 1
                if there[_CONTENT] != draft[_CONTENT]:
                    conflicts.append(draft[1])
                continue
            sequence += 1
            row = (sequence, *draft[1:12], recorded_us, prevhash, "")
            prevhash = row_hash(row)
            row = (*row[:14], prevhash)
            rows.append(row)
            known[row[1]] = row
        if conflicts:
            raise Conflict(conflicts)
        return rows, duplicates

    def _rows_by_id(self, cursor: Any, ids: list[str]) -> dict[str, Row]:
        known: dict[str, Row] = {}
        for start in range(0, len(ids), _IDS_AT_A_TIME):
            part = ids[start : start + _IDS_AT_A_TIME]
            cursor.execute(f"{self._select_by_id}({', '.join([self._mark] * len(part))})", part)
            known.update((row[1], tuple(row)) for row in cursor.fetchall())
        return known

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

    def get(self, id: str) -> Event:
        """The event with this id; raises `NotFound`."""
        for event in self._pages(select(events).where(events.c.id == id), by_time=False):
            return event
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
        statement = select(events).where(events.c.sequence > after)
        if upto is not None:
            statement = statement.where(events.c.sequence <= upto)
        if until_us is not None:
            statement = statement.where(events.c.time_us <= until_us)
        if types is not None:
            statement = statement.where(events.c.type.in_(sorted(types)))
        where = tuple(where)
        if where:
            statement = statement.where(any_clause(where))
        found = self._pages(statement, by_time=order == "time")
        return (event for event in found if any_matches(where, event)) if where else found

    def read_rows(self, statement: Select[Any]) -> Iterator[Row]:
        """Rows of a statement, streamed."""
        with translated("reading"), self.engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(statement)
            while rows := result.fetchmany(_PAGE):
                yield from rows  # type: ignore[misc]

    def _pages(self, statement: Select[Any], *, by_time: bool) -> Iterator[Event]:
        if by_time:
            statement = statement.order_by(events.c.time_us, events.c.sequence)
            yield from map(to_event, self.read_rows(statement))
            return
        # Pages by key rather than one long cursor: a reader that dawdles must
        # not keep the write-ahead log from being folded back.
        after = 0
        statement = statement.order_by(events.c.sequence).limit(_PAGE)
        while True:
            with translated("reading"), self.engine.connect() as connection:
                rows = connection.execute(statement.where(events.c.sequence > after)).fetchall()
            yield from map(to_event, rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

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


def to_event(row: Sequence[Any]) -> Event:
    """The typed event in a row of `EVENT_COLUMNS`; raises `Damaged`."""
    (
        sequence, id_, type_, source, subject, time_us, version, runid, step,
        correlationid, causationid, data, recorded_us, prevhash, hash_,
    ) = row  # fmt: skip
    try:
        payload = decode_payload(type_, version, data)
        current = version == payload.version
    except (KeyError, ValueError, TypeError) as error:
        if type_ not in PAYLOAD_TYPES:
            raise Damaged(f"position {sequence} has the unknown type {type_!r}", sequence) from None
        raise Damaged(
            f"position {sequence} cannot be read as {type_}: {error}", sequence
        ) from error
    return Event(
        id=id_,
        type=type_,
        source=source,
        subject=subject,
        time_us=time_us,
        data=payload,
        dataschemaversion=version,
        runid=runid,
        step=step,
        correlationid=correlationid,
        causationid=causationid,
        sequence=sequence,
        recorded_us=recorded_us,
        prevhash=prevhash,
        hash=hash_,
        stored_text=None if current else data,
    )


def _draft(event: Event) -> Row:
    """A row without what the ledger sets."""
    return (
        0,
        event.id,
        event.type,
        event.source,
        event.subject,
        event.time_us,
        event.dataschemaversion,
        event.runid,
        event.step,
        event.correlationid,
        event.causationid,
        payload_text(event),
    )
