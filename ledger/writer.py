"""Write transactions: one at a time, over all threads, processes and machines.

Whoever is inside one sees the newest head and is the only one who can move it;
that is what makes positions gapless and in commit order. SQLite has one lock
for a file; on PostgreSQL it is an advisory lock on the table.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Engine

from ledger.canonical import GENESIS
from ledger.database import BUSY_TIMEOUT_S, after_fork
from ledger.sql import EVENT_COLUMNS, Row

_IDS_AT_A_TIME = 500
_ROWS_AT_A_TIME = 100
_COLUMNS = ", ".join(EVENT_COLUMNS)

# The settings hold for the transaction: an acknowledged event is on disk even
# where the server trades that for speed, and nobody waits for ever. The second
# key is the table itself, so that ledgers in other schemas do not wait.
_POSTGRES_LOCK = f"""
SELECT set_config('lock_timeout', '{int(BUSY_TIMEOUT_S * 1000)}', true),
    CASE WHEN current_setting('synchronous_commit') = 'off'
         THEN set_config('synchronous_commit', 'on', true) END,
    pg_advisory_xact_lock(1920298092, 'events'::regclass::oid::integer)
"""


class Head(NamedTuple):
    """The newest position and its hash; (0, 64 zeros) for an empty ledger."""

    sequence: int
    hash: str


class Transaction:
    """What can be done while holding the write lock."""

    def __init__(self, cursor: Any, *, postgres: bool) -> None:
        mark = "%s" if postgres else "?"
        self._cursor = cursor
        self._postgres = postgres
        self._mark = mark
        self._row = f"({', '.join([mark] * len(EVENT_COLUMNS))})"

    def head(self) -> Head:
        """The newest position, which nobody else can move now."""
        self._cursor.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1")
        return Head(*(self._cursor.fetchone() or (0, GENESIS)))

    def insert(self, rows: Sequence[Row]) -> None:
        """Add rows; they become visible with the commit, all together."""
        if self._postgres and len(rows) > 1:
            with self._cursor.copy(f"COPY events ({_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        # Many rows to a statement: SQLite keeps what it needs to undo each one.
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            part = rows[start : start + _ROWS_AT_A_TIME]
            self._cursor.execute(
                f"INSERT INTO events ({_COLUMNS}) VALUES {', '.join([self._row] * len(part))}",
                tuple(chain.from_iterable(part)),
            )

    def rows_by_id(self, ids: Sequence[str]) -> dict[str, Row]:
        """The stored rows among these ids."""
        known: dict[str, Row] = {}
        for start in range(0, len(ids), _IDS_AT_A_TIME):
            part = ids[start : start + _IDS_AT_A_TIME]
            marks = ", ".join([self._mark] * len(part))
            self._cursor.execute(f"SELECT {_COLUMNS} FROM events WHERE id IN ({marks})", part)
            known.update((row[1], tuple(row)) for row in self._cursor.fetchall())
        return known


class Writer:
    """Hands out write transactions on an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._postgres = engine.dialect.name == "postgresql"
        self._renew()
        after_fork(self, Writer._renew)

    def _renew(self) -> None:
        # Threads of one process take turns here rather than in the database's
        # busy handler, which is unfair and slow to wake. A forked child gets a
        # lock of its own: the thread that held this one is not in it.
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A write transaction: committed on the way out, gone without trace after an error."""
        with self._turn:
            connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(_POSTGRES_LOCK if self._postgres else "BEGIN IMMEDIATE")
                yield Transaction(cursor, postgres=self._postgres)
                if self._postgres:
                    connection.commit()
                else:
                    cursor.execute("COMMIT")
                cursor.close()
            except BaseException:
                # After a failed COMMIT (disk full, I/O error) the state of the
                # connection is anybody's guess: throw it away.
                connection.invalidate()
                raise
            connection.close()
