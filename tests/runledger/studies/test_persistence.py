"""`runledger study`: what is stored of a study, and whether a program may go on with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from ledger import open_ledger
from runledger.cli import main
from tests.optuna_storages import sqlite_url

PROGRAM: dict[str, Any] = {
    "parameters": {
        "window": {"type": "int", "low": 2, "high": 500},
        "mode": {"type": "categorical", "choices": ["a", "b"]},
    },
    "direction": "maximize",
    "scope": {"data_set": "daily3"},
}


class Bench:
    """A folder with a ledger, and the command line in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def run(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and JSON (or the talk, where there is none)."""
        code = main([*arguments, "--ledger", str(self.folder / "ledger.db"), "--json"])
        said = self._capsys.readouterr()
        return code, json.loads(said.out) if said.out else said.err

    def program(self, **changes: Any) -> str:
        path = self.folder / "space.json"
        path.write_text(json.dumps({**PROGRAM, **changes}))
        return str(path)

    def define(self, **changes: Any) -> Any:
        code, said = self.run("study", "define", "--study", "w", "--space", self.program(**changes))
        assert code == 0
        return said

    def check(self, *more: str, **changes: Any) -> tuple[int, Any]:
        return self.run("study", "check", "--study", "w", "--space", self.program(**changes), *more)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    open_ledger(tmp_path / "ledger.db").close()
    return Bench(tmp_path, capsys)


def wider() -> dict[str, Any]:
    window = {"type": "int", "low": 2, "high": 900}
    return {**PROGRAM["parameters"], "window": window}


def test_the_same_study_is_safe_to_resume(bench: Bench) -> None:
    bench.define()
    code, checked = bench.check()
    assert (code, checked["verdict"], checked["name"]) == (0, "safe", "w")
    assert checked["fingerprint"]["stored"] == checked["fingerprint"]["program"]


def test_another_space_is_a_new_study_with_its_own_name(bench: Bench) -> None:
    bench.define()
    code, checked = bench.check(parameters=wider())
    assert (code, checked["verdict"], checked["stored"]) == (0, "new_study", "w")
    assert checked["name"] == f"w-{checked['fingerprint']['program'][:12]}"
    (difference,) = checked["differences"]
    assert difference["what"] == "parameter window"
    assert difference["stored"] == {"type": "int", "low": 2, "high": 500}


def test_another_direction_is_refused(bench: Bench) -> None:
    bench.define()
    code, checked = bench.check(direction="minimize")
    assert (code, checked["verdict"]) == (10, "refuse")


def test_another_scope_is_a_new_study_and_may_be_given_on_the_line(bench: Bench) -> None:
    bench.define()
    code, checked = bench.check("--scope", "data_set=daily4")
    assert (code, checked["verdict"]) == (0, "new_study")
    assert [each["what"] for each in checked["differences"]] == ["scope data_set"]


def test_a_program_is_compared_with_the_nearest_study_of_the_family(bench: Bench) -> None:
    for name, changes in (
        ("w-11111111", {}),
        ("w-22222222", {"direction": "minimize"}),
        ("w-33333333", {"scope": {"data_set": "daily4"}, "parameters": wider()}),
    ):
        bench.run("study", "define", "--study", name, "--space", bench.program(**changes))
    _, checked = bench.check(parameters=wider())
    assert (checked["verdict"], checked["stored"]) == ("new_study", "w-33333333")
    assert [each["what"] for each in checked["differences"]] == ["scope data_set"]
    code, checked = bench.check(direction="minimize", parameters=wider())
    assert (code, checked["verdict"], checked["stored"]) == (0, "new_study", "w-22222222")
    _, checked = bench.check()
    assert (checked["verdict"], checked["name"]) == ("safe", "w-11111111")


def test_a_study_that_nobody_knows_is_new(bench: Bench) -> None:
    bench.define()
    path = bench.program()
    code, checked = bench.run("study", "check", "--study", "v", "--space", path)
    assert (code, checked["verdict"], checked["stored"]) == (0, "new_study", None)


def test_a_study_of_the_family_with_the_same_fingerprint_is_the_one_to_resume(
    bench: Bench,
) -> None:
    bench.define()
    _, new = bench.check(parameters=wider())
    path = bench.program(parameters=wider())
    bench.run("study", "define", "--study", new["name"], "--space", path)
    _, checked = bench.run("study", "check", "--study", new["name"], "--space", path)
    assert (checked["verdict"], checked["name"]) == ("safe", new["name"])
    _, checked = bench.check(parameters=wider())
    assert (checked["verdict"], checked["stored"], checked["name"]) == (
        "new_study",
        "w",
        new["name"],
    )


def test_defining_the_same_again_records_nothing(bench: Bench) -> None:
    assert bench.define()["event"] is not None
    assert bench.define()["event"] is None
    assert bench.define(direction="minimize")["event"] is not None


def test_a_study_of_before_is_imported_defined_and_carried(bench: Bench) -> None:
    url = sqlite_url(bench.folder / "old.db")
    study = optuna.create_study(study_name="w_1769300000", storage=url, direction="maximize")
    study.optimize(
        lambda trial: (
            trial.suggest_int("window", 2, 500)
            + (trial.suggest_categorical("mode", ["a", "b"]) == "a")
        ),
        n_trials=5,
    )
    bytes_before = (bench.folder / "old.db").read_bytes()
    bench.run("import", "optuna", str(bench.folder / "old.db"), "--assume-tz", "UTC")
    _, checked = bench.check(scope={})
    assert checked["carried"] == {"added": 0, "enqueued": 5, "left_out": {}}, "not known to be same"
    code, _ = bench.run(
        "study", "define", "--study", "w_1769300000", "--storage", url, "--scope", "data_set=daily3"
    )
    assert code == 0
    _, checked = bench.check()
    assert (checked["verdict"], checked["name"]) == ("safe", "w_1769300000")
    _, checked = bench.check(parameters=wider())
    assert checked["carried"]["added"] == 5
    assert (bench.folder / "old.db").read_bytes() == bytes_before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--space", "nowhere.json"], 3, "nowhere.json"),
        (["--space", "junk.json"], 2, "not a JSON file"),
        (["--space", "list.json"], 2, "no JSON object"),
        (["--space", "wrong.json"], 2, "parameters.x.low: write a finite whole number"),
        (["--storage", "junk.json"], 2, "no Optuna storage"),
        (["--storage", "nowhere.db"], 3, "no such file"),
        (["--storage", "empty.db"], 2, "has tried nothing"),
        (["--storage", "empty.db", "--storage-study", "v"], 3, "no study 'v'"),
    ],
)
def test_bad_input_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, says: str
) -> None:
    monkeypatch.chdir(bench.folder)
    (bench.folder / "junk.json").write_text("{")
    (bench.folder / "list.json").write_text("[]")
    (bench.folder / "wrong.json").write_text('{"parameters": {"x": {"type": "int"}}}')
    optuna.create_study(study_name="w", storage=sqlite_url(bench.folder / "empty.db"))
    bench.define()
    got, said = bench.run("study", "check", "--study", "w", *arguments)
    assert got == code
    assert says in said


def test_checking_makes_no_ledger(bench: Bench) -> None:
    (bench.folder / "ledger.db").unlink()
    assert bench.check()[0] == 3
    assert not (bench.folder / "ledger.db").exists()


def test_the_text_says_why(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.define()
    path = bench.program(parameters=wider())
    at = str(bench.folder / "ledger.db")
    assert main(["study", "check", "--study", "w", "--space", path, "--ledger", at]) == 0
    said = capsys.readouterr().out
    assert said.startswith("A NEW STUDY: w-")
    assert "a wider range: Optuna would mix both silently" in said
