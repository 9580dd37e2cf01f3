"""Write transactions: one at a time, over all threads, processes and machines.

Whoever is inside one sees the newest head and is the only one who can move it;
that is what makes positions gapless and in commit order. Which lock does it is
the database's affair.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ledger.backends import Backend
from ledger.backends.forking import Turn
from ledger.canonical import GENESIS
from ledger.errors import NotStored
from ledger.rows import Row

_IDS_AT_A_TIME = 500


class Head(NamedTuple):
    """The newest position and its hash; (0, 64 zeros) for an empty ledger."""

    sequence: int
    hash: str


class Transaction:
    """What can be done while holding the write lock."""

    def __init__(self, cursor: Any, backend: Backend) -> None:
        self._cursor = cursor
        self._backend = backend

    def head(self) -> Head:
        """The newest position, which nobody else can move now."""
        self._cursor.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1")
        return Head(*(self._cursor.fetchone() or (0, GENESIS)))

    def insert(self, rows: Sequence[Row]) -> None:
        """Add rows; they become visible with the commit, all together.

        Raises `NotStored` where they are not there afterwards: a trigger or a rule
        of someone else's can swallow a row and report success.
        """
        if not rows:
            return
        self._backend.insert(self._cursor, rows)
        there = f"SELECT hash FROM events WHERE sequence >= {self._backend.mark} ORDER BY sequence"
        self._cursor.execute(there, (rows[0].sequence,))
        kept = [hash for (hash,) in self._cursor.fetchall()]
        if kept != [row.hash for row in rows]:
            raise NotStored(len(rows), len({row.hash for row in rows}.intersection(kept)))

    def rows_by_id(self, ids: Sequence[str]) -> dict[str, Row]:
        """The stored rows among these ids."""
        known: dict[str, Row] = {}
        for start in range(0, len(ids), _IDS_AT_A_TIME):
            part = ids[start : start + _IDS_AT_A_TIME]
            marks = ", ".join([self._backend.mark] * len(part))
            columns = ", ".join(Row._fields)
            self._cursor.execute(f"SELECT {columns} FROM events WHERE id IN ({marks})", part)
            known.update((row.id, row) for row in map(Row._make, self._cursor.fetchall()))
        return known


class Writer:
    """Hands out write transactions on a database."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        # Threads of one process take turns here rather than in the database's
        # busy handler, which is unfair and slow to wake.
        self._turn = Turn()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A write transaction: committed on the way out, gone without trace after an error."""
        with self._turn.taken():
            connection = self._backend.engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(self._backend.begin)
                yield Transaction(cursor, self._backend)
                self._backend.commit(connection)
                cursor.close()
            except BaseException:
                # After a failed COMMIT (disk full, I/O error) the state of the
                # connection is anybody's guess: throw it away.
                connection.invalidate()
                raise
            connection.close()
