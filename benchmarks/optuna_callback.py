"""What the callback costs a study: the same trials with it and without, in turns.

``python -m benchmarks.optuna_callback`` runs 1,000 trials of 10 ms (a sleep, as
on a GPU that works elsewhere) each way, in interleaved stretches so that what
else the machine does falls on both. The time with the callback includes
waiting for the last trial to be stored. ``--storage sqlite`` keeps the study in
a file, as resumable studies are; the default keeps it in memory, where our
share is greatest. Both write to a ledger in a fresh SQLite file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

TRIALS = 1_000
TRIAL_S = 0.010
STRETCHES = 5
LIMIT = 1.10


def main() -> None:
    """Measure and print."""
    import optuna

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--storage", choices=["memory", "sqlite"], default="memory")
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as folder:
        without, with_callback, stored = measure(
            Path(folder), trials=options.trials, in_file=options.storage == "sqlite"
        )
    print(f"{options.trials:,} trials of {TRIAL_S * 1000:g} ms, study in {options.storage}")
    print(f"without the callback   {without:7.2f} s")
    print(f"with the callback      {with_callback:7.2f} s   {stored:,} events stored")
    print(f"ratio                  {with_callback / without:7.3f}     (at most {LIMIT:.2f})")


def measure(folder: Path, *, trials: int, in_file: bool) -> tuple[float, float, int]:
    """Seconds without and with the callback, and how many events were stored."""
    import runledger

    seconds = {False: 0.0, True: 0.0}
    with runledger.open(folder / "ledger.db") as ledger:
        for stretch in range(STRETCHES):
            # Whoever goes first finds the caches cold: take turns in that, too.
            for recorded in (False, True) if stretch % 2 else (True, False):
                storage = f"sqlite:///{folder}/{stretch}-{recorded}.db" if in_file else None
                seconds[recorded] += _search(
                    ledger if recorded else None, storage, f"study-{stretch}", trials // STRETCHES
                )
        return seconds[False], seconds[True], ledger.ledger.head().sequence


def _search(ledger: object, storage: str | None, name: str, trials: int) -> float:
    import optuna

    study = optuna.create_study(
        study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler(seed=1)
    )
    begun = time.perf_counter()
    if ledger is None:
        study.optimize(_objective, n_trials=trials)
    else:
        with ledger.optuna_callback(run=name) as callback:  # type: ignore[attr-defined]
            study.optimize(_objective, n_trials=trials, callbacks=[callback])
    return time.perf_counter() - begun


def _objective(trial: object) -> float:
    x: float = trial.suggest_float("x", -1, 1)  # type: ignore[attr-defined]
    trial.suggest_int("window", 1, 512)  # type: ignore[attr-defined]
    trial.set_user_attr("survivors", 0)  # type: ignore[attr-defined]
    trial.set_user_attr("seed_count", 100_000)  # type: ignore[attr-defined]
    time.sleep(TRIAL_S)
    return x


if __name__ == "__main__":
    main()
