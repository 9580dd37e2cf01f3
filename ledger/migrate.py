"""Bringing a ledger's tables to the current schema, one process at a time."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ledger.backends import Backend, connect, kind_of
from ledger.backends.forking import Turn
from ledger.errors import NotFound, SchemaMismatch
from ledger.location import locate, shown
from ledger.translation import translated

HEAD_REVISION = "0004"
"""The revision this program works with; a test holds it to the newest migration."""

_one_thread = Turn()
"""Alembic keeps what it works on in globals."""

_OURS = re.compile(r"\d{4}")


def opened(location: str | Path, *, create: bool, readonly: bool, older: bool = False) -> Backend:
    """The database at ``location`` with the tables in it; see `ledger.open_ledger`."""
    url = locate(location)
    create = create and not readonly
    if create:
        with translated(f"making {shown(url)}"):
            kind_of(url).make(url, _fill)
    backend = connect(url, create=create, readonly=readonly)
    try:
        if create and current_revision(backend) is None:
            _upgrade(backend)
        require_current(backend, or_older=older)
    except BaseException:
        backend.engine.dispose()
        raise
    return backend


def upgrade(location: str | Path) -> str | None:
    """Migrate the ledger at ``location``, creating it where missing; the revision before."""
    backend = connect(locate(location), create=True)
    try:
        return _upgrade(backend)
    finally:
        backend.engine.dispose()


def _fill(backend: Backend) -> None:
    try:
        _upgrade(backend)
    finally:
        backend.engine.dispose()


def _upgrade(backend: Backend) -> str | None:
    """Migrate, whole or not at all; returns the revision before."""
    with migrating(backend) as connection:
        before = _revision(connection)
        if before != HEAD_REVISION:
            run_migrations(connection)
    return before


@contextlib.contextmanager
def migrating(backend: Backend) -> Iterator[Connection]:
    """A transaction for one who migrates; others that want to wait, and then find it done.

    Raises `SchemaMismatch` where the tables are newer, or another program's.
    """
    where = shown(backend.engine.url)
    with translated(f"upgrading {where}"), backend.migrating() as connection:
        before = _revision(connection)
        if before is None:
            _refuse_occupied(backend, connection)
        else:
            _refuse_strange(before)
        yield connection


def run_migrations(connection: Connection) -> None:
    """Bring the tables on a connection to the current schema, in its transaction."""
    import alembic.command
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", "migrations:")
    config.attributes["connection"] = connection
    with _one_thread.taken():
        alembic.command.upgrade(config, "head")


def current_revision(backend: Backend) -> str | None:
    """The revision a ledger is at; None where its tables are not there yet."""
    engine = backend.engine
    reading = f"reading the schema version of {shown(engine.url)}"
    with translated(reading), engine.connect() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def require_current(backend: Backend, *, or_older: bool = False) -> None:
    """Raise unless the tables are there (`NotFound`) and at our revision (`SchemaMismatch`)."""
    revision = current_revision(backend)
    if revision == HEAD_REVISION:
        return
    if revision is None:
        where = shown(backend.engine.url)
        raise NotFound(f"{where} holds no ledger yet", remedy="run `runledger upgrade`")
    _refuse_strange(revision)
    if or_older:
        return
    raise SchemaMismatch(
        f"the ledger is at schema {revision}, this program needs {HEAD_REVISION}",
        remedy="run `runledger backup FILE`, then `runledger upgrade`",
    )


def _refuse_strange(revision: str) -> None:
    if not _OURS.fullmatch(revision):
        raise SchemaMismatch(
            f"the database is at revision {revision!r} of another program",
            remedy="name a database or schema of its own for the ledger",
        )
    if revision > HEAD_REVISION:
        raise SchemaMismatch(
            f"the ledger is at schema {revision}, newer than this program's {HEAD_REVISION}",
            remedy="upgrade runledger",
        )


def _refuse_occupied(backend: Backend, connection: Connection) -> None:
    tables = backend.in_the_way(set(inspect(connection).get_table_names()))
    if tables:
        names = ", ".join(sorted(tables)[:3])
        raise SchemaMismatch(
            f"the database holds tables of another program ({names})",
            remedy="name a database or schema of its own for the ledger",
        )
