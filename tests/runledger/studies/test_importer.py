from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import optuna
import pytest
from sqlalchemy import create_engine

from ledger import to_wire
from runledger.studies import (
    BusyStorage,
    ImportedStudy,
    MissingStorage,
    NoSuchStudy,
    UnusableStorage,
    import_studies,
    storage,
    warmstart,
)
from tests import optuna_storages as made
from tests.pgbouncer import Behind
from tests.postgres import NewDatabase


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a storage may be made, in a folder of its own."""
    (tmp_path / "searches").mkdir()
    return tmp_path / "searches" / "study.db"


def studies(location: object, *names: str, **options: Any) -> list[ImportedStudy]:
    return list(import_studies(str(location), studies=names, **{"zone": UTC, **options}))


def test_finished_trials_of_every_state_become_events(file: Path) -> None:
    made.new_sqlite(file)

    (study,) = studies(file)

    assert study.name == "window_opt"
    wires = [to_wire(event)["data"] for event in study.events]
    assert [wire["number"] for wire in wires] == [0, 1, 2, 3, 4, 5]
    assert [wire["state"] for wire in wires] == ["COMPLETE", "PRUNED", "FAIL"] * 2
    assert {wire["seed_count"] for wire in wires} == {100_000}
    assert [wire["survivors"] for wire in wires] == [7, 0, 0, 7, 0, 0]


def test_trials_that_never_finished_are_counted_and_named(file: Path) -> None:
    made.new_sqlite(file, trials=3)
    made.left_running(file, running=2, waiting=1)

    (study,) = studies(file)

    assert len(study.events) == 3
    assert study.unfinished == {"RUNNING": (3, 4), "WAITING": (5,)}


@pytest.mark.parametrize("spelling", ["path", "sqlite URL", "read-only URI"])
def test_a_storage_is_found_by_path_and_by_url(file: Path, spelling: str) -> None:
    made.new_sqlite(file, trials=2)
    location = {
        "path": str(file),
        "sqlite URL": f"sqlite:///{file}",
        "read-only URI": f"sqlite:///file:{file}?mode=ro&uri=true",
    }[spelling]

    assert len(studies(location)[0].events) == 2


def test_all_studies_are_read_and_one_can_be_chosen(file: Path) -> None:
    made.new_sqlite(file, "first", 1)
    made.new_sqlite(file, "second", 2)

    assert [(each.name, len(each.events)) for each in studies(file)] == [
        ("first", 1),
        ("second", 2),
    ]
    assert [each.name for each in studies(file, "second")] == ["second"]


def test_an_unknown_study_is_refused_with_the_names_there_are(file: Path) -> None:
    made.new_sqlite(file, "window_opt", 1)

    with pytest.raises(NoSuchStudy, match=r"no study 'window'.*'window_opt'"):
        studies(file, "window")


def test_local_times_are_read_in_the_zone_given_and_not_without_one(file: Path) -> None:
    made.new_sqlite(file, trials=1)

    (utc,), (west,) = studies(file), studies(file, zone=ZoneInfo("Etc/GMT+8"))

    assert west.events[0].time_us - utc.events[0].time_us == 8 * 3600 * 1_000_000
    assert west.events[0].id == utc.events[0].id
    with pytest.raises(UnusableStorage, match="--assume-tz"):
        studies(file, zone=None)


@pytest.mark.parametrize(
    "kept_as",
    [
        "plain",
        "hot journal",
        "WAL",
        "WAL mode, WAL gone",
        "Optuna 2",
        "Optuna 1",
        "read-only",
        "journal file",
    ],
)
def test_the_source_keeps_every_byte_and_gains_no_sibling(file: Path, kept_as: str) -> None:
    if kept_as == "Optuna 1":
        made.as_first_versions(file)
    elif kept_as == "journal file":
        backend = optuna.storages.journal.JournalFileBackend(str(file))
        made.search(optuna.storages.JournalStorage(backend), trials=2)
    else:
        made.new_sqlite(file, trials=40)
    if kept_as == "hot journal":
        made.with_hot_journal(file)
    elif kept_as == "WAL":
        made.in_wal_mode(file)
    elif kept_as == "WAL mode, WAL gone":
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    elif kept_as == "Optuna 2":
        made.as_optuna_2(file)
    elif kept_as == "read-only":
        file.chmod(0o444)
        file.parent.chmod(0o555)
    before = made.contents(file.parent)

    (study,) = studies(file)

    assert made.contents(file.parent) == before
    assert study.events
    file.parent.chmod(0o755)


def test_a_hot_journal_is_undone_before_anything_is_read(file: Path) -> None:
    made.new_sqlite(file, trials=40)
    (before,) = studies(file)

    made.with_hot_journal(file)

    assert studies(file)[0].events == before.events


def test_a_link_leads_to_the_file_with_what_lies_beside_it(file: Path) -> None:
    made.new_sqlite(file, trials=40)
    (before,) = studies(file)
    made.with_hot_journal(file)
    link = file.parent.parent / "link.db"
    link.symlink_to(file)

    assert studies(link)[0].events == before.events


def test_what_is_only_in_the_wal_is_read(file: Path) -> None:
    made.new_sqlite(file, trials=1)
    made.in_wal_mode(file)

    assert [study.name for study in studies(file)] == ["from_the_wal"]


def test_storages_of_older_optunas_are_read(file: Path) -> None:
    made.new_sqlite(file)
    (today,) = studies(file)

    (study,) = studies(made.as_optuna_2(file))

    assert [event.data for event in study.events] == [event.data for event in today.events]


def test_storages_of_the_first_optunas_are_read(file: Path) -> None:
    (study,) = studies(made.as_first_versions(file))

    first = to_wire(study.events[0])
    assert first["time"] == "2020-06-01T10:00:02.500000Z"
    assert (first["data"]["values"], first["data"]["params"]) == ([0.25], {"x": 0.5})
    assert first["data"]["duration_s"] == 2.5
    assert [to_wire(event)["data"].get("values") for event in study.events[1:]] == [None]


def test_a_storage_of_a_newer_optuna_is_refused_with_what_to_do(file: Path) -> None:
    made.as_newer_than_known(made.new_sqlite(file, trials=1))

    with pytest.raises(UnusableStorage, match=r"newer Optuna.*pip install -U optuna"):
        studies(file)


def _other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE accounts (name)")


def _damaged(path: Path) -> None:
    made.new_sqlite(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))


def _cut_off(path: Path) -> None:
    made.new_sqlite(path)
    path.write_bytes(path.read_bytes()[:6000])


def _damaged_journal(path: Path) -> None:
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    made.search(optuna.storages.JournalStorage(backend), trials=2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{torn\n", *lines[2:]]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.write_text("trial,value\n1,2\n"), "neither SQLite nor an Optuna jour"),
        (lambda path: path.write_text('{"events": 1}\n'), "neither SQLite nor an Optuna journal"),
        (lambda path: path.write_bytes(os.urandom(64) + b"\xff" * 5000), "neither SQLite nor"),
        (_other_database, "no table 'studies'"),
        (lambda path: path.mkdir(), "a folder"),
        (os.mkfifo, "no regular file"),
        (_damaged, "damaged SQLite file"),
        (_cut_off, "damaged SQLite file"),
        (_damaged_journal, "damaged Optuna journal"),
    ],
)
def test_what_is_no_storage_is_refused_by_what_it_is(file: Path, make: Any, words: str) -> None:
    make(file)

    with pytest.raises(UnusableStorage, match=words):
        studies(file)


def test_a_journal_left_beside_a_file_is_named_as_a_part_of_it(file: Path) -> None:
    file.write_bytes(b"SQLite format 3\x00")
    journal = file.with_name(f"{file.name}-journal")
    journal.write_bytes(bytes(512))

    with pytest.raises(UnusableStorage, match=f"it belongs to {re.escape(str(file))}"):
        studies(journal)


def test_a_database_without_tables_is_no_storage(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("DROP TABLE t")
        connection.commit()

    with pytest.raises(UnusableStorage, match="the database is empty"):
        studies(file)


@pytest.mark.parametrize(
    "location", ["nowhere/study.db", "sqlite:///nowhere/study.db", "study.db/inside"]
)
def test_a_missing_file_is_missing_and_stays_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(MissingStorage, match="no such file"):
        studies(location)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (":memory:", "in memory"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("nonsense://host/db", "driver"),
        ("://", "cannot be read|no such file"),
        ("postgresql://user:secret@127.0.0.1:1/db", "cannot be opened"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_its_password(
    location: str, words: str
) -> None:
    with pytest.raises((UnusableStorage, MissingStorage), match=words) as caught:
        studies(location)

    assert "secret" not in str(caught.value)


def test_a_storage_without_a_study_gives_none(file: Path) -> None:
    optuna.storages.RDBStorage(made.sqlite_url(file)).engine.dispose()

    assert studies(file) == []


def test_a_journal_file_needs_no_zone_and_its_torn_end_is_passed_over(file: Path) -> None:
    backend = optuna.storages.journal.JournalFileBackend(str(file))
    made.search(optuna.storages.JournalStorage(backend), trials=3)
    with file.open("ab") as journal:
        journal.write(b'{"op_code":4,"work')

    (study,) = studies(file, zone=None)
    (assumed,) = studies(file, zone=ZoneInfo("Asia/Tokyo"))

    assert len(study.events) == 3
    assert [event.time_us for event in study.events] == [e.time_us for e in assumed.events]


def test_a_copied_study_has_the_same_trials(file: Path) -> None:
    made.new_sqlite(file)
    backend = optuna.storages.journal.JournalFileBackend(str(file.with_name("copy.log")))
    optuna.copy_study(
        from_study_name="window_opt",
        from_storage=made.sqlite_url(file),
        to_storage=optuna.storages.JournalStorage(backend),
    )

    (one,), (other,) = studies(file), studies(file.with_name("copy.log"))

    assert [event.id for event in one.events] == [event.id for event in other.events]


def test_a_study_begun_afresh_under_the_same_name_is_another(file: Path) -> None:
    made.new_sqlite(file, trials=2)
    made.new_sqlite(file.with_name("afresh.db"), trials=2)

    (one,), (other,) = studies(file), studies(file.with_name("afresh.db"))

    assert not {event.id for event in one.events} & {event.id for event in other.events}


def test_postgresql_is_read_in_sessions_held_to_reading(
    new_postgres_database: NewDatabase,
) -> None:
    url = new_postgres_database()
    driver = url.replace("postgresql://", "postgresql+psycopg://")
    rdb = optuna.storages.RDBStorage(driver)
    made.search(rdb)
    rdb.engine.dispose()

    (study,) = studies(url)

    assert len(study.events) == 6
    with storage.opened(url) as (opened, _):
        with pytest.raises(optuna.exceptions.StorageInternalError) as refused:
            opened.create_new_study([optuna.study.StudyDirection.MINIMIZE], "another")
        assert "read-only transaction" in str(refused.value.__cause__)


def test_an_older_schema_on_a_server_is_refused_with_what_to_run(
    new_postgres_database: NewDatabase,
) -> None:
    url = new_postgres_database().replace("postgresql://", "postgresql+psycopg://")
    rdb = optuna.storages.RDBStorage(url)
    with rdb.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    rdb.engine.dispose()

    with pytest.raises(UnusableStorage, match=r"older Optuna.*optuna storage upgrade"):
        studies(url)


def test_a_server_database_without_studies_is_no_storage(
    new_postgres_database: NewDatabase,
) -> None:
    with pytest.raises(UnusableStorage, match="the database is empty"):
        studies(new_postgres_database())


class _Deleting:
    """A storage whose study goes away between being listed and being read."""

    def __init__(self, real: Any, name: str) -> None:
        self._real, self._name = real, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_all_trials(self, study_id: int, **options: Any) -> Any:
        if self._real.get_study_name_from_id(study_id) == self._name:
            self._real.delete_study(study_id)
        return self._real.get_all_trials(study_id, **options)


def test_a_study_deleted_meanwhile_is_left_out_or_named(
    monkeypatch: pytest.MonkeyPatch, new_postgres_database: NewDatabase
) -> None:
    from runledger.studies import VanishedStudy

    url = new_postgres_database().replace("postgresql://", "postgresql+psycopg://")
    rdb = optuna.storages.RDBStorage(url)
    made.search(rdb, "first", 1)
    made.search(rdb, "second", 1)
    monkeypatch.setattr(storage, "_server_storage", lambda _: _Deleting(rdb, "first"))

    assert [study.name for study in studies(url)] == ["second"]

    made.search(rdb, "first", 1)
    with pytest.raises(VanishedStudy, match="'first' was deleted"):
        studies(url, "first")
    rdb.engine.dispose()


def test_a_running_search_is_read_without_disturbing_it(file: Path) -> None:
    made.new_sqlite(file, trials=1)
    script = (
        "import sys, optuna\n"
        "optuna.logging.set_verbosity(optuna.logging.ERROR)\n"
        "study = optuna.load_study(study_name='window_opt', storage=sys.argv[1])\n"
        "print('on', flush=True)\n"
        "study.optimize(lambda trial: trial.suggest_float('x', -1, 1), n_trials=60)\n"
    )
    search = subprocess.Popen(
        [sys.executable, "-c", script, made.sqlite_url(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert search.stdout is not None
    search.stdout.readline()
    seen = [len(studies(file)[0].events) for _ in range(4)]
    _, complaints = search.communicate(timeout=60)

    assert search.returncode == 0, complaints
    assert seen == sorted(seen)
    assert len(studies(file)[0].events) == 61


def test_a_writer_that_does_not_let_go_is_waited_for_and_then_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.new_sqlite(file, trials=1)
    monkeypatch.setattr(storage, "COPY_WAIT_S", 0.1)

    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BusyStorage, match="try again later"):
            studies(file)

        writer.execute("ROLLBACK")
        writer.execute("BEGIN IMMEDIATE")  # the journal beside it is in use, not left over
        writer.execute("UPDATE trials SET number = 77")
        assert studies(file)[0].events


def test_a_trial_that_makes_no_event_is_named_and_the_others_are_read(file: Path) -> None:
    made.new_sqlite(file, trials=3)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(
            "UPDATE trials SET datetime_start = NULL, datetime_complete = NULL WHERE number = 1"
        )
        connection.commit()

    (study,) = studies(file)

    assert len(study.events) == 2
    assert study.refused == {1: "trial 1 bears no time"}


def test_trials_that_a_warm_start_put_there_are_no_news(file: Path) -> None:
    made.new_sqlite(file, trials=1)
    study = optuna.load_study(study_name="window_opt", storage=made.sqlite_url(file))
    carried = optuna.trial.create_trial(value=1.0, user_attrs={warmstart.ORIGIN: "event-1"})
    study.add_trial(carried)

    (found,) = studies(file)

    assert [event.data.number for event in found.events] == [0]  # type: ignore[attr-defined]
    assert found.carried == (1,)


def test_an_old_storage_leaves_the_loggers_of_its_reader_alone(file: Path) -> None:
    made.new_sqlite(file, trials=1)
    made.as_optuna_2(file)
    code = f"""
