"""The roles of docs/postgresql.md can do what they are for, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

import runledger
from ledger import LedgerError, Unavailable, open_ledger, schema_differences, verify
from ledger.testing import NIGHT_US, sample_event, sample_events
from runledger.querying import query
from tests.postgres import NewDatabase

PAGE = Path(__file__).parents[2] / "docs" / "postgresql.md"
(SQL,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.S)
ROLES = ("writer", "reader", "analyst")


class Logins:
    """A ledger with events, and its URL for a login of each role."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Roles are the whole server's: each database of the tests has its own.
        self._mark = make_url(url).database
        with open_ledger(url) as ledger:
            ledger.append(sample_events(30))
        self.execute(re.sub(r"\bledger_(writer|reader|analyst)\b", self._role(r"\1"), SQL))
        for role in ROLES:
            name = self._role(role)
            self.execute(f'CREATE ROLE "{name}_login" LOGIN IN ROLE {name}')

    def _role(self, role: str) -> str:
        return f"{role}_of_{self._mark}"

    def of(self, role: str) -> str:
        login = make_url(self.url).set(username=f"{self._role(role)}_login")
        return login.render_as_string(hide_password=False)

    def execute(self, sql: str, role: str | None = None) -> None:
        with psycopg.connect(self.url if role is None else self.of(role)) as connection:
            connection.execute(sql)

    def drop(self) -> None:
        for role in ROLES:
            name = self._role(role)
            self.execute(f'DROP OWNED BY {name}; DROP ROLE "{name}_login"; DROP ROLE {name}')


@pytest.fixture
def logins(new_postgres_database: NewDatabase) -> Iterator[Logins]:
    made = Logins(new_postgres_database())
    yield made
    made.drop()


def test_a_writer_appends_and_decides(logins: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runledger.deciding.folding.CHECKPOINT_EVERY", 10)
    with runledger.open(logins.of("writer")) as fleet:
        assert fleet.record(sample_event(40)).stored == 1
        assert fleet.ledger.append(sample_events(30, first=50)).stored == 30
        before = fleet.ledger.head().sequence
        fleet.exclusions()
        assert fleet.ledger.head().sequence > before
        with fleet.ledger._backend.engine.connect() as connection:
            kept = connection.exec_driver_sql("SELECT count(*) FROM checkpoints").scalar()
        assert kept == 1
        assert verify(fleet.ledger).ok


def test_a_reader_reads_and_replays(logins: Logins) -> None:
    with runledger.open(logins.of("writer")) as fleet:
        fleet.exclusions(at=NIGHT_US)
    with runledger.open(logins.of("reader"), readonly=True) as fleet:
        head = fleet.ledger.head()
        assert len(list(fleet.ledger.read())) == head.sequence
        assert fleet.replay()[:2] == (1, 1)
        with query(fleet.ledger, "SELECT count(*) FROM v_trials") as rows:
            assert list(rows.rows) == [(8,)]
        assert fleet.ledger.head() == head


def test_an_analyst_queries_the_views(logins: Logins) -> None:
    with open_ledger(logins.of("analyst"), create=False, readonly=True) as ledger:
        for view in re.findall(r"\bv_\w+", SQL):
            with query(ledger, f"SELECT * FROM {view}") as rows:
                assert rows.columns
                list(rows.rows)
        with (
            pytest.raises(Exception, match="permission denied"),
            query(ledger, "SELECT * FROM events") as rows,
        ):
            list(rows.rows)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET data = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "ALTER TABLE events DISABLE TRIGGER events_no_change",
        "CREATE RULE swallow AS ON INSERT TO events DO INSTEAD NOTHING",
        "CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW "
        "EXECUTE FUNCTION runledger_append_only()",
        "CREATE OR REPLACE VIEW v_runs AS SELECT 1",
        "CREATE FUNCTION public.max(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "CREATE TABLE public.mine ()",
        "DROP INDEX events_by_time",
        "UPDATE alembic_version SET version_num = '0001'",
        "SET session_replication_role = replica",
    ],
)
def test_no_role_can_change_what_is_stored_or_how(logins: Logins, role: str, sql: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        logins.execute(sql, role)


@pytest.mark.parametrize("role", ["reader", "analyst"])
def test_only_a_writer_writes(logins: Logins, role: str) -> None:
    with open_ledger(logins.of(role), create=False) as ledger, pytest.raises(LedgerError):
        ledger.append(sample_event(99))


def test_a_writer_can_not_put_an_event_anywhere_but_at_the_end(logins: Logins) -> None:
    """With a temporary table of the events' name, too, that the guard would once have asked."""
    copied = "CREATE TEMP TABLE events AS SELECT * FROM public.events; "
    copied += "UPDATE events SET sequence = 9"
    columns = "sequence, id, type, source, subject, time_us, dataschemaversion, data, recorded_us, "
    columns += "prevhash, hash"
    insert = f"INSERT INTO public.events ({columns}) SELECT 10, 'x', type, source, subject, "
    insert += "time_us, dataschemaversion, data, recorded_us, prevhash, hash FROM events LIMIT 1"
    with pytest.raises(psycopg.errors.RaiseException, match="not the next position"):
        logins.execute(f"{copied}; {insert}", "writer")


@pytest.mark.parametrize("role", ["writer", "reader"])
def test_the_comparison_of_the_schema_is_the_owners(logins: Logins, role: str) -> None:
    with open_ledger(logins.of(role), create=False) as ledger:
        with pytest.raises(Unavailable, match="permission denied"):
            schema_differences(ledger)
        assert verify(ledger).ok
    with open_ledger(logins.url, create=False) as owned:
        assert schema_differences(owned) == []
