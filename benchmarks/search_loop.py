"""How many trials until something is found: the loop with runledger, against runs started afresh.

``python -m benchmarks.search_loop`` searches a *simulated* sieve: five parameters,
one small good place, a wider region around it in which a trial has a value, and
nothing anywhere else (there a trial is pruned, as the real search does). The good
place lies elsewhere for every seed. Nothing but the objective is simulated: the
studies are Optuna's, the budgets come from a ledger, the trials are counted.

- afresh: runs of 50 trials, a new study each time, as the pipeline had it;
- budget only: a new study each time, with the trials that `next` says;
- Optuna resumed: the trials that `next` says, in one study with Optuna's own sampler;
- with runledger: the trials that `next` says, in one study as `open_study` keeps it.

Counted are the trials until the first that has a survivor.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

import runledger
from benchmarks.measuring import header, quick_asked, report
from ledger.payloads import SurvivorsCounted
from runledger.studies import identity_of, open_study

SEEDS = 10
MOST = 1000
SPACE = {name: FloatDistribution(0.0, 1.0) for name in ("a", "b", "c", "d", "e")}
FINDS = 0.08
"""Trials this close to the good place have survivors: a ball of 0.002 % of the space."""
TELLS = {"a wide slope": 0.60, "a narrow slope": 0.40}
"""Trials this close have a value; all others are pruned."""


class Sieve:
    """A search whose good place depends on the seed."""

    def __init__(self, seed: int, tells: float) -> None:
        self._tells = tells
        place = random.Random(seed)
        self._good = {name: place.uniform(0.15, 0.85) for name in SPACE}
        self.trials = 0
        self.found = False

    def __call__(self, trial: optuna.Trial) -> float:
        self.trials += 1
        squares = ((trial.suggest_float(p, 0.0, 1.0) - self._good[p]) ** 2 for p in SPACE)
        away = sum(squares) ** 0.5
        if away < FINDS:
            self.found = True
            trial.study.stop()
        if away > self._tells:
            raise optuna.TrialPruned
        return -away

    @property
    def done(self) -> bool:
        """Whether something was found, or nothing in very many trials."""
        return self.found or self.trials >= MOST


class Fleet(NamedTuple):
    """A ledger, at a time that the benchmark sets."""

    ledger: runledger.Runledger
    clock: list[int]

    def trials(self) -> int:
        """What `next` says."""
        return int(self.ledger.next_parameters(study="sieve").outcome["trials"])

    def count(self, trials: int) -> None:
        """Record a run that found nothing."""
        self.clock[0] += 1_000_000
        counted = SurvivorsCounted(
            study="sieve", trials=trials, completed_trials=trials, seed_count=100_000, survivors=0
        )
        self.ledger.note(counted, runid=f"R{self.clock[0]}")


def afresh(
    seed: int, sieve: Sieve, budget: Callable[[], int], count: Callable[[int], object]
) -> int:
    """Trials until the first find, a new study for every run."""
    run = 0
    while not sieve.done:
        trials = budget()
        sampler = optuna.samplers.TPESampler(seed=1000 * seed + run)
        optuna.create_study(direction="maximize", sampler=sampler).optimize(sieve, n_trials=trials)
        count(trials)
        run += 1
    return sieve.trials


def resumed(seed: int, sieve: Sieve, fleet: Fleet) -> int:
    """Trials until the first find, in one study that goes on with Optuna's own sampler."""
    sampler = optuna.samplers.TPESampler(seed=1000 * seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    while not sieve.done:
        trials = min(fleet.trials(), MOST - sieve.trials)
        study.optimize(sieve, n_trials=trials)
        fleet.count(trials)
    return sieve.trials


def persistent(seed: int, sieve: Sieve, fleet: Fleet) -> int:
    """Trials until the first find, in one study; every run opens it anew."""
    storage = optuna.storages.InMemoryStorage()
    while not sieve.done:
        trials = fleet.trials()
        opened = open_study(
            "sieve", identity_of(SPACE), storage=storage, ledger=fleet.ledger.ledger,
            now_us=fleet.clock[0], seed=1000 * seed,
        )  # fmt: skip
        opened.study.optimize(sieve, n_trials=trials)
        assert not opened.study.get_trials(states=(TrialState.FAIL,))
        fleet.count(trials)
    return sieve.trials


def one_seed(seed: int, tells: float) -> list[int]:
    """The four ways, for one place of the good."""
    ways: tuple[Callable[[int, Sieve, Fleet], int], ...] = (
        lambda seed, sieve, _: afresh(seed, sieve, lambda: 50, lambda _: None),
        lambda seed, sieve, fleet: afresh(seed, sieve, fleet.trials, fleet.count),
        resumed,
        persistent,
    )
    taken = []
    for way in ways:
        with tempfile.TemporaryDirectory() as folder:
            clock = [1_769_300_000_000_000]
            with runledger.open(Path(folder, "l.db"), clock=lambda clock=clock: clock[0]) as ledger:
                taken.append(way(seed, Sieve(seed, tells), Fleet(ledger, clock)))
    return taken


def landscape(name: str, seeds: int, at_most: float | None) -> bool:
    """Search one kind of simulated sieve and print; whether the loop needed few enough trials."""
    rows = []
    print(f"{name}: trials until the first survivors (simulated)")
    print(" seed   afresh  budget only  Optuna resumed  with runledger", flush=True)
    for seed in range(seeds):
        row = one_seed(seed, TELLS[name])
        rows.append(row)
        print(f"{seed:>5} {row[0]:>8} {row[1]:>12} {row[2]:>15} {row[3]:>15}", flush=True)
    fresh, budget, resume, loop = (statistics.mean(each) for each in zip(*rows, strict=True))
    header("mean, against runs afresh")
    report("budget only", f"{budget:.0f}", f"{fresh:.0f}", budget / fresh)
    report("Optuna resumed", f"{resume:.0f}", f"{fresh:.0f}", resume / fresh)
    held = report(
        "with runledger", f"{loop:.0f}", f"{fresh:.0f}", loop / fresh, at_most=at_most
    )  # fmt: skip
    fewer = sum(row[3] < row[0] for row in rows)
    same = sum(row[3] == row[0] for row in rows)
    print(f"fewer trials in {fewer} of {len(rows)} seeds, the same in {same}; cut at {MOST}\n")
    return held


def main(*, quick: bool = False) -> int:
    """Run and print; 1 where the loop needs too many trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seeds, at_most = (2, None) if quick else (SEEDS, 0.8)
    held = [landscape(name, seeds, at_most) for name in TELLS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(quick=quick_asked(__doc__)))
