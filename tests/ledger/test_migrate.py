"""Schemas: what queries, models and migrations say is the same, and one process migrates."""

from __future__ import annotations

import io
import multiprocessing
import sqlite3
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, TableClause, create_engine
from sqlmodel import SQLModel

import ledger.sql
import ledger.tables
from ledger import Head, Ledger, SchemaMismatch, backup, open_ledger, verify
from ledger.backends import connect
from ledger.location import locate
from ledger.migrate import HEAD_REVISION, upgrade
from ledger.testing import NIGHT_US, sample_event, sample_events
from tests.postgres import NewDatabase

ROOT = Path(__file__).parents[2]


def test_the_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(ROOT / "migrations")).get_current_head() == HEAD_REVISION


@pytest.mark.parametrize("light", [ledger.sql.events, ledger.sql.checkpoints])
def test_rows_have_the_columns_that_the_models_declare(light: TableClause) -> None:
    declared = ledger.tables.SQLModel.metadata.tables[light.name]
    assert [(each.name, isinstance(each.type, BigInteger)) for each in light.columns] == [
        (each.name, isinstance(each.type, BigInteger)) for each in declared.columns
    ]


def _differences(url: str) -> list[object]:
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, SQLModel.metadata)
    engine.dispose()
    return [each for each in found if "alembic_version" not in str(each)]


def test_migrations_make_what_the_models_declare_on_sqlite(tmp_path: Path) -> None:
    open_ledger(tmp_path / "l.db").close()
    assert _differences(f"sqlite:///{tmp_path / 'l.db'}") == []


def test_migrations_make_what_the_models_declare_on_postgres(
    new_postgres_database: NewDatabase,
) -> None:
    url = new_postgres_database()
    open_ledger(url).close()
    assert _differences(url.replace("postgresql://", "postgresql+psycopg://")) == []


def _open_and_append(location: str) -> int:
    with open_ledger(location) as opened:
        return opened.append(sample_event(1)).head.sequence


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_processes_that_open_a_new_ledger_at_once_make_it_once(
    tmp_path: Path, new_postgres_database: NewDatabase, database: str
) -> None:
    location = str(tmp_path / "new.db") if database == "sqlite" else new_postgres_database()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(6, mp_context=context) as pool:
        positions = list(pool.map(_open_and_append, [location] * 6))
    assert sorted(positions) == [1, 2, 3, 4, 5, 6]
    with open_ledger(location, readonly=True) as opened:
        assert verify(opened).ok


def test_an_upgrade_says_where_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    assert upgrade(str(path)) is None
    assert upgrade(str(path)) == HEAD_REVISION


@pytest.mark.parametrize("revision", ["9999", "abcdef012345"])
def test_a_schema_of_another_program_or_a_newer_one_is_left_alone(
    tmp_path: Path, revision: str
) -> None:
    path = tmp_path / "l.db"
    open_ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.commit()
    connection.close()
    for act in (lambda: open_ledger(path), lambda: upgrade(str(path))):
        with pytest.raises(SchemaMismatch, match=revision):
            act()


def test_a_folder_cannot_be_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="is a folder"):
        open_ledger(tmp_path)


def _at_schema(location: str, revision: str) -> Head:
    """A ledger of some events as a program of that time left it."""
    backend = connect(locate(location), create=True)
    with backend.migrating() as connection:
        config = alembic.config.Config()
        config.set_main_option("script_location", str(ROOT / "migrations"))
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
    with Ledger(lambda *, create: backend, clock=lambda: NIGHT_US) as opened:
        return opened.append(sample_events(30)).head


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize("revision", [f"{n:04d}" for n in range(1, int(HEAD_REVISION))])
def test_a_ledger_of_an_older_schema_is_backed_up_and_then_upgraded_by_one_of_several(
    tmp_path: Path, new_postgres_database: NewDatabase, database: str, revision: str
) -> None:
    location = str(tmp_path / "old.db") if database == "sqlite" else new_postgres_database()
    head = _at_schema(location, revision)
    with pytest.raises(SchemaMismatch, match=f"at schema {revision}.*runledger backup"):
        open_ledger(location)
    with open_ledger(location, create=False, readonly=True, older=True) as old:
        assert backup(old, tmp_path / "kept.db") == head
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        assert sorted(pool.map(upgrade, [location] * 3)) == [revision, *[HEAD_REVISION] * 2]
    upgrade(str(tmp_path / "kept.db"))
    for each in (location, tmp_path / "kept.db"):
        with open_ledger(each, create=False) as opened:
            assert verify(opened, expect=head).ok
            assert opened.append(sample_event(31)).head.sequence == 31


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_alembics_own_commands_work_on_the_ledger_that_is_named(
    tmp_path: Path,
    new_postgres_database: NewDatabase,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
) -> None:
    location = str(tmp_path / "l.db") if database == "sqlite" else new_postgres_database()
    monkeypatch.setenv("RUNLEDGER_LEDGER", location)
    said = io.StringIO()
    config = alembic.config.Config(str(ROOT / "alembic.ini"), stdout=said)
    alembic.command.current(config)
    assert said.getvalue() == ""
    alembic.command.upgrade(config, "head")
    alembic.command.current(config)
    assert said.getvalue() == f"{HEAD_REVISION} (head)\n"
    with open_ledger(location, create=False) as opened:
        assert opened.append(sample_event(1)).head.sequence == 1


def _threads_open(location: str) -> list[int]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(_open_and_append, [location] * 4))


def test_threads_of_a_process_that_open_a_new_ledger_at_once_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")  # where a ledger is really made
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        positions = list(pool.map(_threads_open, [str(tmp_path / "new.db")] * 2))
    assert sorted(chain.from_iterable(positions)) == list(range(1, 9))
    assert [path.name for path in tmp_path.iterdir()] == ["new.db"]


def test_a_ledger_is_made_in_place_where_no_link_can_be_made(tmp_path: Path) -> None:
    script = (
        "import os, sys; from ledger import open_ledger, verify\n"
        "def link(*_): raise OSError(1, 'no links here')\n"
        "os.link = link\n"
        "with open_ledger(sys.argv[1]) as made: print(verify(made).ok, made.head().sequence)"
    )
    path = tmp_path / "new.db"
    done = subprocess.run([sys.executable, "-c", script, path], check=True, stdout=subprocess.PIPE)
    assert done.stdout == b"True 0\n"
    assert list(tmp_path.iterdir()) == [path]
