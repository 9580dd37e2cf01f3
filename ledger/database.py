"""Connections to a ledger, with the settings that durability needs.

SQLite goes through `pysqlite3`, which carries a current SQLite whatever the
system has; PostgreSQL through psycopg. The rest of the package sees a
SQLAlchemy engine and, for appending, a DBAPI connection.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool, QueuePool

from ledger.errors import InvalidLocation, LedgerError, NotFound
from ledger.translation import translated

__all__ = ["BUSY_TIMEOUT_S", "after_fork", "connect", "translated"]

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for its turn before it reports `Unavailable`."""

_CONNECT_TIMEOUT_S = 10

_T = TypeVar("_T")


def connect(url: URL, *, create: bool, readonly: bool = False) -> Engine:
    """An engine on the ledger at ``url``.

    Raises `NotFound` where a SQLite file is missing and ``create`` is not set.
    """
    if url.get_backend_name() == "sqlite":
        return _connect_sqlite(url, create=create, readonly=readonly)
    return _connect_postgres(url, readonly=readonly)


def _connect_postgres(url: URL, *, readonly: bool) -> Engine:
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT_S)})
    try:
        # Whatever the server's default: an append must see the head as it is
        # once it holds the lock, not as it was when its transaction began.
        engine = create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"PostgreSQL needs {error.name}: pip install 'runledger[postgres]'"
        ) from error
    if readonly:

        @event.listens_for(engine, "connect")
        def _read_only(connection: Any, _record: Any) -> None:
            connection.read_only = True

    after_fork(engine, _forget_connections())
    return engine


_NO_ROOM = (10, 13, 14)
"""I/O error, full, cannot open: SQLite's codes for a disk too full to be read as usual."""


def _connect_sqlite(url: URL, *, create: bool, readonly: bool) -> Engine:
    from pysqlite3 import dbapi2

    path = Path(str(url.database))
    if not path.exists():
        if not create:
            raise NotFound(f"no ledger at {path}: create one with `runledger init`")
        if not path.parent.is_dir():
            raise NotFound(f"no folder {path.parent} to create the ledger in: make it first")
    elif path.is_dir():
        raise InvalidLocation(f"{path} is a folder: name the ledger's file")
    elif not path.is_file() or path.is_relative_to("/proc"):
        raise InvalidLocation(f"{path} is no ordinary file: name the ledger's file")
    uri = path.absolute().as_uri()

    def opened(options: str) -> Any:
        return dbapi2.connect(
            f"{uri}?{options}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def open_to_write() -> Any:
        connection = opened("mode=rwc" if create else "mode=rw")
        # Before journal_mode: the first WAL header must already be synced this way.
        connection.execute("PRAGMA synchronous = EXTRA")
        if _may_change(connection, create=create):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection

    def open_to_read() -> Any:
        # Readers and writers agree by files beside the ledger. Who may not write
        # cannot make them, or would leave them in the owner's way. Where there
        # are none there is no writer, and the file alone is the whole ledger.
        alone = not _may_write(path) and not _in_use(path)
        connection = opened("mode=ro&immutable=1" if alone else "mode=rw")
        try:
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        except dbapi2.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF not in _NO_ROOM:
                raise
            # No room for those files: an exclusive reader does without them, and nobody
            # who writes is there, or they would be there too.
            connection = opened("mode=rw")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        return connection

    # The pool is named because SQLAlchemy would take a URL without a file for an
    # in-memory database and close the connections of other threads. Readers
    # open afresh each time: what held for read-only media may not hold later.
    if readonly:
        engine = create_engine(url, module=dbapi2, creator=open_to_read, poolclass=NullPool)
    else:
        engine = create_engine(
            url,
            module=dbapi2,
            creator=open_to_write,
            poolclass=QueuePool,
            max_overflow=-1,
        )
    after_fork(engine, _forget_connections())
    return engine


def _may_change(connection: Any, *, create: bool) -> bool:
    """Whether the file is a ledger, or may become one: another program's stays as it is."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    return names >= {"events", "alembic_version"} if names else create


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _in_use(path: Path) -> bool:
    """Whether someone has a SQLite file open, or left it without folding its log back."""
    log = Path(f"{path}-wal")
    return log.exists() and (log.stat().st_size > 0 or Path(f"{path}-shm").exists())


def after_fork(owner: _T, action: Callable[[_T], None]) -> None:
    """Have ``action(owner)`` run in forked children, for as long as ``owner`` lives."""
    reference = weakref.ref(owner)

    def run() -> None:
        living = reference()
        if living is not None:
            action(living)

    os.register_at_fork(after_in_child=run)


def _forget_connections() -> Callable[[Engine], None]:
    """A forked child must neither use nor close its parent's connections."""
    kept: list[Any] = []  # never closed: not even by being collected

    def forget(engine: Engine) -> None:
        kept.append(engine.pool)
        with contextlib.suppress(Exception):
            engine.dispose(close=False)

    return forget
