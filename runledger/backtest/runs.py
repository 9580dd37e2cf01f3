"""What became of runs, and whether what ended them was there to be seen before they started."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import msgspec

from collectors.kernel_log import KERNEL_TYPES
from ledger import Event, Ledger
from ledger.payloads import (
    GpuFault,
    InputFile,
    InputsChecked,
    JobFailedWithTraceback,
    PreflightDecided,
    RamdiskChecked,
    RamdiskFile,
    RunFinished,
    RunStarted,
    SmuError,
    SshProbe,
    SurvivorsCounted,
)
from ledger.times import SECOND_US
from rules.causes import WEIGHING, says
from rules.fleet import Fleet, Step
from rules.fold import without_superseded
from rules.kinds import MAY_START
from runledger.backtest.ranges import NONE, Range

_TYPES = (
    "run_started",
    "run_finished",
    "survivors_counted",
    "ssh_probe",
    "ramdisk_checked",
    "inputs_checked",
    JobFailedWithTraceback.event_type,
    PreflightDecided.event_type,
    *KERNEL_TYPES,
)


class RunRecord(msgspec.Struct, kw_only=True):
    """One run as the ledger tells it.

    ``fate``: ``succeeded``, ``failed``, ``censored`` (blocked, and never
    started) or ``unknown`` (it never ended, as far as anyone wrote down).
    ``causes`` are what was seen to go wrong with it and had shown before it
    started; ``later`` what had not. ``cards`` are those that failed meanwhile, by node
    and PCI address. ``start`` is the event that tells of its start.
    """

    id: str
    fate: str = "unknown"
    started_us: int = 0
    ended_us: int = 0
    step: str | None = None
    trials: int | None = None
    seed_count: int | None = None
    study: str | None = None
    survivors: int | None = None
    nodes: tuple[str, ...] | None = None
    preflight: PreflightDecided | None = None
    start: Event | None = None
    causes: set[str] = set()
    later: set[str] = set()
    cards: set[tuple[str, str]] = set()

    def kept_off(self, out: Container[tuple[str, str]]) -> Range:
        """Whether it would not have failed without some cards.

        Surely where they are all that was seen to go wrong; perhaps where they are part of it.
        """
        if self.fate != "failed" or not any(card in out for card in self.cards):
            return NONE
        all_of_it = self.causes | self.later == {"gpu"} and all(card in out for card in self.cards)
        return NONE.plus(sure=all_of_it, perhaps=not all_of_it)

    @property
    def hours(self) -> float:
        """How long it ran, or until it failed."""
        return max(0, self.ended_us - self.started_us) / (3600 * SECOND_US)


class _Seen:
    """What had shown by some moment: nodes lost, cards with errors, files missing."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.lost: dict[str, bool] = {}
        self.errors: set[tuple[str, str]] = set()
        self.missing: dict[tuple[str, str], bool] = {}

    def take(self, data: Any) -> None:
        if isinstance(data, SshProbe):
            self.lost[self._fleet.resolve(data.node)] = not data.reachable
        elif (card := _card(data, self._fleet)) is not None:
            self.errors.add(card)
        elif isinstance(data, RamdiskChecked | InputsChecked):
            for file in data.files:
                node = "" if data.node is None else self._fleet.resolve(data.node)
                self.missing[node, file.path] = not file.present or file.bytes == 0 or _other(file)

    def missing_for(self, run: RunRecord) -> bool:
        """Whether a file of the run's step was missing; any file, where no step is known."""
        gone = {path for (_, path), missing in self.missing.items() if missing}
        name = run.step or (run.preflight and run.preflight.question.get("step"))
        if not name:
            return bool(gone)
        step = self._fleet.step(str(name)) or Step()
        return any(file.path in gone for file in (*step.ramdisk, *step.inputs))


def _card(data: Any, fleet: Fleet) -> tuple[str, str] | None:
    """The card that an event speaks against."""
    if isinstance(data, JobFailedWithTraceback):
        if says(data.exception, data.message, data.traceback) not in WEIGHING:
            return None
    elif not isinstance(data, SmuError | GpuFault):
        return None
    return (fleet.resolve(data.node), data.pci) if data.node and data.pci else None


