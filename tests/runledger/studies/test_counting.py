from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

import runledger
from ledger import Event
from ledger.payloads import RunFinished, RunStarted, SurvivorsCounted
from runledger.studies import SearchRun, completed_trials
from tests import optuna_storages as made


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, events: Sequence[Event], /) -> None:
        self.events += events

    @property
    def payloads(self) -> list[Any]:
        return [event.data for event in self.events]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def clock() -> int:
    return 1_769_277_731_000_000


def test_a_run_is_recorded_from_start_to_count_to_finish(kept: Kept) -> None:
    scope = {"data": "synthetic", "window": [1, 512]}
    options: dict[str, Any] = {"study": "window_opt", "scope": scope, "now_us": clock}

    with SearchRun(kept, "R7", trials=50, seed_count=100_000, step="1", **options) as run:
        run.count(survivors=7, completed_trials=48)

    started, counted, finished = kept.payloads
    assert started == RunStarted(study="window_opt", scope=scope, trials=50, seed_count=100_000)
    assert counted == SurvivorsCounted(
        trials=50,
        completed_trials=48,
        seed_count=100_000,
        survivors=7,
        study="window_opt",
        scope=scope,
    )
    assert isinstance(finished, RunFinished)
    assert (finished.outcome, finished.reason) == ("succeeded", None)
    assert [(event.runid, event.step) for event in kept.events] == [("R7", "1")] * 3
    assert [event.subject for event in kept.events] == ["run/R7", "study/window_opt", "run/R7"]
    assert {event.time for event in kept.events} == {"2026-01-24T18:02:11Z"}


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (ValueError("no data\x00"), "failed", "ValueError: no data\ufffd"),
        (RuntimeError(), "failed", "RuntimeError"),
        (OSError("postgresql://u:hunter2@rig/db refused"), "failed",
         "OSError: postgresql://u:<redacted>@rig/db refused"),
        (KeyboardInterrupt(), "aborted", "KeyboardInterrupt"),
        (SystemExit(3), "aborted", "SystemExit: 3"),
    ],
)  # fmt: skip
def test_an_exception_is_the_reason_and_goes_on_its_way(
    kept: Kept, error: BaseException, outcome: str, reason: str
) -> None:
    with pytest.raises(type(error)), SearchRun(kept, "R7"):
        raise error

    finished = kept.payloads[-1]
    assert (finished.outcome, finished.reason) == (outcome, reason)


def test_a_run_that_never_counted_tells_of_no_survivors_at_all(kept: Kept) -> None:
    with SearchRun(kept, "R7", trials=5, seed_count=10):
        pass

    assert [type(payload) for payload in kept.payloads] == [RunStarted, RunFinished]


def test_a_partial_run_says_how_far_it_came(kept: Kept) -> None:
    with SearchRun(kept, "R7", trials=5, seed_count=10) as run:
        run.count(
            survivors=1,
            completed_trials=2,
            unique_survivors=1,
            seed_start=-5,
            seeds_covered=6,
            jobs_expected=4,
            jobs_ok=3,
        )

    counted = kept.payloads[1]
    assert (counted.seeds_covered, counted.jobs_expected, counted.jobs_ok) == (6, 4, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"survivors": -1, "completed_trials": 1}, "survivors=-1 is no count"),
        ({"survivors": None, "completed_trials": 1}, "survivors=None"),
        ({"survivors": 1, "completed_trials": 1.5}, r"completed_trials=1\.5"),
        ({"survivors": 1}, "completed_trials=… or study=…"),
        ({"survivors": 1, "completed_trials": 1, "trials": "many"}, "trials='many'"),
    ],
)
def test_what_is_no_count_is_refused_by_name(
    kept: Kept, options: dict[str, Any], words: str
) -> None:
    run = SearchRun(kept, "R7", seed_count=10, trials=1)

    with pytest.raises(ValueError, match=words):
        run.count(**options)


def test_a_run_without_its_numbers_asks_for_them_at_the_count(kept: Kept) -> None:
    with SearchRun(kept, "R7") as run:
        with pytest.raises(ValueError, match="trials=None is no count"):
            run.count(survivors=1, completed_trials=1)
        run.count(survivors=1, completed_trials=1, trials=2, seed_count=3)

    assert (kept.payloads[1].trials, kept.payloads[1].seed_count) == (2, 3)


def test_completed_is_complete_or_pruned_for_want_of_survivors_never_failed() -> None:
    study = optuna.create_study()

    def objective(trial: optuna.Trial) -> float:
        if trial.number in (1, 2):
            trial.set_user_attr("survivors", trial.number - 1)  # 1: none, 2: some
        if trial.number in (1, 2, 3):  # 3 does not say
            raise optuna.TrialPruned
        if trial.number == 4:
            trial.set_user_attr("survivors", 0)
            raise RuntimeError
        return 0.0

    study.optimize(objective, n_trials=5, catch=(RuntimeError,))
    study.ask()

    assert completed_trials(study.trials) == 2
    assert completed_trials(study.trials, lambda trial: 0) == 4


def test_the_trials_of_this_run_are_counted_and_not_those_of_before(kept: Kept) -> None:
    study = optuna.create_study(study_name="window_opt")
    study.optimize(made.objective, n_trials=3, catch=(RuntimeError,))

    with SearchRun(kept, "R7", study=study, trials=6, seed_count=9) as run:
        study.optimize(made.objective, n_trials=6, catch=(RuntimeError,))
        run.count(survivors=14)

    assert kept.payloads[0].study == "window_opt"
    assert kept.payloads[1].completed_trials == 4


def test_two_lines_in_a_search_program_feed_the_next_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with runledger.run("R7", study="window_opt", trials=50, seed_count=100_000) as run:
        run.count(survivors=0, completed_trials=50)

    decided = runledger.next_parameters(study="window_opt")
    assert (decided.outcome["trials"], decided.outcome["rule"]) == (100, "zero_survivors")


def test_a_search_begins_and_ends_even_while_the_ledger_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()

    with runledger.run("R7", ledger=tmp_path / "ledger.db", trials=1, seed_count=1) as run:
        run.count(survivors=0, completed_trials=1)

    (tmp_path / "ledger.db").rmdir()
    with runledger.open(tmp_path / "ledger.db") as fleet:
        assert fleet.recorder.deliver().delivered == 3
        types = [event.type for event in fleet.ledger.read()]
    assert types == ["run_started", "survivors_counted", "run_finished"]
