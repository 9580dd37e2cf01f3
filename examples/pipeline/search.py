"""The search of step 1: an Optuna study whose trials are jobs on all cards.

The pipeline's own code. The file of survivors is written at the very end: a search that is
killed leaves none, which is not the same as no survivors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna
from coordinator import Coordinator


def search(
    study: optuna.Study,
    coordinator: Coordinator,
    output: Path,
    *,
    trials: int,
    seed_count: int,
    callbacks: Iterable[Callable[[optuna.Study, optuna.trial.FrozenTrial], Any]] = (),
) -> tuple[int, int]:
    """Run so many trials; returns the most survivors of one, and the trials that completed."""

    def objective(trial: optuna.Trial) -> float:
        window = trial.suggest_int("window", 2, 500)
        threshold = trial.suggest_float("threshold", 0.0, 1.0)
        away = abs(window / 500 - 0.64) + abs(threshold - 0.31)
        survivors = coordinator.run(f"trial-{trial.number}", seed_count, away)
        trial.set_user_attr("survivors", survivors)
        trial.set_user_attr("seed_count", seed_count)
        if survivors == 0:
            raise optuna.TrialPruned
        return float(survivors)

    study.optimize(objective, n_trials=trials, callbacks=list(callbacks))
    found = [int(trial.user_attrs.get("survivors", 0)) for trial in study.trials]
    output.write_text(json.dumps({"survivors": max(found, default=0)}))
    return max(found, default=0), len(found)