def _other(file: RamdiskFile | InputFile) -> bool:
    """Whether a file is another than expected."""
    return isinstance(file, InputFile) and file.expected_sha256 not in (None, file.sha256)


class _Going(msgspec.Struct):
    """A run that has started and not ended, and what had shown when it started."""

    run: RunRecord
    lost: frozenset[str]
    errors: frozenset[tuple[str, str]]
    missing: bool
    over_time: bool


def run_records(ledger: Ledger, fleet: Fleet) -> list[RunRecord]:
    """Every run that was asked for or started, in the order of their first mention."""
    runs: dict[str, RunRecord] = {}
    going: dict[str, _Going] = {}
    seen = _Seen(fleet)
    for event in without_superseded(ledger.read(types=_TYPES, order="time")):
        data = event.data
        if isinstance(data, PreflightDecided):
            _asked(runs, data)
        elif isinstance(data, RunStarted) and event.run:
            run = runs.setdefault(event.run, RunRecord(id=event.run))
            _started(run, event, data, fleet)
            going[run.id] = _going(run, seen)
        elif isinstance(data, SurvivorsCounted) and event.run in runs:
            runs[event.run].survivors = data.survivors
            runs[event.run].ended_us = max(runs[event.run].ended_us, event.time_us)
        elif isinstance(data, RunFinished) and event.run in runs:
            _ended(runs[event.run], event, data, going.pop(event.run, None))
        else:
            for each in going.values():
                _blame(each, event, fleet)
            seen.take(data)
    for run in runs.values():
        if run.started_us and run.fate == "unknown" and run.survivors is not None:
            run.fate = "succeeded"
    return list(runs.values())


def _asked(runs: dict[str, RunRecord], decision: PreflightDecided) -> None:
    name = decision.question.get("run")
    if not isinstance(name, str):
        return
    run = runs.setdefault(name, RunRecord(id=name))
    if not run.started_us:
        run.preflight = decision
        run.fate = "unknown" if decision.verdict in MAY_START else "censored"


def _started(run: RunRecord, event: Event, data: RunStarted, fleet: Fleet) -> None:
    run.fate = "unknown"
    run.start, run.started_us = event, event.time_us
    run.step = event.step
    run.trials, run.seed_count, run.study = data.trials, data.seed_count, data.study
    run.nodes = None if data.nodes is None else tuple(map(fleet.resolve, data.nodes))


def _going(run: RunRecord, seen: _Seen) -> _Going:
    mine = frozenset(
        node
        for node, lost in seen.lost.items()
        if lost and (run.nodes is None or node in run.nodes)
    )
    decision = run.preflight
    over = decision is not None and any(
        finding.rule == "over_time_budget" for finding in decision.findings
    )
    return _Going(run, mine, frozenset(seen.errors), seen.missing_for(run), over)


def _blame(going: _Going, event: Event, fleet: Fleet) -> None:
    """What is seen while a run goes on is what may end it."""
    run, data = going.run, event.data
    if event.run not in (None, run.id):
        return
    node = fleet.resolve(getattr(data, "node", None) or "")
    if run.nodes is not None and node not in run.nodes:
        return
    if isinstance(data, SshProbe) and not data.reachable:
        (run.causes if node in going.lost else run.later).add("node")
    elif (card := _card(data, fleet)) is not None:
        (run.causes if card in going.errors else run.later).add("gpu")
        run.cards.add(card)


def _ended(run: RunRecord, event: Event, data: RunFinished, going: _Going | None) -> None:
    run.ended_us = max(run.ended_us, event.time_us)
    if data.outcome == "succeeded":
        run.fate = "succeeded"
        return
    run.fate = "failed"
    if going is None:
        return
    if going.lost:
        run.causes.add("node")
    if going.missing:
        run.causes.add("file")
    if going.over_time and data.outcome == "aborted":
        run.causes.add("time")
