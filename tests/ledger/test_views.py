"""The views: the same names, types and values on both databases, and the ten questions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

import runledger
from ledger import Event, Ledger, export_lines, new_event, open_ledger, parse_filters, restore
from ledger.payloads import (
    GpuProbe,
    JobFailedWithTraceback,
    ProbedGpu,
    RunFinished,
    RunStarted,
    SshProbe,
    SurvivorsCounted,
)
from ledger.testing import NIGHT_US
from runledger.api.facade import Runledger
from runledger.errors import BadInput
from runledger.querying import query
from tests.postgres import NewDatabase
from tests.runledger.report.month import Month

ROOT = Path(__file__).parents[2]
VIEWS = (
    "v_events", "v_runs", "v_trials", "v_decisions", "v_findings", "v_gpu_probes", "v_gpu_health",
    "v_failures",
)  # fmt: skip
QUESTIONS = re.findall(
    r"^## (\d+)\..*?```sql\n(.*?)```",
    (ROOT / "docs" / "questions.md").read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("views") / "month.db"
    Month(path).tell().close()
    with open_ledger(path, readonly=True) as ledger:
        yield ledger


@pytest.fixture
def postgres(sqlite: Ledger, new_postgres_database: NewDatabase) -> Iterator[Ledger]:
    with open_ledger(new_postgres_database()) as ledger:
        restore(ledger, export_lines(sqlite))
        yield ledger


def _rows(ledger: Ledger, sql: str) -> list[tuple[object, ...]]:
    with query(ledger, sql) as result:
        return sorted(map(_plain, result.rows), key=repr)


def _plain(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(round(cell, 9) if isinstance(cell, float) else cell for cell in row)


def test_both_databases_show_the_same(sqlite: Ledger, postgres: Ledger) -> None:
    for view in VIEWS:
        ours, theirs = (inspect(ledger._backend.engine) for ledger in (sqlite, postgres))
        names = [column["name"] for column in ours.get_columns(view)]
        assert names == [column["name"] for column in theirs.get_columns(view)], view
        rows = _rows(sqlite, f"SELECT * FROM {view}")
        assert rows == _rows(postgres, f"SELECT * FROM {view}"), view
        assert rows, view


@pytest.mark.parametrize(("number", "sql"), QUESTIONS)
def test_a_question_has_the_same_answer_on_both(
    sqlite: Ledger, postgres: Ledger, number: str, sql: str
) -> None:
    answer = _rows(sqlite, sql)
    assert [list(map(str, row)) for row in answer] == [
        list(map(str, row)) for row in _rows(postgres, sql)
    ]
    assert answer, number


def test_there_are_ten_questions() -> None:
    assert [number for number, _ in QUESTIONS] == [str(number) for number in range(1, 11)]


def test_the_story_answers_the_questions_as_it_was_told(sqlite: Ledger) -> None:
    by_number = dict(QUESTIONS)
    with query(sqlite, by_number["1"]) as result:
        worst = next(result.rows)
    assert worst[:3] == ("rig-6600", "0000:22:00.0", 4)  # and 8 more in February
    sitting_out = [row[:2] for row in _rows(sqlite, by_number["6"])]
    assert sitting_out == [("rig-6600", "0000:22:00.0"), ("rig-6600b", "0000:15:00.0")]
    uncounted = {row[0] for row in _rows(sqlite, by_number["4"])}
    told = {row[0] for row in _rows(sqlite, "SELECT run FROM v_runs WHERE survivors IS NULL")}
    assert uncounted <= told
    assert len(uncounted) == 2


@pytest.fixture
def opened(sqlite: Ledger) -> Iterator[Runledger]:
    with runledger.open(str(sqlite._backend.engine.url.database)) as opened:
        yield opened


def test_frames_hold_what_the_view_holds(opened: Runledger) -> None:
    pytest.importorskip("pandas", reason="needs pandas")
    pytest.importorskip("polars", reason="needs polars")
    count = _rows(opened.ledger, "SELECT count(*) FROM v_runs")[0][0]
    frame, other = opened.to_pandas("v_runs"), opened.to_polars("v_runs")
    assert len(frame) == len(other) == count
    assert list(frame.columns) == other.columns
    assert frame["seed_count"].sum() == other["seed_count"].sum()
    assert opened.to_polars("SELECT 1 AS a WHERE 1 = 0").columns == ["a"]
    for what in ("events_nope", "DELETE FROM events"):
        with pytest.raises(BadInput):
            opened.to_pandas(what)


def test_duckdb_reads_the_ledger(sqlite: Ledger, tmp_path: Path) -> None:
    """Its SQLite reader is an extension that is fetched on first use: Parquet needs none."""
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    from runledger.exporting.tabular import write_parquet

    write_parquet(sqlite, (), tmp_path / "e.parquet", lambda _: None)
    counted = f"SELECT type, count(*) FROM '{tmp_path}/e.parquet' GROUP BY type"
    found = duckdb.sql(counted).fetchall()
    assert dict(found) == dict(_rows(sqlite, "SELECT type, count(*) FROM events GROUP BY type"))


def test_datasette_opens_it(sqlite: Ledger) -> None:
    import asyncio

    app = pytest.importorskip("datasette.app", reason="needs datasette")

    async def ask() -> list[dict[str, object]]:
        site = app.Datasette([str(sqlite._backend.engine.url.database)], immutables=[])
        await site.invoke_startup()
        sql = "select verdict, count(*) as n from v_decisions group by verdict order by 1"
        answer = await site.client.get("/month.json", params={"sql": sql, "_shape": "array"})
        found: list[dict[str, object]] = answer.json()
        return found

    assert {row["verdict"] for row in asyncio.run(ask())} >= {"go", "no_go"}


def _both(location: Path, new_postgres_database: NewDatabase, *told: Event) -> Iterator[Ledger]:
    """A small ledger on SQLite, then the same on PostgreSQL."""
    with open_ledger(location) as first:
        first.append(told)
        yield first
        with open_ledger(new_postgres_database()) as second:
            restore(second, export_lines(first))
            yield second


def test_a_run_is_known_by_what_is_about_it_too(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    told = [
        new_event(RunStarted(trials=9), time_us=NIGHT_US, source="t", subject="run/R1"),
        new_event(
            SurvivorsCounted(trials=9, completed_trials=8, seed_count=7, survivors=6),
            time_us=NIGHT_US + 1,
            source="t",
            subject="study/window",
            runid="R1",
        ),
    ]
    for ledger in _both(tmp_path / "l.db", new_postgres_database, *told):
        found = _rows(ledger, "SELECT run, study, trials, survivors, events FROM v_runs")
        assert found == [("R1", "window", 9, 6, 2)]
        assert _rows(ledger, "SELECT DISTINCT run FROM v_events") == [("R1",)]
        (where,) = parse_filters(["run=R1"])
        assert len(list(ledger.read(where=[where]))) == 2


def test_a_card_has_one_row_even_where_a_probe_lists_it_twice(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    gpus = [
        ProbedGpu(pci="0000:01:00.0", state="ok"),
        ProbedGpu(pci="0000:01:00.0", state="missing"),
    ]
    probe = GpuProbe(node="n", method="m", gpus=gpus, smu_reads=0)
    told = new_event(probe, time_us=NIGHT_US, source="t")
    for ledger in _both(tmp_path / "l.db", new_postgres_database, told):
        assert _rows(ledger, "SELECT pci, state FROM v_gpu_health") == [("0000:01:00.0", "missing")]
        assert _rows(ledger, "SELECT nth FROM v_gpu_probes") == [(1,), (2,)]


def test_places_are_read_from_subjects_alike(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    subjects = ["gpu/n/0000:01:00.0/more", "gpu/n", "node/n/more", "gpu//0000:01:00.0", "fleet"]
    told = [
        new_event(RunFinished(outcome="failed"), time_us=NIGHT_US, source="t", subject=subject)
        for subject in subjects
    ]
    for ledger in _both(tmp_path / "l.db", new_postgres_database, *told):
        with query(ledger, "SELECT subject, node, pci FROM v_events ORDER BY sequence") as result:
            assert list(result.rows) == [
                ("gpu/n/0000:01:00.0/more", "n", "0000:01:00.0"),
                ("gpu/n", "n", None),
                ("node/n/more", "n", None),
                ("gpu//0000:01:00.0", None, "0000:01:00.0"),
                ("fleet", None, None),
            ]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_card_is_shown_once_where_a_job_calls_its_node_by_the_address(
    tmp_path: Path, new_postgres_database: NewDatabase, database: str
) -> None:
    card = ProbedGpu(pci="0000:01:00.0", index=0, state="ok")
    facts = [
        SshProbe(node="rig", address="192.0.2.10", reachable=True),
        GpuProbe(node="rig", method="sysfs", gpus=(card,), smu_reads=0),
        _failed("192.0.2.10"),
        _failed("rig"),
        # Two nodes took turns at this address: whose job it was is not known.
        SshProbe(node="a", address="192.0.2.20", reachable=True),
        SshProbe(node="b", address="192.0.2.20", reachable=True),
        _failed("192.0.2.20"),
    ]
    where = tmp_path / "l.db" if database == "sqlite" else new_postgres_database()
    with open_ledger(where) as ledger:
        ledger.append(
            new_event(each, time_us=NIGHT_US + at, source="test") for at, each in enumerate(facts)
        )
        shown = _rows(ledger, "SELECT node, pci, state, job_failures FROM v_gpu_health")
    assert shown == [
        ("192.0.2.20", "0000:01:00.0", None, 1),
        ("rig", "0000:01:00.0", "ok", 2),
    ]


def _failed(node: str) -> JobFailedWithTraceback:
    return JobFailedWithTraceback(
        job="j", node=node, pci="0000:01:00.0", attempt=1, exception="RuntimeError",
        message="HIP error", traceback="", will_retry=False, fingerprint="f",
    )  # fmt: skip
