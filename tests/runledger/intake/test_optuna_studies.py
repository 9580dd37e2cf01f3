from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import runledger
from runledger.cli import main
from runledger.cli.import_optuna import ranges
from tests import optuna_storages as made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(capsys: pytest.CaptureFixture[str], *arguments: str, tz: str = "UTC") -> Any:
    assert main(["import", "optuna", *arguments, "--assume-tz", tz, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_finished_trials_are_stored_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.new_sqlite(folder / "study.db")

    first = imported(capsys, "study.db")
    again = imported(capsys, "study.db")

    assert {key: first[key] for key in ("studies", "stored", "duplicates", "unfinished")} == {
        "studies": 1,
        "stored": 6,
        "duplicates": 0,
        "unfinished": 0,
    }
    assert (again["stored"], again["duplicates"]) == (0, 6)
    with runledger.open() as ledger:
        assert ledger.ledger.head().sequence == 6


def test_trials_that_came_since_are_added(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.new_sqlite(folder / "study.db", trials=2)
    imported(capsys, "study.db")
    made.new_sqlite(folder / "study.db", trials=3)

    assert imported(capsys, "study.db")["stored"] == 3


def test_another_zone_later_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.new_sqlite(folder / "study.db", trials=2)
    imported(capsys, "study.db", tz="UTC")

    assert imported(capsys, "study.db", tz="America/Los_Angeles")["stored"] == 0


def test_unfinished_trials_are_counted_and_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.new_sqlite(folder / "study.db", trials=1)
    made.left_running(folder / "study.db", running=3, waiting=0)

    assert main(["import", "optuna", "study.db", "--assume-tz", "UTC"]) == 0

    said = capsys.readouterr()
    assert said.out == "window_opt: stored 1 trial, 3 unfinished left out\n"
    assert "3 trials are unfinished (RUNNING), not imported: 1-3" in said.err
    assert imported(capsys, "study.db")["unfinished"] == 3


def test_studies_are_chosen_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        made.new_sqlite(folder / "study.db", name, 1)

    done = imported(capsys, "study.db", "--study", "a", "--study", "c", "--study", "a")

    assert (done["studies"], done["stored"]) == (2, 2)


def test_a_storage_without_studies_is_said_to_be_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import optuna

    optuna.storages.RDBStorage("sqlite:///study.db").engine.dispose()

    assert main(["import", "optuna", "study.db", "--assume-tz", "UTC", "--json"]) == 0

    said = capsys.readouterr()
    assert json.loads(said.out)["studies"] == 0
    assert "an Optuna storage without any study" in said.err


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE accounts (name)")


@pytest.mark.parametrize(
    ("make", "extra", "code", "words"),
    [
        (_empty, ["--assume-tz", "UTC"], 2, "empty file"),
        (_other_database, ["--assume-tz", "UTC"], 2, "is no Optuna storage"),
        (made.new_sqlite, ["--assume-tz", "UTC", "--study", "other"], 3, "no study 'other'"),
        (made.new_sqlite, [], 2, "--assume-tz"),
        (made.new_sqlite, ["--assume-tz", "Mars/Base"], 2, "no time zone"),
        (lambda path: None, ["--assume-tz", "UTC"], 3, "no such file"),
    ],
)
def test_what_cannot_be_imported_is_named_and_nothing_stored(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    make: Any,
    extra: list[str],
    code: int,
    words: str,
) -> None:
    make(folder / "study.db")

    assert main(["import", "optuna", "study.db", *extra]) == code

    assert words in capsys.readouterr().err
    with runledger.open() as ledger:
        assert ledger.ledger.head().sequence == 0


def test_many_numbers_are_named_in_short() -> None:
    assert ranges((0, 1, 2, 5, 7, 8)) == "0-2, 5, 7-8"
    assert ranges(tuple(range(0, 100, 2)), most=3) == "0, 2, 4, …"


def test_a_folder_and_patterns_are_taken_in_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "studies").mkdir()
    made.new_sqlite(folder / "studies/a.db", "a", 2)
    made.new_sqlite(folder / "studies/b.db", "b", 1)
    made.new_sqlite(folder / "other.sqlite", "c", 3)
    (folder / "studies/notes.db").write_text("dear diary " * 100)
    (folder / "studies/a.db-journal").write_text("")

    done = imported(capsys, "studies", "*.sqlite")

    assert (done["studies"], done["stored"]) == (3, 6)
    assert [each["path"] for each in done["passed_over"]] == ["studies/notes.db"]
    assert imported(capsys, "studies", "*.sqlite")["stored"] == 0
    with runledger.open() as fleet:
        taken = fleet.import_optuna(["studies/a.db"], "other.sqlite", assume_tz="UTC")
    assert [each.study for each in taken] == ["a", "c"]


@pytest.mark.parametrize("place", ["nothing*.db", "empty"])
def test_a_place_without_storages_is_said_to_be_one(folder: Path, place: str) -> None:
    (folder / "empty").mkdir()
    assert main(["import", "optuna", place, "--assume-tz", "UTC"]) == 3


def test_a_zone_that_was_not_named_is_no_storage_to_pass_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "studies").mkdir()
    made.new_sqlite(folder / "studies/a.db", "a", 2)
    assert main(["import", "optuna", "studies"]) == 2
    assert "--assume-tz" in capsys.readouterr().err


def test_a_study_that_no_storage_holds_is_not_found(folder: Path) -> None:
    (folder / "studies").mkdir()
    made.new_sqlite(folder / "studies/a.db", "a", 1)
    made.new_sqlite(folder / "studies/b.db", "b", 1)
    arguments = ["import", "optuna", "studies", "--assume-tz", "UTC", "--study"]
    assert main([*arguments, "a"]) == 0
    assert main([*arguments, "z"]) == 3
