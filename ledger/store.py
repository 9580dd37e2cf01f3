"""The ledger: an append-only, hash-chained sequence of events in a database.

`Ledger` appends and reads; it behaves the same on every database. Positions are
gapless and in commit order because every append holds the one write lock from
reading the head to committing. What is stored is never changed: see the
triggers in `migrations`. Longer than most, so that all that a ledger can be
asked is read in one place; the work is done in the modules it calls.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, Select, func, or_, select

from ledger.backends import Backend
from ledger.canonical import GENESIS
from ledger.chain import chained
from ledger.checkpoints import Checkpoints
from ledger.errors import Conflict, HeadMoved, NotFound
from ledger.event import Event
from ledger.filters import Filter
from ledger.migrate import opened
from ledger.node_locks import NodeLocks
from ledger.reading import Narrowed, Order, Pages
from ledger.rows import Row, to_event, to_row
from ledger.sql import events
from ledger.translation import translated
from ledger.writer import Head, Writer

__all__ = ["Appended", "Head", "Ledger", "open_ledger"]

_AT_A_TIME = 500
"""Values to look for in one statement."""
_TRIES = 5


class Appended(NamedTuple):
    """What an append did: events stored, events that were there already, the head after."""

    stored: int
    duplicates: int
    head: Head


def open_ledger(
    location: str | Path,
    *,
    create: bool | None = True,
    readonly: bool = False,
    older: bool = False,
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Ledger:
    """The ledger at a SQLite path or a database URL.

    With ``create``, a missing ledger is made at the current schema; with None,
    not before something is stored in it, and reading it until then raises
    `NotFound`: so a judge's slip in a path makes no empty ledger. ``older`` is
    for those who only read events, which every schema holds alike. ``clock``
    gives ``recordedtime`` in microseconds since the epoch. Raises `NotFound`
    (no ledger there), `SchemaMismatch` (run ``runledger upgrade``) or
    `Unavailable`.
    """
    backend = partial(opened, location, readonly=readonly, older=older)
    ledger = Ledger(backend, clock=clock)
    if create is None and not readonly:
        with contextlib.suppress(NotFound):
            ledger._connect(create=False)
    else:
        ledger._connect(create=bool(create))
    return ledger


class Ledger:
    """One open ledger. Safe to share between threads; forked children start afresh."""

    def __init__(self, backend: Callable[..., Backend], *, clock: Callable[[], int]) -> None:
        self._open_backend = backend
        self._opened: Backend | None = None
        self._opening = threading.Lock()
        self._clock = clock

    # For this package's own modules: nothing above it sees the database.
    @property
    def _backend(self) -> Backend:
        return self._opened or self._connect(create=False)

    @cached_property
    def _writer(self) -> Writer:
        return Writer(self._backend)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """Folds to go on from: see `Checkpoints`."""
        return Checkpoints(self._backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the ledger opens new ones if used again."""
        if self._opened is not None:
            self._opened.engine.dispose()

    def make(self) -> None:
        """Make the ledger now where it is missing, without an event in it."""
        self._connect(create=True)

    def _connect(self, *, create: bool) -> Backend:
        """Connect where that has not been done; with ``create``, make a missing ledger first."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open_backend(create=create)
            return self._opened

    # -- appending ---------------------------------------------------------

    def append(self, new: Event | Iterable[Event], *, expect_head: int | None = None) -> Appended:
        """Store events whole or not at all, durably, before returning.

        An event whose id is stored already with the same content counts as a
        duplicate. Raises `Conflict` (same id, other content), `HeadMoved`
        (the head is not at position ``expect_head``) or `Unavailable`, after
        which the same events can be sent again.
        """
        self._connect(create=True)
        drafts = [to_row(event) for event in ([new] if isinstance(new, Event) else new)]
        ids = [draft.id for draft in drafts]
        with translated("appending"), self._writer.transaction() as transaction:
            head = transaction.head()
            if expect_head is not None and head.sequence != expect_head:
                raise HeadMoved(expect_head, head.sequence)
            rows, duplicates = _pending(drafts, transaction.rows_by_id(ids), head, self._clock())
            if rows:
                transaction.insert(rows)
                head = Head(rows[-1].sequence, rows[-1].hash)
        return Appended(len(rows), duplicates, head)

    def append_new(self, events: Sequence[Event]) -> Appended:
        """Append those whose id is not stored; an id that is stored keeps what it has.

        For events whose ids were derived from what they are about: the same
        kernel line read twice has the same id, and a better clock or a later
        parser may say it a little differently. Raises as `append`.
        """
        for _ in range(_TRIES - 1):
            # Another writer may store one of them meanwhile: then look again.
            with contextlib.suppress(Conflict):
                return self._append_new(events)
        return self._append_new(events)

    def _append_new(self, events: Sequence[Event]) -> Appended:
        self._connect(create=True)
        known = self.held(event.id for event in events)
        first = {event.id: event for event in reversed(events) if event.id not in known}
        fresh = [event for event in events if first.get(event.id) is event]
        done = self.append(fresh)
        return done._replace(duplicates=done.duplicates + len(events) - len(fresh))

    # -- looking up --------------------------------------------------------

    def head(self) -> Head:
        """The newest position and its hash."""
        statement = select(events.c.sequence, events.c.hash)
        rows = self._fetch(statement.order_by(events.c.sequence.desc()).limit(1))
        return Head(*rows[0]) if rows else Head(0, GENESIS)

    def hash_at(self, sequence: int) -> str:
        """The hash at a position (64 zeros at 0); raises `NotFound` beyond the head."""
        found = self.hashes_at([sequence])
        if sequence not in found:
            raise NotFound(f"no event at position {sequence}")
        return found[sequence]

    def hashes_at(self, sequences: Iterable[int]) -> dict[int, str]:
        """The hashes at many positions; those beyond the head are left out."""
        wanted = set(sequences)
        found = {0: GENESIS} if 0 in wanted else {}
        statement = select(events.c.sequence, events.c.hash)
        found.update(self._fetch_in(statement, events.c.sequence, sorted(wanted)))
        return found

    def get(self, id: str) -> Event:
        """The event with this id; raises `NotFound`."""
        found = self.get_many([id])
        if not found:
            raise NotFound(f"no event {id!r} in this ledger")
        return found[id]

    def get_many(self, ids: Iterable[str]) -> dict[str, Event]:
        """The events with these ids, in their order; those that are not there are left out."""
        ids = list(ids)
        rows = {row.id: Row._make(row) for row in self._fetch_in(select(events), events.c.id, ids)}
        return {id: to_event(rows[id]) for id in ids if id in rows}

    def held(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that the ledger holds."""
        return {id for (id,) in self._fetch_in(select(events.c.id), events.c.id, ids)}

    def ids_like(self, part: str, types: Iterable[str]) -> list[str]:
        """Ids of events of these types that begin with a text, or have it after a hyphen."""
        id_ = events.c.id
        either = or_(
            id_.startswith(part, autoescape=True), id_.contains(f"-{part}", autoescape=True)
        )
        statement = select(id_).where(events.c.type.in_(sorted(types)), either)
        return [id for (id,) in self._fetch(statement.order_by(events.c.sequence))]

    def exists(self, **narrowed: Any) -> bool:
        """Whether any event is there that `read` would give."""
        return next(self.read(**narrowed), None) is not None

    def oldest_us(self) -> int | None:
        """The earliest time of any event; None in an empty ledger."""
        return self._time(func.min(events.c.time_us))

    def newest_us(self, *, until_us: int | None = None, but: Iterable[str] = ()) -> int | None:
        """The latest time of an event, not after ``until_us``, of other types than ``but``."""
        which: list[ColumnElement[bool]] = [events.c.type.not_in(sorted(but))]
        if until_us is not None:
            which.append(events.c.time_us <= until_us)
        return self._time(func.max(events.c.time_us), *which)

    def _time(self, which: Any, *where: ColumnElement[bool]) -> int | None:
        ((found,),) = self._fetch(select(which).where(*where))
        return None if found is None else int(found)

    def versions(self, *, upto: int | None = None) -> set[tuple[str, int]]:
        """Each type with each ``dataschemaversion`` that it is stored in."""
        statement = select(events.c.type, events.c.dataschemaversion).distinct()
        if upto is not None:
            statement = statement.where(events.c.sequence <= upto)
        return {(type_, version) for type_, version in self._fetch(statement)}

    def _fetch(self, statement: Select[Any]) -> list[Any]:
        with translated("reading"), self._backend.engine.connect() as connection:
            return list(connection.execute(statement).fetchall())

    def _fetch_in(
        self, statement: Select[Any], column: ColumnElement[Any], values: Iterable[Any]
    ) -> Iterator[Any]:
        wanted = list(dict.fromkeys(values))
        for start in range(0, len(wanted), _AT_A_TIME):
            yield from self._fetch(statement.where(column.in_(wanted[start : start + _AT_A_TIME])))

    # -- reading -----------------------------------------------------------

    def read(
        self,
        *,
        after: int = 0,
        upto: int | None = None,
        since_us: int | None = None,
        until_us: int | None = None,
        where: Iterable[Filter] = (),
        types: Iterable[str] | None = None,
        order: Order = "sequence",
    ) -> Iterator[Event]:
        """Stream events as typed events, in bounded memory.

        Positions ``after`` < sequence <= ``upto``; ``since_us`` and ``until_us``
        bound the time of the event (inclusive); ``types`` names event types;
        ``where`` widens with every filter. In order of position, or of (time,
        position).
        """
        if order == "time":
            head = self.head().sequence
            upto = head if upto is None else min(upto, head)
        narrowed = Narrowed(after, upto, since_us, until_us, types, tuple(where))
        return narrowed.events(self._backend.engine, order)

    def newest(
        self,
        count: int,
        *,
        upto: int | None = None,
        where: Iterable[Filter] = (),
        types: Iterable[str] | None = None,
    ) -> list[Event]:
        """The last ``count`` of the events that `read` would give, in order of position."""
        narrowed = Narrowed(upto=upto, types=types, where=tuple(where))
        return narrowed.newest(self._backend.engine, count)

    def pages(
        self,
        *,
        after: int = 0,
        upto: int | None = None,
        where: Iterable[Filter] = (),
        types: Iterable[str] | None = None,
    ) -> Pages:
        """As `read`, but the stored rows as they are, many at a time."""
        narrowed = Narrowed(after, upto, types=types, where=tuple(where))
        return narrowed.pages(self._backend.engine)

    def follow(
        self,
        *,
        after: int = 0,
        poll_s: float = 0.5,
        stop: Callable[[], bool] = lambda: False,
        where: Iterable[Filter] = (),
        types: Iterable[str] | None = None,
    ) -> Iterator[Event]:
        """Every event after a position, and then each new one as it is committed.

        Runs until ``stop()`` is true. Misses nothing, whatever the number of
        writers: positions become visible in order.
        """
        types, where = None if types is None else tuple(types), tuple(where)
        while not stop():
            upto = self.head().sequence
            if upto > after:
                yield from self.read(after=after, upto=upto, types=types, where=where)
                after = upto
            else:
                time.sleep(poll_s)

    # -- what goes with it ---------------------------------------------------

    def node_locks(self) -> NodeLocks:
        """Locks by node name, one holder each among all who use this ledger; for ``with``."""
        return self._backend.node_locks()

    @property
    def database(self) -> str:
        """The kind of database it is in: ``sqlite`` or ``postgresql``."""
        return self._backend.name

    def detached_connection(self) -> Any:
        """The driver's own connection, for one who runs SQL of a user's and closes it after.

        What is put on it reaches nobody else. Raises as reading does.
        """
        with translated("connecting"):
            pooled = self._backend.engine.raw_connection()
            connection = pooled.driver_connection
            pooled.detach()
        return connection


def _pending(
    drafts: list[Row], known: dict[str, Row], head: Head, recorded_us: int
) -> tuple[list[Row], int]:
    """The rows still to be stored, hashed from ``head`` on, and how many are there already."""
    sequence, prevhash = head
    rows: list[Row] = []
    conflicts: list[str] = []
    for draft in drafts:
        there = known.get(draft.id)
        if there is not None:
            if there.content != draft.content:
                conflicts.append(draft.id)
            continue
        sequence += 1
        row = chained(draft, sequence, recorded_us, prevhash)
        prevhash = row.hash
        rows.append(row)
        known[row.id] = row
    if conflicts:
        raise Conflict(list(dict.fromkeys(conflicts)))
    return rows, len(drafts) - len(rows)
