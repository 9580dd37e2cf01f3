from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

import runledger
from ledger import Event, InvalidEvents
from ledger.payloads import JobFailedWithTraceback, TrialCompleted, TrialStarted
from runledger.studies import runledger_trial
from tests import optuna_storages as made


class Kept:
    """A recorder that keeps events, and notes what the study knew when each came."""

    def __init__(self, study: optuna.Study) -> None:
        self.study = study
        self.events: list[Event] = []
        self.states: list[str] = []
        self.fail: Exception | None = None

    def record(self, events: Sequence[Event], /) -> None:
        if self.fail is not None:
            raise self.fail
        self.events += events
        self.states += [self.study.trials[-1].state.name] * len(events)

    @property
    def payloads(self) -> list[Any]:
        return [event.data for event in self.events]


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(study_name="window_opt", direction="maximize")


@pytest.fixture
def kept(study: optuna.Study) -> Kept:
    return Kept(study)


def test_a_trial_is_recorded_when_it_begins_and_when_it_ended(
    study: optuna.Study, kept: Kept
) -> None:
    with runledger_trial(study, kept, run="R7", step="1", node="rig-6600") as trial:
        assert kept.payloads == [TrialStarted(study="window_opt", number=0, node="rig-6600")]
        window = trial.suggest_int("window", 3, 3)
        trial.set_user_attr("survivors", 5)
        trial.tell(window)

    assert study.trials[0].value == 3
    assert isinstance(kept.payloads[1], TrialCompleted)
    assert kept.payloads[1].survivors == 5
    assert kept.payloads[1].node == "rig-6600"
    assert {(event.runid, event.step) for event in kept.events} == {("R7", "1")}


def test_parameters_known_at_the_start_are_recorded_there(study: optuna.Study, kept: Kept) -> None:
    fixed = {"window": optuna.distributions.IntDistribution(3, 3)}

    with runledger_trial(study, kept, distributions=fixed) as trial:
        trial.tell(1.0)

    assert kept.payloads[0].params == {"window": 3}


def test_several_objectives_are_told_together() -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    kept = Kept(study)

    with runledger_trial(study, kept) as trial:
        trial.tell([1.0, 2.0])

    assert kept.payloads[1].values == (1.0, 2.0)


def test_a_failure_is_recorded_before_the_study_or_a_retry_hears_of_it(
    study: optuna.Study, kept: Kept
) -> None:
    with (
        pytest.raises(ConnectionError, match="rig-6600 is gone"),
        runledger_trial(study, kept, node="rig-6600", attempt=2, will_retry=True),
    ):
        raise ConnectionError("rig-6600 is gone")

    _, failed, finished = kept.payloads
    assert isinstance(failed, JobFailedWithTraceback)
    assert failed.exception.endswith("ConnectionError")
    assert (failed.message, failed.attempt, failed.will_retry) == ("rig-6600 is gone", 2, True)
    assert (failed.job, failed.node) == ("window_opt/0", "rig-6600")
    assert "test_asktell.py" in failed.traceback
    assert finished.state == "FAIL"
    assert kept.states == ["RUNNING", "RUNNING", "FAIL"]


def test_ctrl_c_leaves_no_trial_running(study: optuna.Study, kept: Kept) -> None:
    with pytest.raises(KeyboardInterrupt), runledger_trial(study, kept):
        raise KeyboardInterrupt

    assert [trial.state.name for trial in study.trials] == ["FAIL"]
    assert len(kept.events) == 3


def test_a_pruned_trial_is_no_failure_and_ends_there(study: optuna.Study, kept: Kept) -> None:
    with runledger_trial(study, kept) as trial:
        trial.report(0.25, 1)
        raise optuna.TrialPruned

    assert [payload.event_type for payload in kept.payloads] == ["trial_started", "trial_completed"]
    assert (kept.payloads[1].state, kept.payloads[1].values) == ("PRUNED", (0.25,))


def test_a_trial_that_was_never_told_fails(study: optuna.Study, kept: Kept) -> None:
    with runledger_trial(study, kept):
        pass

    assert kept.payloads[1].state == "FAIL"


def test_a_value_that_optuna_cannot_take_leaves_no_trial_running(
    study: optuna.Study, kept: Kept
) -> None:
    with pytest.raises(TypeError), runledger_trial(study, kept) as trial:
        trial.tell("2.5")  # type: ignore[arg-type]  # as a program may, by mistake

    assert study.trials[0].state.name == "FAIL"
    assert [type(each) for each in kept.payloads[1:]] == [JobFailedWithTraceback, TrialCompleted]


def test_a_trial_told_by_the_program_itself_stays_as_it_was_told(
    study: optuna.Study, kept: Kept
) -> None:
    with runledger_trial(study, kept) as trial:
        study.tell(trial.number, 7.0)

    assert (kept.payloads[1].state, kept.payloads[1].values) == ("COMPLETE", (7.0,))


def test_a_recorder_that_fails_stops_no_trial(
    study: optuna.Study, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    kept.fail = OSError("no space left")

    with runledger_trial(study, kept) as trial:
        trial.tell(1.0)

    assert study.trials[0].state.name == "COMPLETE"
    assert "no space left" in caplog.text


def test_a_storage_that_fails_does_not_hide_what_failed_first(
    study: optuna.Study, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise OSError("the storage is gone")

    with pytest.raises(ValueError, match="the fault"), runledger_trial(study, kept):
        monkeypatch.setattr(study, "tell", gone)
        raise ValueError("the fault")

    assert [payload.event_type for payload in kept.payloads] == [
        "trial_started",
        "job_failed_with_traceback",
    ]


def test_what_ask_and_tell_stored_is_known_to_the_importer(tmp_path: Path) -> None:
    url = made.sqlite_url(tmp_path / "study.db")
    study = optuna.create_study(study_name="window_opt", storage=url)
    with runledger.open(tmp_path / "ledger.db") as fleet:
        with fleet.trial(study, run="R7") as trial:
            trial.tell(trial.suggest_float("x", 0, 1))

        (taken,) = fleet.import_optuna(tmp_path / "study.db", assume_tz="UTC")

    assert (taken.stored, taken.duplicates) == (0, 1)


def test_a_name_that_no_event_can_bear_is_refused_before_a_trial_is_asked_for(
    study: optuna.Study, kept: Kept
) -> None:
    with pytest.raises(InvalidEvents), runledger_trial(study, kept, node="rig\n"):
        pass

    assert study.trials == []


def test_the_state_of_the_card_is_kept_with_the_failure(study: optuna.Study, kept: Kept) -> None:
    with (
        pytest.raises(RuntimeError),
        runledger_trial(study, kept, gpu_state=lambda: {"temp_c": 71}),
    ):
        raise RuntimeError("HIP error")

    assert kept.payloads[1].gpu_state == {"temp_c": 71}
