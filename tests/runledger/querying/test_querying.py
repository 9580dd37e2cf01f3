"""SQL by people who look: what is allowed, what is refused, and what it may cost."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger, open_ledger, verify
from ledger.testing import sample_events
from runledger.errors import BadInput
from runledger.querying import Budget, OverBudget, query
from runledger.querying.paging import MOST_CHARACTERS, next_rows
from runledger.querying.sqlite import run as run_on_sqlite
from tests.postgres import NewDatabase
from tests.typing_at import Type

WRITES = [
    "DELETE FROM events",
    "UPDATE events SET data = '{}'",
    "INSERT INTO checkpoints SELECT * FROM checkpoints",
    "DROP TABLE events",
    "CREATE TABLE x (a int)",
    "WITH gone AS (SELECT 1) DELETE FROM events",
    "SELECT 1; DELETE FROM events",
    "SELECT 1; SELECT 2",
    "VACUUM",
    "BEGIN",
    "",
    "-- nothing",
    "SELEC 1",
    "EXPLAIN ANALYZE DELETE FROM events",
]
SQLITE = [
    "ATTACH 'x.db' AS y",
    "VACUUM INTO 'x.db'",
    "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "SELECT load_extension('x')",
    "SELECT writefile('x', 'y')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x')",
    "SELECT fts3_tokenizer('x')",
    "SELECT * FROM pragma_database_list",
    "WITH x AS MATERIALIZED (SELECT 1) INSERT INTO checkpoints SELECT * FROM x",
]
POSTGRES = [
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_sleep(100)",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_terminate_backend(1)",
    "SELECT * FROM pg_shadow",
    "COPY events TO '/tmp/x'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "DO $$ BEGIN END $$",
    "SELECT 1 INTO x",
    "WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x",
    "SELECT nextval('x')",
    "SELECT \"pg_read_file\"('/etc/passwd')",
    "SELECT U&\"pg\\005fread_file\"('/etc/passwd')",
    "SET ROLE postgres",
    "SELECT 1e'\\'', pg_read_file('/etc/passwd') --'",
    "SELECT query_to_xml('DELETE FROM events', true, true, '')",
    # A column after a dot may be a call: each of these runs a function on what stands before it.
    "SELECT ('data_directory'::text).current_setting",
    "SELECT ('select pg_read_file($$/etc/passwd$$)::tsvector'::text).ts_stat",
    "SELECT given . /* a column? */ \"ts_stat\" FROM unnest(ARRAY['select 1']) AS given",
]


@pytest.fixture
def sqlite(folder: Path) -> Iterator[Ledger]:
    with open_ledger(folder / "l.db") as ledger:
        ledger.append(sample_events(30, prefix="e"))
        yield ledger


@pytest.fixture
def postgres(new_postgres_database: NewDatabase) -> Iterator[Ledger]:
    with open_ledger(new_postgres_database()) as ledger:
        ledger.append(sample_events(30, prefix="e"))
        yield ledger


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _rows(ledger: Ledger, sql: str) -> list[tuple[object, ...]]:
    with query(ledger, sql, budget=Budget(10)) as result:
        return list(result.rows)


def _refused(ledger: Ledger, sql: str) -> None:
    head = ledger.head()
    with pytest.raises(BadInput) as caught, query(ledger, sql, budget=Budget(10)) as result:
        list(result.rows)
    assert str(caught.value)
    assert ledger.head() == head
    assert verify(ledger).ok


@pytest.mark.parametrize("sql", [*WRITES, *SQLITE])
def test_sqlite_refuses(sqlite: Ledger, folder: Path, sql: str) -> None:
    before = sorted(folder.iterdir())
    _refused(sqlite, sql)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("sql", [*WRITES, *POSTGRES])
def test_postgres_refuses(postgres: Ledger, sql: str) -> None:
    _refused(postgres, sql)


ALLOWED = [
    ("SELECT count(*) FROM events", [(30,)]),
    ("  select id from v_events order by sequence limit 2 ;  ", [("e-1",), ("e-2",)]),
    ("WITH t AS (SELECT 1 AS a UNION ALL SELECT 2) SELECT sum(a) FROM t", [(3,)]),
    ("SELECT 'DELETE; -- x'", [("DELETE; -- x",)]),
    ("SELECT e.id, length(e.time) FROM v_events AS e WHERE e.sequence = 9", [("e-9", 27)]),
    ("SELECT upper('a') || lower('B'), coalesce(NULL, 7), abs(-2)", [("Ab", 7, 2)]),
    (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) "
        "SELECT max(n) FROM t",
        [(5,)],
    ),
]


@pytest.mark.parametrize(("sql", "rows"), ALLOWED)
def test_sqlite_answers(sqlite: Ledger, sql: str, rows: list[object]) -> None:
    assert _rows(sqlite, sql) == rows


def test_postgres_knows_a_column_from_a_call(postgres: Ledger) -> None:
    names = "name text path host value count time date width version state rule"
    columns = ", ".join(f"1 AS {name}" for name in names.split())
    asked = ", ".join(f"t.{name}" for name in names.split())
    assert _rows(postgres, f"SELECT {asked} FROM (SELECT {columns}) AS t") == [(1,) * 12]


@pytest.mark.parametrize(("sql", "rows"), ALLOWED)
def test_postgres_answers(postgres: Ledger, sql: str, rows: list[object]) -> None:
    assert _rows(postgres, sql) == rows


def test_no_page_of_heavy_rows_is_held(sqlite: Ledger) -> None:
    sql = "SELECT zeroblob(1 << 20) FROM events, (SELECT 1 UNION ALL SELECT 2)"
    with run_on_sqlite(sqlite, sql, Budget(60), None) as (_, pages):
        rows = [len(page) for page in pages]
    assert sum(rows) == 60
    assert max(rows) <= MOST_CHARACTERS >> 20


@pytest.mark.parametrize(
    ("asked", "characters", "next_"),
    [(20, 10, 80), (1000, 10, 1000), (20, 1 << 20, 4), (4, 5 << 20, 1)],
)
def test_the_next_page_is_as_large_as_the_last_one_allows(
    asked: int, characters: int, next_: int
) -> None:
    assert next_rows(asked, [("x" * characters, 1), ("x" * characters, None)]) == next_


def test_a_plan_is_shown_on_both(sqlite: Ledger, postgres: Ledger) -> None:
    for ledger in (sqlite, postgres):
        assert _rows(ledger, "EXPLAIN SELECT * FROM events")


ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ("FUNCTION public.lower(varchar)", "SELECT lower(type::varchar) FROM events"),
        ("FUNCTION public.max(events)", "SELECT events.max FROM events"),
        ("FUNCTION public.int4(varchar)", "SELECT int4(type::varchar) FROM events"),
        ('FUNCTION other."length"(varchar)', 'SELECT "length"(type::varchar) FROM events'),
    ],
)
def test_a_function_of_the_owners_own_is_not_called_in_place_of_a_built_in_one(
    postgres: Ledger, made: str, asked: str
) -> None:
    with contextlib.closing(postgres.detached_connection()) as connection:
        connection.execute("CREATE SCHEMA other")
        connection.execute(
            f"CREATE {made} RETURNS int LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'it was called'; END $$"
        )
        connection.commit()
    with pytest.raises(BadInput, match=r"has a function (public|other)\."):
        _rows(postgres, asked)
    assert _rows(postgres, "SELECT upper('a')") == [("A",)]


def test_one_text_on_postgresql_takes_no_more_memory_than_it_may(
    new_postgres_database: NewDatabase, tmp_path: Path
) -> None:
    url = new_postgres_database()
    with open_ledger(url) as ledger:
        ledger.append(sample_events(1))
    program = (
        "import pathlib, sys\n"
        "from runledger.cli import main\n"
        "code = main(sys.argv[1:])\n"
        # Not `ru_maxrss`: that begins with what the process that started this one had.
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "peak_kib = status.partition('VmHWM:')[2].split()[0]\n"
        "print(int(peak_kib) // 1024, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )

    def run(mib: int, *more: str) -> tuple[int, str, int]:
        sql = f"SELECT repeat('x', {mib << 20} + 0 * sequence::int) AS text FROM events LIMIT 1"
        query = ["--ledger", url, "query", sql, "--format", "ndjson", *more]
        done = subprocess.run(
            [sys.executable, "-c", program, *query],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        *said, peak_mib = done.stderr.splitlines()
        return done.returncode, "\n".join(said), int(peak_mib)

    code, said, peak_mib = run(300)
    assert code != 0
    assert "a row of 300 MiB" in said
    assert "--memory MIB" in said
    assert peak_mib < 256
    code, said, peak_mib = run(20)
    assert (code, said) == (0, "")
    assert peak_mib < 400
    assert run(60)[0] != 0
    assert run(60, "--memory", "1024")[0] == 0


def test_what_never_ends_is_stopped(sqlite: Ledger, postgres: Ledger) -> None:
    for ledger in (sqlite, postgres):
        with (
            pytest.raises(OverBudget, match="did not end within"),
            query(ledger, ENDLESS, budget=Budget(0.2)) as result,
        ):
            list(result.rows)
        assert _rows(ledger, "SELECT 1") == [(1,)]


def test_rows_are_limited_and_it_is_said(sqlite: Ledger) -> None:
    with query(sqlite, "SELECT id FROM events", limit=10) as result:
        assert len(list(result.rows)) == 10
        assert result.truncated


def test_columns_of_one_name_are_told_apart(sqlite: Ledger) -> None:
    with query(sqlite, "SELECT 1 AS a, 2 AS a, 3 AS a") as result:
        assert result.columns == ("a", "a_2", "a_3")


class TestAsTyped:
    SQL = "SELECT type, count(*) AS n FROM events GROUP BY type ORDER BY type"

    def test_every_format(self, type_: Type, sqlite: Ledger) -> None:
        run = ("query", self.SQL, "--ledger", "l.db")
        assert type_(*run).out.splitlines()[0].split() == ["type", "n"]
        assert type_(*run, "--format", "csv").out.splitlines()[:2] == ["type,n", "run_started,7"]
        shown = [json.loads(line) for line in type_(*run, "--format", "ndjson").out.splitlines()]
        assert shown[0] == {"type": "run_started", "n": 7}
        assert type_(*run, "--json").json["rows"] == shown

    def test_exit_codes(self, type_: Type, sqlite: Ledger) -> None:
        assert type_("query", "DELETE FROM events", "--ledger", "l.db").code == 2
        assert type_("query", "SELECT nope", "--ledger", "l.db").code == 2
        assert type_("query", ENDLESS, "--timeout", "0.2", "--ledger", "l.db").code == 1
        assert type_("query", "SELECT 1", "--ledger", "none.db").code == 3

    def test_what_needs_too_much_memory_is_refused(self, type_: Type, sqlite: Ledger) -> None:
        done = type_("query", "SELECT zeroblob(900000000)", "--ledger", "l.db")
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert "memory" in done.err

    def test_the_time_is_up_once_and_plainly_on_postgresql(
        self, type_: Type, postgres: Ledger
    ) -> None:
        url = postgres._backend.engine.url.render_as_string(hide_password=False)
        sql = (
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) "
            "SELECT n FROM t WHERE n < 100 OR n % 1000000000 = 0"
        )
        done = type_("query", sql, "--timeout", "0.3", "--format", "csv", "--ledger", url)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "did not end within 0.3 s" in done.err

    def test_columns_line_up_whatever_the_script(self, type_: Type, sqlite: Ledger) -> None:
        sql = "SELECT '日本' AS a, 'é' || char(0x301) AS b, 1 AS c UNION ALL SELECT 'abcd', 'xy', 2"
        done = type_("query", sql, "--ledger", "l.db")
        assert done.out.splitlines() == ["a     b   c", "日本  é\u0301   1", "abcd  xy  2"]

    def test_a_long_cell_is_cut(self, type_: Type, sqlite: Ledger) -> None:
        sql = "SELECT '日' || printf('%.*c', 5000, 'x') AS a, 1 AS b"
        shown = type_("query", sql, "--ledger", "l.db").out.splitlines()[1]
        assert shown == f"日{'x' * 57}…  1"

    def test_csv_ends_its_lines_as_a_shell_does(self, type_: Type, sqlite: Ledger) -> None:
        sql = "SELECT 1 AS a, 'R1' AS run UNION ALL SELECT 2, 'two' || char(10) || 'lines'"
        done = type_("query", sql, "--format", "csv", "--ledger", "l.db")
        assert done.out == 'a,run\n1,R1\n2,"two\nlines"\n'

    def test_numbers_are_rounded_for_people_and_not_for_programs(
        self, type_: Type, sqlite: Ledger
    ) -> None:
        sql = "SELECT 0.1 + 0.2 AS a, 1234.56789 AS b, 50.0 AS c, 12345678901 AS d"
        text = type_("query", sql, "--ledger", "l.db").out.splitlines()[1]
        assert text.split() == ["0.3", "1234.568", "50", "12345678901"]
        (row,) = type_("query", sql, "--ledger", "l.db", "--json").json["rows"]
        assert row == {"a": 0.1 + 0.2, "b": 1234.56789, "c": 50.0, "d": 12345678901}

    def test_a_row_that_is_wider_than_the_terminal_is_a_block(
        self, type_: Type, sqlite: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sql = f"SELECT 1 AS a, '{'x' * 90}' AS longer UNION ALL SELECT 2, 'short'"
        blocks = f"-- row 1\na       1\nlonger  {'x' * 90}\n-- row 2\na       2\nlonger  short\n"
        run = ("query", sql, "--ledger", "l.db")
        assert type_(*run, "--format", "vertical").out == blocks
        assert type_(*run).out.startswith("a  longer\n1  xxx")
        monkeypatch.setattr("runledger.terminal.output.width", lambda: 100)
        assert type_(*run).out.startswith("a  longer\n")
        monkeypatch.setattr("runledger.terminal.output.width", lambda: 80)
        assert type_(*run).out == blocks
        assert type_("query", "SELECT 1 AS a WHERE 0", "--ledger", "l.db").out == "a\n(no rows)\n"

    def test_terminal_control_is_stripped_from_a_table(self, type_: Type, sqlite: Ledger) -> None:
        sql = "SELECT char(27) || '[31mred' AS a"
        assert "\x1b" not in type_("query", sql, "--ledger", "l.db").out
