"""The database itself refuses to change what is stored, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ledger import Ledger, broken_parts, open_ledger, schema_differences, verify
from ledger.rows import Row
from ledger.testing import sample_events
from tests.postgres import NewDatabase

_COLUMNS = ", ".join(f'"{name}"' for name in Row._fields)
_SHIFTED = _COLUMNS.replace('"sequence"', '"sequence" + 3')

BOTH = [
    "UPDATE events SET data = '{}' WHERE sequence = 2",
    "UPDATE events SET sequence = 9 WHERE sequence = 3",
    "UPDATE events SET hash = hash",
    "DELETE FROM events WHERE sequence = 3",
    "DELETE FROM events",
    # A row that leaves a gap, goes before the others, or repeats one.
    f"INSERT INTO events ({_COLUMNS}) SELECT {_SHIFTED} FROM events WHERE sequence = 3",
    f"INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM events WHERE sequence = 1",
]
SQLITE = [
    f"REPLACE INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM events WHERE sequence = 1",
    f"INSERT OR REPLACE INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM events",
    "UPDATE OR REPLACE events SET sequence = 2 WHERE sequence = 1",
]
POSTGRES = [
    "TRUNCATE events",
    "TRUNCATE events CASCADE",
    f"INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM events WHERE sequence = 1 "
    "ON CONFLICT (sequence) DO UPDATE SET data = '{}'",
]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "l.db") as ledger:
        yield ledger


@pytest.fixture
def postgres(new_postgres_database: NewDatabase) -> Iterator[Ledger]:
    with open_ledger(new_postgres_database()) as ledger:
        yield ledger


def _refuses(ledger: Ledger, statement: str) -> None:
    ledger.append(sample_events(3))
    before = list(ledger.read())
    with ledger._backend.engine.connect() as connection:
        with pytest.raises(Exception, match=r"append-only|UNIQUE|unique|gap|in order"):
            connection.execute(text(statement))
        connection.rollback()
    assert list(ledger.read()) == before
    assert verify(ledger).ok


@pytest.mark.parametrize("statement", [*BOTH, *SQLITE])
def test_sqlite_refuses(sqlite: Ledger, statement: str) -> None:
    _refuses(sqlite, statement)


@pytest.mark.parametrize("statement", [*BOTH, *POSTGRES])
def test_postgres_refuses(postgres: Ledger, statement: str) -> None:
    _refuses(postgres, statement)


def test_an_index_that_hides_an_event_is_found_though_the_chain_is_whole(sqlite: Ledger) -> None:
    sqlite.append(sample_events(9))
    assert broken_parts(sqlite) == []
    definition = "CREATE INDEX events_by_time ON events (time_us, sequence)"
    with sqlite._backend.engine.connect() as connection:
        connection.execute(text("DROP INDEX events_by_time"))
        connection.execute(text(f"{definition} WHERE sequence <> 7"))
        connection.execute(text("PRAGMA writable_schema = ON"))
        name = {"name": "events_by_time", "sql": definition}
        connection.execute(text("UPDATE sqlite_schema SET sql = :sql WHERE name = :name"), name)
    sqlite.close()  # what is open already believes the old definition
    assert verify(sqlite).ok
    assert "row 7 missing from index events_by_time" in broken_parts(sqlite)


def test_guards_that_were_taken_away_are_missed_on_sqlite(sqlite: Ledger) -> None:
    assert schema_differences(sqlite) == []
    with sqlite._backend.engine.connect() as connection:
        connection.execute(text("DROP TRIGGER events_no_delete"))
    assert schema_differences(sqlite) == ["trigger events_no_delete is missing"]


@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
def test_guards_that_do_not_always_fire_are_missed_on_postgres(postgres: Ledger, how: str) -> None:
    assert schema_differences(postgres) == []
    with postgres._backend.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE events {how} events_no_change"))
    assert schema_differences(postgres) == ["trigger events_no_change on events was changed"]
