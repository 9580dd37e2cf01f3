from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

import runledger
from ledger import Event, Ledger, Unavailable, open_ledger
from ledger.payloads import TrialCompleted
from runledger.studies import RunledgerCallback
from tests import optuna_storages as made


class Kept:
    """A recorder that keeps events, and can be told to fail or to hang."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fail: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def record(self, events: Sequence[Event], /) -> None:
        self.gate.wait(60)
        if self.fail is not None:
            raise self.fail
        self.events += events

    @property
    def trials(self) -> list[TrialCompleted]:
        found = [event.data for event in self.events]
        assert all(isinstance(data, TrialCompleted) for data in found)
        return sorted(found, key=lambda data: data.number)  # type: ignore[attr-defined,arg-type]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "ledger.db")


def seeded(**options: Any) -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3), **options)


def test_every_finished_trial_is_recorded_with_its_run(kept: Kept) -> None:
    study = seeded(study_name="window_opt")

    with RunledgerCallback(kept, run="R7", step="1") as callback:
        study.optimize(made.objective, n_trials=6, catch=(RuntimeError,), callbacks=[callback])

    assert [trial.state for trial in kept.trials] == ["COMPLETE", "PRUNED", "FAIL"] * 2
    assert {(event.runid, event.step) for event in kept.events} == {("R7", "1")}
    assert {trial.seed_count for trial in kept.trials} == {100_000}


def test_the_trial_whose_exception_ends_the_study_is_recorded_too(kept: Kept) -> None:
    study = seeded()

    with pytest.raises(RuntimeError), RunledgerCallback(kept) as callback:
        study.optimize(made.objective, n_trials=6, callbacks=[callback])

    assert [trial.state for trial in kept.trials] == ["COMPLETE", "PRUNED", "FAIL"]


def test_even_the_first_trial_may_end_the_study_where_it_is_watched(kept: Kept) -> None:
    study = seeded()

    def failing(trial: optuna.Trial) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), RunledgerCallback(kept).watch(study) as callback:
        study.optimize(failing, n_trials=6, callbacks=[callback])

    assert [trial.state for trial in kept.trials] == ["FAIL"]


def test_trials_of_before_are_not_ours_to_record(kept: Kept) -> None:
    study = seeded()
    study.optimize(made.objective, n_trials=3, catch=(RuntimeError,))

    with RunledgerCallback(kept) as callback:
        study.optimize(made.objective, n_trials=2, catch=(RuntimeError,), callbacks=[callback])

    assert [trial.number for trial in kept.trials] == [3, 4]


def test_trials_of_several_threads_are_each_recorded_once(kept: Kept) -> None:
    study = seeded()

    with RunledgerCallback(kept) as callback:
        study.optimize(
            made.objective, n_trials=80, n_jobs=4, catch=(RuntimeError,), callbacks=[callback]
        )

    assert [trial.number for trial in kept.trials] == list(range(80))


def test_one_callback_serves_several_studies(kept: Kept) -> None:
    with RunledgerCallback(kept) as callback:
        for name in ("a", "b"):
            study = seeded(study_name=name)
            study.optimize(lambda trial: 1.0, n_trials=2, callbacks=[callback])

    assert Counter(trial.study for trial in kept.trials) == {"a": 2, "b": 2}


def test_several_objectives_are_all_recorded(kept: Kept) -> None:
    study = seeded(directions=["minimize", "maximize"])

    with RunledgerCallback(kept) as callback:
        study.optimize(lambda trial: (1.0, float("inf")), n_trials=1, callbacks=[callback])

    assert kept.trials[0].values == (1.0, "inf")


def test_a_study_of_pruned_trials_alone_is_recorded(kept: Kept) -> None:
    study = seeded(pruner=optuna.pruners.ThresholdPruner(lower=1))

    def barren(trial: optuna.Trial) -> float:
        trial.set_user_attr("survivors", 0)
        trial.report(0, 1)
        assert trial.should_prune()
        raise optuna.TrialPruned

    with RunledgerCallback(kept) as callback:
        study.optimize(barren, n_trials=3, callbacks=[callback])

    assert [(trial.state, trial.survivors) for trial in kept.trials] == [("PRUNED", 0)] * 3


def test_a_seeded_sampler_that_repeats_itself_on_resume_makes_new_trials(kept: Kept) -> None:
    storage = optuna.storages.InMemoryStorage()
    for _ in range(2):  # the second program goes on with the study, from the same seed
        study = seeded(storage=storage, study_name="window_opt", load_if_exists=True)
        with RunledgerCallback(kept) as callback:
            study.optimize(lambda trial: trial.suggest_float("x", 0, 1), 2, callbacks=[callback])

    first, second = kept.trials[:2], kept.trials[2:]
    assert [trial.params for trial in first] == [trial.params for trial in second]
    assert len({event.id for event in kept.events}) == 4


def test_what_the_callback_stored_is_known_to_the_importer(tmp_path: Path) -> None:
    url = made.sqlite_url(tmp_path / "study.db")
    with runledger.open(tmp_path / "ledger.db") as fleet:
        with fleet.optuna_callback(run="R7") as callback:
            study = seeded(storage=url, study_name="window_opt")
            study.optimize(made.objective, n_trials=6, catch=(RuntimeError,), callbacks=[callback])

        (taken,) = fleet.import_optuna(tmp_path / "study.db", assume_tz="Asia/Tokyo")

    assert (taken.stored, taken.duplicates) == (0, 6)


def test_a_recorder_that_hangs_costs_the_study_nothing(kept: Kept) -> None:
    kept.gate.clear()
    study = seeded()
    callback = RunledgerCallback(kept)

    began = time.monotonic()
    study.optimize(lambda trial: 1.0, n_trials=50, callbacks=[callback])
    assert callback.close(timeout_s=0.2) is False
    took = time.monotonic() - began

    assert took < 30
    assert len(study.trials) == 50
    kept.gate.set()


def test_a_recorder_that_fails_is_logged_and_never_reaches_the_study(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    kept.fail = OSError("no space left")
    study = seeded()

    with RunledgerCallback(kept) as callback:
        study.optimize(lambda trial: 1.0, n_trials=3, callbacks=[callback])

    assert len(study.trials) == 3
    assert callback.lost == 3
    assert "no space left" in caplog.text
    assert "runledger import optuna" in caplog.text


def test_a_recorder_that_comes_back_gets_everything(kept: Kept) -> None:
    kept.fail = Unavailable("busy")
    study = seeded()
    with RunledgerCallback(kept) as callback:
        study.optimize(lambda trial: 1.0, n_trials=3, callbacks=[callback])
        time.sleep(0.4)  # the first attempt has failed by now
        kept.fail = None

    assert [trial.number for trial in kept.trials] == [0, 1, 2]
    assert callback.lost == 0


def test_a_trial_that_cannot_be_stored_does_not_take_others_with_it(ledger: Ledger) -> None:
    class Direct:
        def record(self, events: Sequence[Event], /) -> None:
            ledger.append(events)

    study = seeded(study_name="window_opt")
    with RunledgerCallback(Direct(), run="R1") as first:
        study.optimize(lambda trial: 1.0, n_trials=1, callbacks=[first])
    told_otherwise = RunledgerCallback(Direct(), run="R2")
    told_otherwise(study, study.trials[0])
    study.optimize(lambda trial: 1.0, n_trials=2, callbacks=[told_otherwise])
    told_otherwise.close()

    stored = [(event.runid, event.data.number) for event in ledger.read()]  # type: ignore[attr-defined]
    assert stored == [("R1", 0), ("R2", 1), ("R2", 2)]


def test_a_study_that_is_deleted_does_not_disturb_the_callback(
    kept: Kept, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = made.sqlite_url(tmp_path / "study.db")
    study = seeded(storage=url, study_name="window_opt")
    with RunledgerCallback(kept) as callback:
        study.optimize(lambda trial: 1.0, n_trials=2, callbacks=[callback])
        callback.flush()
        optuna.delete_study(study_name="window_opt", storage=url)

    assert [trial.number for trial in kept.trials] == [0, 1]
    assert "could not be looked through" in caplog.text


def test_while_the_ledger_is_away_trials_wait_in_the_spool(tmp_path: Path) -> None:
    folder = tmp_path / "away"
    folder.mkdir()
    with runledger.open(folder / "ledger.db") as fleet:
        study = seeded()
        fleet.ledger.close()
        folder.rename(tmp_path / "elsewhere")
        folder.mkdir()
        (folder / "ledger.db").mkdir()  # whatever tries to open the ledger fails
        with fleet.optuna_callback() as callback:
            study.optimize(lambda trial: 1.0, n_trials=3, callbacks=[callback])
        assert callback.lost == 0
        assert fleet.recorder.spool.pending() == 3


SCRIPT = """
import sys, optuna, runledger
optuna.logging.set_verbosity(optuna.logging.ERROR)
fleet = runledger.open(sys.argv[1])
study = optuna.create_study()
study.optimize(lambda trial: 1.0, n_trials=5, callbacks=[fleet.optuna_callback(run="R1")])
"""


def test_a_callback_that_nobody_closes_stores_the_last_trials_at_exit(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "ledger.db")], check=True)

    with runledger.open(tmp_path / "ledger.db") as fleet:
        assert fleet.ledger.head().sequence == 5


FORKING = """
import os, sys, optuna, runledger
optuna.logging.set_verbosity(optuna.logging.ERROR)
with runledger.open(sys.argv[1]) as fleet, fleet.optuna_callback() as callback:
    optuna.create_study(study_name="parent").optimize(lambda t: 1.0, 2, callbacks=[callback])
    child = os.fork()
    if not child:
        optuna.create_study(study_name="child").optimize(lambda t: 1.0, 2, callbacks=[callback])
        callback.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_records_its_own_trials(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKING, str(tmp_path / "ledger.db")], check=True)

    with runledger.open(tmp_path / "ledger.db") as fleet:
        studies = Counter(event.subject for event in fleet.ledger.read())
    assert studies == {"study/parent": 2, "study/child": 2}


