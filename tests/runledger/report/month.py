"""A month of a small fleet, with what goes wrong in one: what the report's tests and picture show.

Told by hand, so that every figure on the page can be checked against it; the
decisions are made by the same code that makes them live.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ledger import Event, new_event, open_ledger
from ledger.payloads import (
    GpuProbe,
    JobFailedWithTraceback,
    KernelLogScanned,
    OverrideSet,
    Payload,
    ProbedGpu,
    RunFinished,
    RunStarted,
    SmuError,
    SshProbe,
    StepFinished,
    StepStarted,
    SurvivorsCounted,
    TrialCompleted,
)
from ledger.times import format_time, parse_time
from rules.fleet import parse_fleet
from rules.policy import default_policy, with_settings
from runledger.api.facade import Runledger
from runledger.config.settings import Settings
from runledger.demo.story import FLEET_TOML

START = parse_time("2026-01-22T00:00:00Z")
M = 60_000_000
H = 60 * M
D = 24 * H
DAYS = 31
END = START + DAYS * D

BUSES = (0x03, 0x06, 0x09, 0x0C, 0x0F, 0x12, 0x15, 0x18, 0x1B, 0x1E, 0x22, 0x25)
CARDS = {"rig-6600": BUSES, "rig-6600b": BUSES, "zeus": (0x01, 0x21)}
STUDY = "window_optimizer"

# day, hour, trials asked, finished, seeds, survivors (None: not counted), outcome, reason
RUNS: tuple[tuple[int, int, int, int, int, int | None, str, str], ...] = (
    (0, 9, 100, 100, 100_000, 98_172, "succeeded", ""),
    (2, 17, 50, 34, 10_000_000, None, "aborted", "killed at the 2 h timeout"),
    (2, 21, 100, 100, 100_000, 99_941, "succeeded", ""),
    (5, 10, 50, 50, 100_000, 75_396, "succeeded", ""),
    (9, 11, 20, 20, 50_000, 0, "succeeded", ""),
    (12, 10, 50, 50, 100_000, 0, "succeeded", ""),
    (13, 11, 100, 100, 50_000, 48_896, "succeeded", ""),
    (16, 14, 50, 50, 100_000, 51_204, "succeeded", ""),
    (19, 9, 50, 12, 100_000, None, "failed", "two jobs failed for want of memory"),
    (22, 10, 200, 200, 50_000, 32_278, "succeeded", ""),
    (26, 13, 50, 50, 100_000, 61_007, "succeeded", ""),
)
LOST = {("rig-6600", 2, 18), ("rig-6600", 3, 0), ("rig-6600b", 19, 12), ("rig-6600b", 30, 18)}
LOST |= {("rig-6600b", 30, 22)}
ERRORS = (
    ("rig-6600", 0x22, 2, 17.35),
    ("rig-6600", 0x22, 2, 18.4),
    ("rig-6600", 0x09, 7, 3.2),
    ("rig-6600b", 0x15, 11, 9.0),
    ("rig-6600b", 0x15, 15, 9.5),
    ("rig-6600b", 0x15, 19, 9.6),
    ("rig-6600", 0x22, 20, 4.0),
    ("rig-6600", 0x22, 20, 8.0),
    ("rig-6600", 0x22, 26, 5.0),
    ("rig-6600", 0x22, 26, 7.0),
)
UNRESPONSIVE = {("rig-6600", 0x22, 5), ("rig-6600", 0x22, 28), ("zeus", 0x21, 24)}
SILENT_DAYS = {14}
"""Days on which nobody looked."""


class Month:
    """Tells the month into a ledger, asking for decisions on the way."""

    def __init__(self, path: Path) -> None:
        self._told = 0
        self._now = END
        settings = Settings(
            ledger=str(path),
            fleet=parse_fleet(FLEET_TOML),
            policy=with_settings(default_policy(), ["gpu.retire_after_exclusions=2"]),
        )
        self.opened = Runledger(
            open_ledger(path, clock=lambda: self._now), settings, clock=lambda: self._now
        )

    def event(self, time_us: float, payload: Payload, **attributes: Any) -> Event:
        """One event; ids are fixed."""
        self._told += 1
        return new_event(
            payload,
            time_us=round(time_us),
            source="collector/test@zeus",
            id=f"month-{self._told:05d}",
            **attributes,
        )

    def look(self, day: int, hour: float) -> Iterable[Event]:
        """A probe of the whole fleet."""
        at = START + day * D + hour * H
        for node, buses in CARDS.items():
            if (node, day, int(hour)) in LOST:
                lost = SshProbe(node=node, reachable=False, error="timeout", detail="after 5 s")
                yield self.event(at, lost)
                continue
            boot = f"boot-{node}-{sum(n == node and (d, h) <= (day, hour) for n, d, h in LOST)}"
            yield self.event(at, SshProbe(node=node, reachable=True, boot_id=boot))
            gpus = tuple(
                ProbedGpu(
                    pci=f"0000:{bus:02x}:00.0",
                    index=index,
                    model="RTX 3080 Ti" if node == "zeus" else "RX 6600",
                    state="unresponsive" if (node, bus, day) in UNRESPONSIVE else "ok",
                )
                for index, bus in enumerate(buses)
            )
            yield self.event(at, GpuProbe(node=node, method="sysfs", gpus=gpus, smu_reads=0))
            scan = KernelLogScanned(node=node, boot_id=boot, lines=40, matches=0, readable=True)
            yield self.event(at, scan)

    def error(self, node: str, bus: int, day: int, hour: float) -> list[Event]:
        """A card's controller does not answer, twice within a minute."""
        pci = f"0000:{bus:02x}:00.0"
        raw = (
            f"amdgpu {pci}: amdgpu: SMU: response:0xFFFFFFFF for index:18 param:0x00000005 "
            "message:TransferTableSmu2Dram?"
        )
        fault = SmuError(node=node, pci=pci, signature="response_ff", code="0xFFFFFFFF", raw=raw)
        at = START + day * D + hour * H
        return [self.event(at, fault), self.event(at + M, fault)]

    def failed(self, day: int, hour: float) -> list[Event]:
        """A job dies for want of memory, on two nodes."""
        traceback = (
            "Traceback (most recent call last):\n"
            '  File "/home/michael/prng/sieve_worker.py", line 212, in main\n'
            "    survivors = sieve(window, seeds)\n"
            '  File "/home/michael/prng/sieve.py", line 88, in sieve\n'
            "    table = np.zeros((len(seeds), window), dtype=np.uint64)\n"
            "numpy.core._exceptions.MemoryError: Unable to allocate 3.81 GiB\n"
        )
        return [
            self.event(
                START + day * D + hour * H + at * M,
                JobFailedWithTraceback(
                    job=f"sieve-{at:04d}",
                    node=node,
                    attempt=1,
                    exception="MemoryError",
                    message="Unable to allocate 3.81 GiB for an array with shape (100000, 5120)",
                    traceback=traceback,
                    will_retry=at < 9,
                    fingerprint="f3a91c04d2",
                ),
            )
            for at, node in ((3, "rig-6600b"), (5, "rig-6600b"), (9, "zeus"))
        ]

    def run(
        self, day: int, hour: int, asked: int, done: int, seeds: int, found: int | None,
        outcome: Any, reason: str,
    ) -> None:  # fmt: skip
        """A run with its decisions before it and its step inside it."""
        begin = START + day * D + hour * H
        name = f"R-{format_time(begin)[:10].replace('-', '')}-{hour:02d}"
        self.opened.record(list(self.look(day, hour - 0.1)))
        self.opened.next_parameters(study=STUDY, at=begin - 5 * M)
        self.opened.preflight("1", run=name, trials=asked, seed_count=seeds, at=begin - 2 * M)
        of = {"runid": name, "step": "1"}
        lasts = 120 * M if outcome == "aborted" else (20 + asked / 2) * M
        events = [
            self.event(
                begin,
                RunStarted(
                    study=STUDY,
                    trials=asked,
                    seed_count=seeds,
                    nodes=tuple(CARDS),
                    timeout_s=7200,
                ),
                **of,
            ),
            self.event(begin + M, StepStarted(), **of),
        ]
        for number in range(done):
            at = begin + 2 * M + (lasts - 4 * M) * number / max(1, done)
            trial = TrialCompleted(
                study=STUDY,
                number=number,
                state="COMPLETE" if number % 9 else "PRUNED",
                params={},
                duration_s=12 if seeds < 1_000_000 else 210,
                seed_count=seeds,
            )
            events.append(self.event(at, trial, **of))
        events.append(self.event(begin + lasts - M, StepFinished(outcome=outcome), **of))
        if found is not None:
            counted = SurvivorsCounted(
                study=STUDY, trials=asked, completed_trials=done, seed_count=seeds, survivors=found
            )
            events.append(self.event(begin + lasts, counted, **of))
        end = RunFinished(outcome=outcome, reason=reason or None, duration_s=lasts / 1_000_000)
        events.append(self.event(begin + lasts, end, **of))
        self.opened.record(events)

    def tell(self) -> Runledger:
        """The whole month, day by day."""
        watched = OverrideSet(
            subject="gpu/rig-6600b/0000:0f:00.0",
            action="watch",
            reason="its fan service is off",
            by="michael",
        )
        self.opened.record(self.event(START + H, watched))
        for day in range(DAYS):
            if day in SILENT_DAYS:
                continue
            hours = sorted({0, 6, 12, 18} | {h for _, d, h in LOST if d == day})
            for hour in hours:
                for run in RUNS:
                    if run[0] == day and hour <= run[1] < hour + 6:
                        self.run(*run)
                self.opened.record(list(self.look(day, hour + 0.2)))
                if hour == 18 and day % 2 == 0:
                    self.opened.preflight("1", at=round(START + day * D + 18.3 * H))
            for node, bus, at_day, at_hour in ERRORS:
                if at_day == day:
                    self.opened.record(self.error(node, bus, day, at_hour))
                    self.opened.exclusions(at=round(START + day * D + (at_hour + 0.1) * H))
            if day == 19:
                self.opened.record(self.failed(day, 9.2))
            if day == 16:
                self.opened.override(
                    "gpu/rig-6600/0000:22:00.0",
                    "reinstate",
                    reason="riser swapped",
                    by="michael",
                    at=START + day * D + 8 * H,
                )
        self.opened.preflight("1", at=END - 100 * M)
        return self.opened
