"""What the callback costs a study: the same trials with it and without, in turns.

``python -m benchmarks.optuna_callback`` runs 1,000 trials of 10 ms (a sleep, as
on a GPU that works elsewhere) each way, in interleaved stretches so that what
else the machine does falls on both. The time with the callback includes
waiting for the last trial to be stored in a ledger (a fresh SQLite file). The
study is kept in memory, where our share is greatest, and in a file, as
resumable studies are; there fewer trials do, as each waits for the disk.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import header, quick_asked, report

TRIALS = 1_000
TRIAL_S = 0.010
STRETCHES = 5
LIMIT = 1.10


def main(*, quick: bool = False) -> int:
    """Measure and print; 1 where the bound was missed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trials = TRIALS // 5 if quick else TRIALS
    header(f"{trials:,} trials of {TRIAL_S * 1000:g} ms")
    held = []
    for where, count in (("in memory", trials), ("in SQLite", trials // 5)):
        with tempfile.TemporaryDirectory(prefix="runledger-bench-") as folder:
            without, recorded, stored = measure(
                Path(folder), trials=count, in_file=where == "in SQLite"
            )
        if stored != count:
            raise SystemExit(f"{stored} of {count} trials were stored")
        what = f"callback, study {where}, {count:,} trials"
        held.append(
            report(what, f"{recorded:.2f} s", f"{without:.2f} s", recorded / without, at_most=LIMIT)
        )
    return 0 if all(held) else 1


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
    sys.exit(main(quick=quick_asked(__doc__)))