import logging
from datetime import UTC
mine = logging.getLogger("mine")
mine.addHandler(logging.NullHandler())
before = mine.level, list(mine.handlers), list(logging.root.handlers)
from runledger.studies import import_studies
assert len(list(import_studies({str(file)!r}, zone=UTC))) == 1
named = [each for each in logging.root.manager.loggerDict.values() if hasattr(each, "disabled")]
assert not [each.name for each in named if each.disabled]
assert before == (mine.level, list(mine.handlers), list(logging.root.handlers))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_callers_own_options_for_postgresql_are_kept(
    new_postgres_database: NewDatabase, pooler: Behind
) -> None:
    """Two schemas, each with studies: those of the schema that the URL names are read."""
    url = new_postgres_database()
    driver = url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(driver)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA second")
    engine.dispose()
    for schema in ("public", "second"):
        own = f"{driver}{'&' if '?' in driver else '?'}options=-csearch_path%3D{schema}"
        storage = optuna.storages.RDBStorage(own)
        optuna.create_study(study_name=f"of_{schema}", storage=storage)
        storage.engine.dispose()
        assert [each.name for each in import_studies(own, zone=UTC)] == [f"of_{schema}"]
    assert [each.name for each in import_studies(pooler(url), zone=UTC)] == ["of_public"]
