"""Bringing a ledger's tables to the current schema, one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from ledger.database import BUSY_TIMEOUT_S, connect
from ledger.errors import NotFound, SchemaMismatch, Unavailable
from ledger.location import locate, shown
from ledger.translation import translated

HEAD_REVISION = "0002"
"""The revision this program works with; a test holds it to the newest migration."""

_OURS = re.compile(r"\d{4}")

_POSTGRES_LOCK = f"""
SELECT set_config('lock_timeout', '{int(BUSY_TIMEOUT_S * 1000)}', true),
    pg_advisory_xact_lock(1920298092, hashtext('migrations of ' || current_schema()))
"""


def current_revision(engine: Engine) -> str | None:
    """The revision a ledger is at; None where its tables are not there yet."""
    with (
        translated(f"reading the schema version of {shown(engine.url)}"),
        engine.connect() as connection,
    ):
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def require_current(engine: Engine, *, or_older: bool = False) -> None:
    """Raise unless the tables are there (`NotFound`) and at our revision (`SchemaMismatch`)."""
    revision = current_revision(engine)
    if revision == HEAD_REVISION:
        return
    if revision is None:
        raise NotFound(f"{shown(engine.url)} holds no ledger yet: run `runledger upgrade`")
    _refuse_strange(revision)
    if or_older:
        return
    raise SchemaMismatch(
        f"the ledger is at schema {revision}, this program needs {HEAD_REVISION}: "
        "run `runledger backup FILE`, then `runledger upgrade`"
    )


def _refuse_strange(revision: str) -> None:
    if not _OURS.fullmatch(revision):
        raise SchemaMismatch(
            f"the database is at revision {revision!r} of another program: "
            "name a database or schema of its own for the ledger"
        )
    if revision > HEAD_REVISION:
        raise SchemaMismatch(
            f"the ledger is at schema {revision}, newer than this program's {HEAD_REVISION}: "
            "upgrade runledger"
        )


def _refuse_occupied(connection: Connection) -> None:
    """A SQLite file is one program's; a PostgreSQL schema may be shared while names differ."""
    tables = set(inspect(connection).get_table_names())
    if connection.dialect.name != "sqlite":
        tables &= {"events", "checkpoints"}
    if tables:
        names = ", ".join(sorted(tables)[:3])
        raise SchemaMismatch(
            f"the database holds tables of another program ({names}): "
            "name a database or schema of its own for the ledger"
        )


def upgrade(location: str | Path) -> str | None:
    """Migrate the ledger at ``location``, creating it where missing; the revision before."""
    engine = connect(locate(location), create=True)
    try:
        return upgrade_engine(engine)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine) -> str | None:
    """Migrate the ledger behind ``engine``, whole or not at all; returns the revision before."""
    with migrating(engine) as connection:
        before = _revision(connection)
        if before != HEAD_REVISION:
            _migrate(connection)
    return before


@contextlib.contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A transaction for one who migrates; others that want to wait, and then find it done.

    Raises `SchemaMismatch` where the tables are newer, or another program's.
    """
    with (
        translated(f"upgrading {shown(engine.url)}"),
        _only_one(engine),
        engine.connect() as connection,
    ):
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:  # the driver is in autocommit mode there: the transaction is ours
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(_POSTGRES_LOCK)
        try:
            before = _revision(connection)
            if before is None:
                _refuse_occupied(connection)
            else:
                _refuse_strange(before)
            yield connection
            connection.exec_driver_sql("COMMIT") if sqlite else connection.commit()
        except BaseException:
            connection.invalidate()
            raise


def _migrate(connection: Connection) -> None:
    import alembic.command
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", "migrations:")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


@contextlib.contextmanager
def _only_one(engine: Engine) -> Iterator[None]:
    """One migration at a time on a SQLite file: a lock file beside it.

    SQLite's own lock would do, but for whoever opens the file before its first
    migration has switched it to write-ahead logging.
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    with engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA database_list").fetchone()
    assert found is not None
    descriptor = os.open(f"{found[2]}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        give_up = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise Unavailable(
                        "upgrading the ledger: another process has been at it for "
                        f"{BUSY_TIMEOUT_S:.0f} s; wait for it, or end it, and try again"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