def test_a_full_queue_refuses_and_what_it_refused_is_found_at_the_end(kept: Kept) -> None:
    kept.gate.clear()
    study = seeded()
    with RunledgerCallback(kept, capacity=2) as callback:
        study.optimize(lambda trial: 1.0, n_trials=20, callbacks=[callback])
        kept.gate.set()

    assert [trial.number for trial in kept.trials] == list(range(20))


def test_a_trial_that_a_heartbeat_finds_dead_is_recorded_though_another_began_it(
    kept: Kept, tmp_path: Path
) -> None:
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{tmp_path / 'study.db'}", heartbeat_interval=1, grace_period=1
    )
    study = seeded(storage=storage, study_name="window_opt")
    dead = study.ask()  # by a program that then died
    storage.record_heartbeat(dead._trial_id)
    time.sleep(2.1)

    with RunledgerCallback(kept, run="R2") as callback:
        study.optimize(lambda trial: 1.0, n_trials=1, callbacks=[callback])

    assert [(trial.number, trial.state) for trial in kept.trials] == [(0, "FAIL"), (1, "COMPLETE")]
    assert {event.data.number: event.runid for event in kept.events} == {0: None, 1: "R2"}  # type: ignore[attr-defined]


def test_a_trial_that_had_failed_before_is_none_of_the_callbacks(kept: Kept) -> None:
    study = seeded(study_name="window_opt")
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    time.sleep(0.01)

    with RunledgerCallback(kept) as callback:
        study.optimize(lambda trial: 1.0, n_trials=1, callbacks=[callback])

    assert [trial.number for trial in kept.trials] == [1]
