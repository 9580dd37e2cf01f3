"""Whatever stands between a statement and the events is found by its definition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from ledger import (
    Ledger,
    LedgerError,
    NotStored,
    export_lines,
    open_ledger,
    restore,
    schema_differences,
    verify,
)
from ledger.rows import Row
from ledger.testing import sample_events
from tests.postgres import NewDatabase

SWALLOWS_ON_SQLITE = (
    "CREATE TRIGGER swallow BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER swallow BEFORE INSERT ON events WHEN NEW.sequence % 3 = 0 "
    "BEGIN SELECT RAISE(IGNORE); END",
    "DROP TRIGGER events_no_delete; CREATE TRIGGER swallow AFTER INSERT ON events "
    "BEGIN DELETE FROM events WHERE sequence = NEW.sequence; END",
)
_FUNCTION = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS "
SWALLOWS_ON_POSTGRES = (
    "CREATE RULE swallow AS ON INSERT TO events DO INSTEAD NOTHING",
    f"{_FUNCTION} $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER swallow BEFORE INSERT ON events "
    "FOR EACH ROW EXECUTE FUNCTION swallow()",
    f"{_FUNCTION} $$ BEGIN DELETE FROM events WHERE sequence = NEW.sequence; RETURN NULL; END $$; "
    "ALTER TABLE events DISABLE TRIGGER events_no_change; "
    "CREATE CONSTRAINT TRIGGER swallow AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION swallow()",
    "DROP FUNCTION runledger_next_only() CASCADE; "
    f"{_FUNCTION} $$ BEGIN NEW.hash = 'other'; RETURN NEW; END $$; CREATE TRIGGER swallow "
    "BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION swallow()",
)

TAMPERS_ON_SQLITE = {
    "trigger events_no_delete was changed": "DROP TRIGGER events_no_delete; "
    "CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT 1; END",
    "trigger swallow is not the ledger's": SWALLOWS_ON_SQLITE[1],
    "view v_runs was changed": "DROP VIEW v_runs; CREATE VIEW v_runs AS SELECT 1 WHERE 0",
    "view v_trials is missing": "DROP VIEW v_trials",
    "view v_other is not the ledger's": "CREATE VIEW v_other AS SELECT 1",
    "index events_by_time is missing": "DROP INDEX events_by_time",
    "index events_by_run was changed": "DROP INDEX events_by_run; "
    "CREATE INDEX events_by_run ON events (runid)",
    "index other is not the ledger's": "CREATE INDEX other ON events (data)",
    "table other is not the ledger's": "CREATE TABLE other (x)",
    "table checkpoints is missing": "DROP TABLE checkpoints",
}
_GUARD = (
    "CREATE OR REPLACE FUNCTION runledger_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN coalesce(NEW, OLD); END $$"
)
TAMPERS_ON_POSTGRES = {
    "function runledger_append_only() was changed": _GUARD,
    "function runledger_next_only() was changed": "ALTER FUNCTION runledger_next_only() "
    "RESET search_path",
    "function other(integer) is not the ledger's": "CREATE FUNCTION other(int) RETURNS int "
    "LANGUAGE sql AS 'SELECT 1'",
    "rule swallow on events is not the ledger's": SWALLOWS_ON_POSTGRES[0],
    "trigger events_no_change on events is missing": "DROP TRIGGER events_no_change ON events",
    "trigger events_next_only on events was changed": "ALTER TABLE events "
    "DISABLE TRIGGER events_next_only",
    "view v_runs was changed": "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW v_runs AS SELECT * "
    "FROM (' || rtrim(pg_get_viewdef('v_runs'::regclass), ';') || ') AS v WHERE false'; END $$",
    "view v_trials is missing": "DROP VIEW v_trials",
    "view v_other is not the ledger's": "CREATE VIEW v_other AS SELECT 1",
    "index events_by_time is missing": "DROP INDEX events_by_time",
    "index other is not the ledger's": "CREATE INDEX other ON events (time_us) WHERE step = 'x'",
    "table events was changed": "ALTER TABLE events ALTER COLUMN id SET DEFAULT 'x'",
    "table checkpoints was changed": "ALTER TABLE checkpoints ENABLE ROW LEVEL SECURITY",
    "child table copied is not the ledger's": "CREATE TABLE copied () INHERITS (events)",
    "policy hide on events is not the ledger's": "CREATE POLICY hide ON events USING (false)",
}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "l.db") as ledger:
        yield ledger


@pytest.fixture
def postgres(new_postgres_database: NewDatabase) -> Iterator[Ledger]:
    with open_ledger(new_postgres_database()) as ledger:
        yield ledger


def _run(ledger: Ledger, script: str) -> None:
    with ledger._backend.engine.connect() as connection:
        if ledger.database == "sqlite":
            connection.connection.executescript(script)  # type: ignore[attr-defined]
        else:
            connection.execute(text(script))
            connection.commit()


def _check_swallowed(ledger: Ledger, script: str) -> None:
    events = sample_events(9)
    acknowledged = ledger.append(events[:1]).head
    _run(ledger, script)
    with suppress(LedgerError):  # where many are stored in another way, they are not swallowed
        acknowledged = ledger.append(events[1:5]).head
    with pytest.raises(NotStored, match="runledger doctor"):
        for event in events[5:]:  # one of them is at a position that is swallowed
            acknowledged = ledger.append(event).head
    assert ledger.head() == acknowledged
    assert verify(ledger).ok
    assert any("swallow" in said for said in schema_differences(ledger))


@pytest.mark.parametrize("script", SWALLOWS_ON_SQLITE)
def test_what_sqlite_swallows_is_not_acknowledged(sqlite: Ledger, script: str) -> None:
    _check_swallowed(sqlite, script)


@pytest.mark.parametrize("script", SWALLOWS_ON_POSTGRES)
def test_what_postgres_swallows_is_not_acknowledged(postgres: Ledger, script: str) -> None:
    _check_swallowed(postgres, script)


def test_a_restore_that_is_swallowed_is_none(sqlite: Ledger, tmp_path: Path) -> None:
    sqlite.append(sample_events(20))
    with open_ledger(tmp_path / "copy.db") as copy:
        _run(copy, SWALLOWS_ON_SQLITE[0])
        with pytest.raises(NotStored, match="kept 0 of 20"):
            restore(copy, export_lines(sqlite))
        assert copy.head().sequence == 0


@pytest.mark.parametrize(("said", "script"), TAMPERS_ON_SQLITE.items())
def test_a_part_of_a_sqlite_ledger_that_is_not_as_made_is_named(
    sqlite: Ledger, said: str, script: str
) -> None:
    assert schema_differences(sqlite) == []
    _run(sqlite, script)
    assert said in schema_differences(sqlite)


@pytest.mark.parametrize(("said", "script"), TAMPERS_ON_POSTGRES.items())
def test_a_part_of_a_postgres_ledger_that_is_not_as_made_is_named(
    postgres: Ledger, said: str, script: str
) -> None:
    _run(postgres, script)
    assert said in schema_differences(postgres)


def test_a_postgres_ledger_is_compared_in_whatever_schema_it_is(
    new_postgres_database: NewDatabase,
) -> None:
    url = new_postgres_database()
    with open_ledger(url) as public:
        _run(
            public,
            'CREATE SCHEMA "the e.v ents"; ALTER DATABASE "{}" SET search_path = '
            '"the e.v ents"'.format(url.rsplit("/", 1)[1].split("?")[0]),
        )
    with open_ledger(url) as own, open_ledger(url) as other:
        assert own.append(sample_events(3)).head.sequence == 3
        assert schema_differences(own) == schema_differences(other) == []


def test_a_temporary_table_does_not_answer_for_the_events(postgres: Ledger) -> None:
    """The guard looks at the ledger's table, whatever the session of an INSERT calls its own."""
    postgres.append(sample_events(3))
    columns = ", ".join(Row._fields)
    with postgres._backend.engine.connect() as connection:
        connection.execute(text("CREATE TEMP TABLE events AS SELECT * FROM public.events"))
        connection.execute(text("UPDATE events SET sequence = sequence + 100"))
        with pytest.raises(Exception, match="not the next position"):
            connection.execute(
                text(
                    f"INSERT INTO public.events ({columns}) SELECT 104, 'x', "
                    f"{', '.join(Row._fields[2:])} FROM events WHERE sequence = 103"
                )
            )
