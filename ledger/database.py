"""Where a ledger lives, and connections to it with the settings durability needs.

SQLite goes through `pysqlite3`, which carries a current SQLite whatever the
system has; PostgreSQL through psycopg. The rest of the package sees a
SQLAlchemy engine and, for appending, a DBAPI connection.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ledger.errors import Damaged, LedgerError, NotFound, Unavailable

BUSY_TIMEOUT_S = 60.0
"""How long a writer waits for its turn before it reports `Unavailable`."""

_FULL_OR_BROKEN = ("disk is full", "disk i/o error", "no space left")
_BUSY = ("database is locked", "database table is locked", "lock timeout", "locking protocol")
_DAMAGED = ("malformed", "not a database", "could not decode to utf-8")


def locate(location: str | Path) -> URL:
    """The database URL for a path or URL; a plain path means SQLite.

    >>> locate("runs/ledger.db").database
    'runs/ledger.db'
    """
    text = str(location)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except ArgumentError:
        raise LedgerError(f"{text.split('@')[-1]!r} is not a database URL") from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise LedgerError("a ledger needs a file: an in-memory database cannot be durable")
        return url.set(drivername="sqlite")
    raise LedgerError(f"{backend!r} is not supported: use a SQLite path or a postgresql:// URL")


def connect(url: URL, *, create: bool, readonly: bool = False) -> Engine:
    """An engine on the ledger at ``url``.

    Raises `NotFound` where a SQLite file is missing and ``create`` is not set.
    """
    if url.get_backend_name() == "sqlite":
        return _connect_sqlite(url, create=create, readonly=readonly)
    engine = create_engine(url, pool_pre_ping=True)
    if readonly:

        @event.listens_for(engine, "connect")
        def _read_only(connection: Any, _record: Any) -> None:
            connection.read_only = True

    _survive_fork(engine)
    return engine


def _connect_sqlite(url: URL, *, create: bool, readonly: bool) -> Engine:
    from pysqlite3 import dbapi2

    path = Path(str(url.database))
    if not path.exists():
        if not create:
            raise NotFound(f"no ledger at {path}: create one with `runledger init`")
        if not path.parent.is_dir():
            raise NotFound(f"no folder {path.parent} to create the ledger in: make it first")
    elif path.is_dir():
        raise LedgerError(f"{path} is a folder: name the ledger's file")
    mode = "rwc" if create else "rw"
    uri = f"{path.absolute().as_uri()}?mode={mode}"

    def open_connection() -> Any:
        connection = dbapi2.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        cursor = connection.cursor()
        # Before journal_mode: the first WAL header must already be synced this way.
        cursor.execute("PRAGMA synchronous = EXTRA")
        if not readonly:
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.execute("PRAGMA trusted_schema = OFF")
        if readonly:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()
        return connection

    engine = create_engine("sqlite://", module=dbapi2, creator=open_connection)
    _survive_fork(engine)
    return engine


def _survive_fork(engine: Engine) -> None:
    """A forked child must not use its parent's connections: it starts with an empty pool."""
    reference = weakref.ref(engine)

    def forget() -> None:
        engine = reference()
        if engine is not None:
            engine.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Database errors as this package's: `Unavailable` (try again) or `Damaged`."""
    import sqlalchemy.exc
    from pysqlite3 import dbapi2

    try:
        yield
    except LedgerError:
        raise
    except (dbapi2.Error, sqlalchemy.exc.DBAPIError, OSError) as error:
        raise _translate(error, what) from error
    except Exception as error:
        if type(error).__module__.startswith("psycopg"):
            raise _translate(error, what) from error
        raise


def _translate(error: BaseException, what: str) -> LedgerError:
    original = getattr(error, "orig", None) or error
    text = str(original).strip().splitlines()[0] if str(original).strip() else repr(original)
    lowered = text.lower()
    if any(word in lowered for word in _DAMAGED):
        return Damaged(f"{what}: {text}; run `runledger verify`, or restore a backup")
    if any(word in lowered for word in _BUSY):
        return Unavailable(f"{what}: the ledger is busy ({text}); try again")
    if any(word in lowered for word in _FULL_OR_BROKEN):
        return Unavailable(f"{what}: {text}; nothing was stored: make room and try again")
    if type(original).__module__.startswith("psycopg"):
        return _translate_postgres(original, what, text)
    if isinstance(error, OSError) or "unable to open" in lowered or "readonly" in lowered:
        return Unavailable(f"{what}: {text}; check that the file and its folder can be written")
    return LedgerError(f"{what}: {text}")


def _translate_postgres(error: BaseException, what: str, text: str) -> LedgerError:
    import psycopg

    if isinstance(error, psycopg.errors.InvalidCatalogName):
        return NotFound(f"{what}: {text}; create the database first (createdb)")
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction | psycopg.errors.RaiseException):
        return LedgerError(f"{what}: {text}")
    if isinstance(error, psycopg.OperationalError):
        return Unavailable(f"{what}: {text}; check the server and try again")
    return LedgerError(f"{what}: {text}")
