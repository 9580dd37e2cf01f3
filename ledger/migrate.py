"""Bringing a ledger's tables to the current schema, one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from ledger.database import connect, locate, translated
from ledger.errors import SchemaMismatch

HEAD_REVISION = "0001"
"""The revision this program works with; a test holds it to the newest migration."""


def current_revision(engine: Engine) -> str | None:
    """The revision a ledger is at; None where its tables are not there yet."""
    with translated("reading the schema version"), engine.connect() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def require_current(engine: Engine) -> None:
    """Raise `SchemaMismatch` unless the tables are at this program's revision."""
    revision = current_revision(engine)
    if revision == HEAD_REVISION:
        return
    if revision is None:
        raise SchemaMismatch("this database holds no ledger yet: run `runledger upgrade`")
    if revision < HEAD_REVISION:
        raise SchemaMismatch(
            f"the ledger is at schema {revision}, this program needs {HEAD_REVISION}: "
            "run `runledger backup FILE`, then `runledger upgrade`"
        )
    raise SchemaMismatch(
        f"the ledger is at schema {revision}, newer than this program's {HEAD_REVISION}: "
        "upgrade runledger"
    )


def upgrade(location: str | Path) -> str | None:
    """Migrate the ledger at ``location``, creating it where missing; the revision before."""
    engine = connect(locate(location), create=True)
    try:
        return upgrade_engine(engine)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine) -> str | None:
    """Migrate the ledger behind ``engine`` under a lock; returns the revision before."""
    import alembic.command
    import alembic.config

    with translated("upgrading the ledger"), engine.connect() as connection, _locked(connection):
        before = _revision(connection)
        if before is not None and before > HEAD_REVISION:
            raise SchemaMismatch(
                f"the ledger is at schema {before}, newer than this program's {HEAD_REVISION}: "
                "upgrade runledger"
            )
        if before != HEAD_REVISION:
            config = alembic.config.Config()
            config.set_main_option("script_location", "migrations:")
            config.attributes["connection"] = connection
            # The driver is in autocommit mode on SQLite: the transaction is ours.
            sqlite = connection.dialect.name == "sqlite"
            if sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                alembic.command.upgrade(config, "head")
            except BaseException:
                if sqlite:
                    connection.exec_driver_sql("ROLLBACK")
                raise
            if sqlite:
                connection.exec_driver_sql("COMMIT")
            connection.commit()
        return before


@contextlib.contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """One migration at a time: a lock file beside SQLite, an advisory lock on PostgreSQL."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_lock(hashtext('runledger migrations'))"))
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(hashtext('runledger migrations'))"))
            connection.commit()
        return
    path = connection.exec_driver_sql("PRAGMA database_list").fetchone()
    assert path is not None
    descriptor = os.open(f"{path[2]}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
