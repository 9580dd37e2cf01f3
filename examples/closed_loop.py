"""Closing the loop: ask for the next budget, run, record, ask again.

A search program as small as it can be, on a simulated sieve: ``python
examples/closed_loop.py [FOLDER]`` runs a few searches, each with the trials and
seeds that the ledger says, in one study that learns from run to run. Everything
recorded stays in FOLDER (default: a temporary one); try `runledger decisions`,
`runledger why` and `runledger whatif` on the ledger in it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import runledger
from runledger.studies import MaxTrials, identity_of, open_study

SPACE = {
    "window": IntDistribution(2, 500),
    "threshold": FloatDistribution(0.0, 1.0),
    "skip": FloatDistribution(0.0, 1.0),
    "offset": FloatDistribution(0.0, 1.0),
}
SCOPE = {"data_set": "simulated", "seed_start": 0}
ENOUGH = 50_000


def sieve(window: int, threshold: float, skip: float, offset: float) -> float:
    """Stands in for the real search: how far the parameters are from the only good place."""
    away = (window / 500 - 0.64, threshold - 0.31, skip - 0.55, offset - 0.72)
    return sum(each * each for each in away) ** 0.5


def objective(trial: optuna.Trial, seed_count: int) -> float:
    """One trial: far from the good place nothing comes through, and the trial is pruned."""
    away = sieve(
        trial.suggest_int("window", 2, 500),
        trial.suggest_float("threshold", 0.0, 1.0),
        trial.suggest_float("skip", 0.0, 1.0),
        trial.suggest_float("offset", 0.0, 1.0),
    )
    survivors = int(seed_count * max(0.0, 1 - away / 0.12))
    trial.set_user_attr("survivors", survivors)
    trial.set_user_attr("seed_count", seed_count)
    if away > 0.5:
        raise optuna.TrialPruned
    return -away


def one_run(fleet: runledger.Runledger, folder: Path, number: int) -> int:
    """Ask, run, record; returns how many seeds survived."""
    decision = fleet.next_parameters(scope=SCOPE)
    trials, seed_count = decision.outcome["trials"], decision.outcome["seed_count"]
    print(f"run {number}: {trials} trials x {seed_count:,} seeds ({decision.outcome['rule']})")
    for advice in decision.outcome["advice"]:
        print(f"  second opinion: {advice['text']}")

    study = open_study(
        "closed_loop",
        identity_of(SPACE, ["maximize"], SCOPE),
        storage=JournalStorage(JournalFileBackend(str(folder / "optuna.journal"))),
        ledger=fleet.ledger,
        now_us=fleet.now(),
        seed=7,
    ).study
    limit = MaxTrials(study, trials)
    with fleet.run(
        f"closed-loop-{number}", study=study, scope=SCOPE, trials=trials, seed_count=seed_count
    ) as run:
        with fleet.optuna_callback(run=f"closed-loop-{number}") as record:
            study.optimize(
                lambda trial: objective(trial, seed_count),
                n_trials=limit.left(study),
                callbacks=[record, limit],
            )
        found = max(trial.user_attrs.get("survivors", 0) for trial in study.trials[-trials:])
        run.count(survivors=found)
    print(f"  {len(study.trials)} trials in the study by now; {found:,} survivors in this run")
    return found


def main(folder: Path, runs: int = 6) -> int:
    """Run until enough was found, at most so many times; returns the runs it took."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with runledger.open(folder / "runledger.db", create=True) as fleet:
        for number in range(1, runs + 1):
            if one_run(fleet, folder, number) >= ENOUGH:
                break
    return number


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
