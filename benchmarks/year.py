"""A year of a small fleet, made from a seed, with the truth known.

    python -m benchmarks.year --seed 1 --output year.db [--days 365] [--events 1000000]

Three machines with 26 cards are probed around the clock. Cards fail (a few of
them again and again), sometimes taking their machine down; machines vanish for
other reasons, reboot and lose their ramdisk; inputs are missing; runs ask for
more time than they have, are killed uncounted, or find nothing. In the first
half of the year runs start whatever preflight says; from then on a run that
preflight blocks does not start, and nobody knows how it would have ended.
Everything is simulated: rates are of the order that one small fleet has seen.
Longer than most: it is one simulation, run by hand and imported by no other program.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import runledger
from ledger import Event, new_event
from ledger.payloads import (
    GpuProbe,
    InputFile,
    InputsChecked,
    KernelLogScanned,
    Payload,
    ProbedGpu,
    RamdiskChecked,
    RamdiskFile,
    RunFinished,
    RunStarted,
    SmuError,
    SshProbe,
    SurvivorsCounted,
    TrialCompleted,
)
from ledger.times import parse_time
from runledger.api.facade import Runledger
from runledger.cli.progress import progress

START = parse_time("2025-02-01T00:00:00Z")
S = 1_000_000
M = 60 * S
H = 60 * M
D = 24 * H

CARDS = {"rig-6600": 12, "rig-6600b": 12, "zeus": 2}
RAMDISK = "/dev/shm/train_history.json"
INPUT = "survivors.json"
STUDY = "window_optimizer"
CHRONIC = {("rig-6600", 10): 9.0, ("rig-6600b", 4): 14.0, ("rig-6600", 3): 40.0}
"""Cards that fail again and again, with the mean number of days between incidents."""

CONFIG = """\
ledger = "{ledger}"
[[nodes]]
name = "rig-6600"
gpus = 12
[[nodes]]
name = "rig-6600b"
gpus = 12
[[nodes]]
name = "zeus"
address = "localhost"
gpus = 2
ramdisk = false
[steps."1"]
timeout_s = 7200
[steps."3"]
timeout_s = 7200
ramdisk = ["/dev/shm/train_history.json"]
inputs = ["survivors.json"]
"""


class Ran(NamedTuple):
    """The truth about one run: what would make or made it fail, and whether it started.

    ``cause``: ``""`` where nothing was wrong, else ``node``, ``gpu``,
    ``ramdisk``, ``input``, ``time`` or ``bug``; all but ``bug`` and ``gpu`` were
    there to be seen before it started.
    """

    run: str
    at_us: int
    cause: str
    started: bool


class Year(NamedTuple):
    """What was made."""

    events: int
    decisions: int
    runs: list[Ran]


class _Outage(NamedTuple):
    node: str
    from_us: int
    to_us: int


class _Simulation:
    def __init__(self, seed: int, days: int, probe_every_us: int) -> None:
        self.rng = random.Random(seed)
        self.end = START + days * D
        self.probe_every_us = probe_every_us
        self.outages: list[_Outage] = []
        self.no_ramdisk: list[_Outage] = []
        self.no_input: list[tuple[int, int]] = []
        self.crashes: list[tuple[str, int]] = []
        self.events: list[Event] = []
        self.count = 0

    # -- telling -------------------------------------------------------------------

    def tell(self, payload: Payload, at: int, run: str | None = None) -> None:
        self.count += 1
        self.events.append(
            new_event(
                payload,
                time_us=at,
                source="year",
                id=f"y{self.count:08d}",
                runid=run,
                subject=f"run/{run}" if run else None,
            )
        )

    def arrivals(self, mean_days: float) -> Iterator[int]:
        """Times of a Poisson process."""
        at = START + 0.0
        while (at := at + self.rng.expovariate(1 / (mean_days * D))) < self.end:
            yield round(at)

    # -- what goes wrong -----------------------------------------------------------

    def fate(self) -> None:
        """Everything that will go wrong, and what it does to probes and runs."""
        for node, cards in CARDS.items():
            for at in self.arrivals(45):
                self.lose(node, at, self.rng.uniform(0.5, 6) * H)
            if cards >= 3:
                for at in self.arrivals(120):
                    self.power_fault(node, at)
            for card in range(cards):
                for at in self.arrivals(CHRONIC.get((node, card), 500.0)):
                    self.incident(node, card, at)
        for at in self.arrivals(40):
            self.no_input.append((at, at + round(self.rng.uniform(1, 10) * H)))

    def lose(self, node: str, at: int, for_us: float) -> None:
        """A node goes away and comes back with an empty ramdisk for a while."""
        back = at + round(for_us)
        self.outages.append(_Outage(node, at, back))
        if node != "zeus":
            copied = back + round(self.rng.uniform(0.2, 4) * H)
            self.no_ramdisk.append(_Outage(node, back, copied))

    def incident(self, node: str, card: int, at: int) -> None:
        for number in range(self.rng.randint(1, 4)):
            self.error(node, card, at + number * 7 * S)
        if self.rng.random() < 0.25:
            self.crashes.append((node, at))
            self.lose(node, at + 3 * M, self.rng.uniform(0.3, 2) * H)

    def power_fault(self, node: str, at: int) -> None:
        for card in self.rng.sample(range(CARDS[node]), CARDS[node] // 2 + 1):
            self.error(node, card, at + self.rng.randrange(60) * S)
        self.lose(node, at + 5 * M, self.rng.uniform(1, 5) * H)

    def error(self, node: str, card: int, at: int) -> None:
        raw = f"amdgpu {pci(card)}: amdgpu: SMU: response:0xFFFFFFFF for index:18"
        signature = "response_ff"
        self.tell(SmuError(node=node, pci=pci(card), signature=signature, raw=raw), at)

    def lost(self, node: str, at: int) -> bool:
        return any(each.node == node and each.from_us <= at < each.to_us for each in self.outages)

    def boot(self, node: str, at: int) -> str:
        boots = sum(each.node == node and each.to_us <= at for each in self.outages)
        return f"{node}-boot-{boots}"

    # -- what is seen ----------------------------------------------------------------

    def probe(self, at: int) -> None:
        for node, cards in CARDS.items():
            if self.lost(node, at):
                self.tell(SshProbe(node=node, reachable=False, error="timeout"), at)
                continue
            boot = self.boot(node, at)
            self.tell(SshProbe(node=node, reachable=True, boot_id=boot, latency_s=0.04), at)
            shown = tuple(
                ProbedGpu(pci=pci(card), index=card, state="ok", temp_c=51, vram_used_mib=18)
                for card in range(cards)
            )
            self.tell(GpuProbe(node=node, method="sysfs", gpus=shown, smu_reads=0), at)
            scan = KernelLogScanned(node=node, lines=40, matches=0, readable=True, boot_id=boot)
            self.tell(scan, at)

    def look_at_files(self, at: int) -> None:
        for node in ("rig-6600", "rig-6600b"):
            if not self.lost(node, at):
                there = not self.without_ramdisk(node, at)
                file = RamdiskFile(path=RAMDISK, present=there, bytes=9_000_000 if there else None)
                self.tell(RamdiskChecked(node=node, files=(file,)), at)
        there = not self.without_input(at)
        input_ = InputFile(path=INPUT, present=there, bytes=40_000 if there else None)
        self.tell(InputsChecked(files=(input_,)), at)

    def without_ramdisk(self, node: str, at: int) -> bool:
        return any(
            each.node == node and each.from_us <= at < each.to_us for each in self.no_ramdisk
        )

    def without_input(self, at: int) -> bool:
        return any(start <= at < end for start, end in self.no_input)

    # -- runs ------------------------------------------------------------------------

    def cause(self, at: int, ends: int, trials: int, trial_s: float) -> str:
        """What is wrong with a run that starts now; the worst first."""
        if any(self.lost(node, at) for node in CARDS):
            return "node"
        if any(self.without_ramdisk(node, at) for node in CARDS):
            return "ramdisk"
        if self.without_input(at):
            return "input"
        if trials * trial_s > 7200:
            return "time"
        if any(at <= crash <= ends for _, crash in self.crashes):
            return "gpu"
        if any(self.lost(node, ends) for node in CARDS):
            return "node_later"
        return "bug" if self.rng.random() < 0.03 else ""

    def run(self, name: str, at: int, cause: str, trials: int, seeds: int, trial_s: float) -> None:
        """The events of a run that did start."""
        self.tell(
            RunStarted(study=STUDY, trials=trials, seed_count=seeds, timeout_s=7200), at, name
        )
        done = trials if not cause else self.rng.randrange(trials)
        done = min(done, math.floor(7200 / trial_s))
        found = 0 if self.rng.random() < 0.25 else round(seeds * self.rng.betavariate(3, 2))
        for number in range(done):
            ended = at + round((number + 1) * trial_s * S)
            self.tell(
                TrialCompleted(
                    study=STUDY, number=number, state="COMPLETE", params={"window": number},
                    duration_s=round(trial_s * self.rng.uniform(0.95, 1.05), 3), seed_count=seeds,
                ),
                ended,
            )  # fmt: skip
        if cause:
            ended = at + 2 * H if cause == "time" else at + round(done * trial_s * S) + M
            outcome = "aborted" if cause == "time" else "failed"
            took = (ended - at) / S
            self.tell(
                RunFinished(outcome=outcome, reason=cause, duration_s=took),  # type: ignore[arg-type]
                ended,
                name,
            )
            return
        ended = at + round(trials * trial_s * S) + M
        counted = SurvivorsCounted(
            study=STUDY, trials=trials, completed_trials=trials, seed_count=seeds, survivors=found
        )
        self.tell(counted, ended, name)
        took = (ended - at) / S
        self.tell(RunFinished(outcome="succeeded", duration_s=took), ended + S, name)


def pci(card: int) -> str:
    """The place of a card on every machine of this fleet."""
    return f"0000:{3 + 3 * card:02x}:00.0"


def build(
    folder: Path,
    *,
    seed: int = 1,
    days: int = 365,
    events: int | None = None,
    decisions_a_day: float = 4.0,
) -> Year:
    """Make a ledger ``year.db`` with its ``runledger.toml`` in a folder that is there.

    ``events`` is about how many events there should be: they are filled up
    with probes. ``decisions_a_day`` are preflights, one in four of a run; each
    comes with an exclusion decision, each run with one on parameters.
    """
    config = folder / "runledger.toml"
    config.write_text(CONFIG.format(ledger="year.db"))
    probe_every_us = 6 * H if events is None else max(S, round(days * D * 9 / events))
    world = _Simulation(seed, days, probe_every_us)
    world.fate()
    now = [START]
    with runledger.open(folder / "year.db", config=config, clock=lambda: now[0]) as opened:
        return _live(opened, world, now, days, decisions_a_day)


def _live(
    opened: Runledger, world: _Simulation, now: list[int], days: int, decisions_a_day: float
) -> Year:
    runs: list[Ran] = []
    decisions = 0
    every = D / decisions_a_day
    probed = START
    with progress("days") as advance:
        for number in range(round(days * decisions_a_day)):
            at = START + round((number + 0.7) * every)
            advance((at - START) // D)
            while probed <= at - M:
                world.probe(probed)
                probed += world.probe_every_us
            world.probe(at - M)
            world.look_at_files(at - M)
            _store(opened, world, now, at)
            if number % 4:
                opened.preflight("3" if number % 2 else "1", at=at)
                opened.exclusions(at=at + S)
                decisions += 2
                continue
            runs.append(_run(opened, world, at, f"R{number:05d}", adopted=number > 182 * 4))
            decisions += 3
    now[0] = world.end + D
    _store(opened, world, now, world.end)
    return Year(opened.ledger.head().sequence, decisions, runs)


def _store(opened: Runledger, world: _Simulation, now: list[int], until: int) -> None:
    """Append what has happened by now, in the order of time."""
    due = sorted((each for each in world.events if each.time_us <= until), key=_when)
    world.events = [each for each in world.events if each.time_us > until]
    now[0] = until
    for start in range(0, len(due), 5_000):
        opened.record(due[start : start + 5_000])


def _when(event: Event) -> tuple[int, str]:
    return event.time_us, event.id


def _run(opened: Runledger, world: _Simulation, at: int, name: str, *, adopted: bool) -> Ran:
    """Ask, and run: in the first half of the year whatever the answer is."""
    rng = world.rng
    outcome = opened.next_parameters(study=STUDY, at=at).outcome
    trials, seeds = outcome["trials"], outcome["seed_count"]
    if rng.random() < 0.08:  # someone knows better
        trials, seeds = 50, 10_000_000
    trial_s = 20 + seeds / 52_000 * rng.uniform(0.9, 1.1)
    cause = world.cause(at, at + round(trials * trial_s * S), trials, trial_s)
    verdict = opened.preflight("3", run=name, trials=trials, seed_count=seeds, at=at).verdict
    opened.exclusions(at=at + S)
    started = not adopted or verdict in ("go", "degraded")
    if started:
        world.run(name, at + M, cause, trials, seeds, trial_s)
    return Ran(name, at, "node" if cause == "node_later" else cause, started)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--events", type=int, help="about how many; default: a probe in 6 h")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    made = build(
        arguments.output, seed=arguments.seed, days=arguments.days, events=arguments.events
    )
    failed = sum(bool(ran.cause) for ran in made.runs)
    print(
        f"{made.events:,} events, {made.decisions:,} decisions, {len(made.runs)} runs, "
        f"{failed} of them with something wrong"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
