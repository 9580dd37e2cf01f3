"""Runs of systems through years, several at a time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.truth.drawing import draw
from benchmarks.truth.layout import Dialect
from benchmarks.truth.rates import rates_of
from benchmarks.truth.scoring import Score
from benchmarks.truth.systems import make
from benchmarks.truth.systems.simple import Oracle
from benchmarks.truth.world import World


class Run(NamedTuple):
    """One year of one system."""

    system: str
    dialect: Dialect
    seed: int
    rates: str = "default"
    nodes: int = 24
    days: int = 365
    settings: tuple[str, ...] = ()


def live(run: Run) -> Score:
    """The score of one run; the same every time."""
    rates = rates_of(run.rates)
    fate = draw(run.seed, run.dialect, rates, nodes=run.nodes, days=run.days)
    system = make(run.system, fate.machines, list(run.settings))
    world = World(fate, rates, system)
    if isinstance(system, Oracle):
        system.scene, system.harmful = world.scene, world.harmful
    return world.live()


def live_all(runs: list[Run], jobs: int) -> Iterator[tuple[Run, Score]]:
    """Every run with its score, as they are done; ``jobs`` at a time."""
    if jobs <= 1:
        for run in runs:
            yield run, live(run)
        return
    # Spawned, so that no state of the parent comes along; worlds are made anew from their seed.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_both, runs)


def _both(run: Run) -> tuple[Run, Score]:
    return run, live(run)
