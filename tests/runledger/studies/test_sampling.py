"""The sampler of persistent studies: barren trials are no example to follow."""

from __future__ import annotations

import optuna
import pytest

from runledger.studies.sampling import _Good, informed_sampler
from tests import optuna_storages  # noqa: F401  (quiets Optuna)


def study_of(complete: int, pruned: int, reported: int) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    for _ in range(complete):
        study.tell(study.ask({"x": optuna.distributions.FloatDistribution(0, 1)}), 1.0)
    for number in range(pruned):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        if number < reported:
            trial.report(0.5, 1)
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    return study


@pytest.mark.parametrize(
    ("complete", "pruned", "reported", "good"),
    [(0, 40, 0, 0), (2, 38, 0, 2), (20, 20, 0, 4), (0, 40, 3, 3), (0, 40, 40, 4), (30, 0, 0, 3)],
)
def test_no_more_trials_are_called_good_than_tell_something(
    complete: int, pruned: int, reported: int, good: int
) -> None:
    assert _Good(study_of(complete, pruned, reported))(complete + pruned) == good


def test_a_small_place_is_found_among_many_barren_ones() -> None:
    def objective(trial: optuna.Trial) -> float:
        away = sum((trial.suggest_float(f"p{index}", 0, 1) - 0.7) ** 2 for index in range(4)) ** 0.5
        if away > 0.45:
            raise optuna.TrialPruned
        if away < 0.1:
            trial.study.stop()
        return -away

    for seed in range(3):
        study = optuna.create_study(direction="maximize")
        study.sampler = informed_sampler(study, seed)
        study.optimize(objective, n_trials=150)
        assert study.best_value > -0.1, f"seed {seed}"


def test_several_objectives_take_optunas_own_rule() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.sampler = informed_sampler(study, 1)
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 1.0), n_trials=12)
    assert len(study.trials) == 12


@pytest.mark.filterwarnings("error")
def test_making_it_warns_nobody() -> None:
    informed_sampler(optuna.create_study(), 1)
