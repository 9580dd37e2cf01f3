"""What a database must be able to do to hold a ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from ledger.node_locks import NodeLocks
from ledger.rows import Row

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for its turn before it reports `Unavailable`."""


class Backend(Protocol):
    """One database that holds, or is to hold, a ledger."""

    name: ClassVar[str]
    """SQLAlchemy's name of its kind, as in a URL."""
    mark: ClassVar[str]
    """Where a value goes in a statement for the driver."""
    begin: ClassVar[str]
    """Begins a write transaction: from here on nobody else can append. Waits `BUSY_TIMEOUT_S`."""

    engine: Engine

    def __init__(self, url: URL, *, create: bool, readonly: bool) -> None: ...

    @staticmethod
    def make(url: URL, fill: Callable[[Backend], None]) -> None:
        """Make a database that is missing, whole or not at all, where this program can.

        ``fill`` gives it its tables before anyone else sees it.
        """
        ...

    def commit(self, connection: Any) -> None:
        """Commit on a driver's connection: durable once this returns."""
        ...

    def insert(self, cursor: Any, rows: Sequence[Row]) -> None:
        """Add rows to ``events`` within a write transaction."""
        ...

    def migrating(self) -> AbstractContextManager[Connection]:
        """A transaction for one who migrates, committed at its end; others that want to wait."""
        ...

    def in_the_way(self, tables: set[str]) -> set[str]:
        """Those of another program's tables beside which no ledger can be made."""
        ...

    def definitions(self, connection: Connection) -> dict[str, str]:
        """What the ledger consists of: each table, index, trigger, …, and its definition.

        By names such as ``trigger events_no_update``; the definitions are texts to
        compare with those that the same database gives of another ledger.
        """
        ...

    def fresh_definitions(self, make: Callable[[Connection], None]) -> dict[str, str]:
        """The `definitions` of tables that ``make`` makes now, and that leave no trace.

        Raises `Unavailable` where this user may not make them.
        """
        ...

    def not_writable(self) -> str:
        """Why nobody at all can write here, such as a standby; empty where that is not so."""
        ...

    def broken_parts(self) -> list[str]:
        """What the database finds wrong with its own files, in its words."""
        ...

    def node_locks(self) -> NodeLocks:
        """One holder a node, among all who use this database."""
        ...

    def size_bytes(self) -> int:
        """What the ledger takes up, its indexes and what is not folded in yet included."""
        ...

    def copy(self, part: Path) -> bool:
        """Copy the database as it is into a new file; False where it is no file."""
        ...
