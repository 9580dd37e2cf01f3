"""The night of 24 January as events: what the demo records and the tests judge.

Figures are those of the fleet's own record. Times are UTC. Ids are fixed, so
that telling the story twice stores it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger import Event, new_event
from ledger.payloads import (
    GpuProbe,
    KernelLogScanned,
    OverrideSet,
    Payload,
    ProbedGpu,
    RunFinished,
    RunStarted,
    SmuError,
    SshProbe,
    SurvivorsCounted,
    TrialCompleted,
)
from ledger.times import parse_time

STUDY = "window_optimizer"
GPU_10 = "0000:22:00.0"

FLEET_TOML = """\
[[nodes]]
name = "rig-6600"
address = "192.168.3.120"
gpus = 12

[[nodes]]
name = "rig-6600b"
address = "192.168.3.154"
gpus = 12

[[nodes]]
name = "zeus"
address = "localhost"
gpus = 2

[steps."1"]
timeout_s = 7200
"""

_RIG_BUSES = (0x03, 0x06, 0x09, 0x0C, 0x0F, 0x12, 0x15, 0x18, 0x1B, 0x1E, 0x22, 0x25)
_CARDS = {"rig-6600": _RIG_BUSES, "rig-6600b": _RIG_BUSES, "zeus": (0x01, 0x21)}
_PROBE = "collector/probe@zeus"


class Teller:
    """Makes events with ids in the order they are told."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._told = 0

    def event(self, time: str, payload: Payload, source: str = _PROBE, **attributes: Any) -> Event:
        """One event at a time given as ``DD HH:MM:SS`` of January 2026."""
        self._told += 1
        return new_event(
            payload,
            time_us=at(time),
            source=source,
            id=f"{self._prefix}-{self._told:03d}",
            **attributes,
        )

    def look(self, time: str, *, lost: Iterable[str] = ()) -> list[Event]:
        """A probe of the whole fleet; ``lost`` nodes do not answer."""
        events = []
        for node, buses in _CARDS.items():
            if node in lost:
                down = SshProbe(node=node, reachable=False, error="timeout", detail="after 5 s")
                events.append(self.event(time, down))
                continue
            cards = tuple(
                ProbedGpu(pci=f"0000:{bus:02x}:00.0", index=index, state="ok")
                for index, bus in enumerate(buses)
            )
            boot = f"boot-of-{node}"
            events += [
                self.event(time, SshProbe(node=node, reachable=True, boot_id=boot)),
                self.event(time, GpuProbe(node=node, method="sysfs", gpus=cards, smu_reads=0)),
                self.event(
                    time,
                    KernelLogScanned(node=node, boot_id=boot, lines=40, matches=0, readable=True),
                ),
            ]
        return events


def at(time: str) -> int:
    """Microseconds since the epoch of ``DD HH:MM:SS`` in January 2026."""
    day, clock = time.split()
    return parse_time(f"2026-01-{day}T{clock}Z")


def before(teller: Teller) -> list[Event]:
    """19 January: a good run; 20 January: a card is put on the watch list."""
    return [
        teller.event(
            "19 18:00:00",
            RunStarted(study=STUDY, trials=100, seed_count=100_000),
            "watcher@zeus",
            runid="R-20260119",
        ),
        teller.event(
            "19 19:10:00",
            SurvivorsCounted(
                study=STUDY,
                trials=100,
                completed_trials=100,
                seed_count=100_000,
                survivors=98_172,
            ),
            "watcher@zeus",
            runid="R-20260119",
        ),
        teller.event(
            "20 09:00:00",
            OverrideSet(
                subject="gpu/rig-6600b/0000:0f:00.0",
                action="watch",
                reason="GPU 4: SMU 0xFFFFFFFF, its fan service is off",
                by="operator",
            ),
            "operator@zeus",
        ),
        *(
            teller.event(
                "20 12:00:00",
                TrialCompleted(
                    study=STUDY,
                    number=number,
                    state="COMPLETE",
                    params={},
                    duration_s=seconds,
                    seed_count=10_000_000,
                ),
                "collector/optuna@zeus",
            )
            for number, seconds in enumerate((205, 208, 210, 212, 215))
        ),
    ]


def run_begins(teller: Teller) -> list[Event]:
    """24 January, 16:57: all is well at a glance, and the run begins."""
    return [
        *teller.look("24 16:55:00"),
        teller.event(
            "24 16:57:00",
            RunStarted(
                study=STUDY,
                trials=50,
                seed_count=10_000_000,
                nodes=("rig-6600", "rig-6600b", "zeus"),
                timeout_s=7200,
            ),
            "watcher@zeus",
            runid="R-20260124",
            step="1",
        ),
    ]


def smu_fails(teller: Teller, time: str) -> Event:
    """GPU 10's controller stops answering: one line of the kernel log."""
    line = (
        f"amdgpu {GPU_10}: amdgpu: SMU: response:0xFFFFFFFF for index:18 param:0x00000005 "
        "message:TransferTableSmu2Dram?"
    )
    return teller.event(
        time,
        SmuError(
            node="rig-6600",
            pci=GPU_10,
            signature="response_ff",
            code="0xFFFFFFFF",
            message="TransferTableSmu2Dram",
            raw=line,
            boot_id="boot-of-rig-6600",
        ),
        "collector/kernel-log@rig-6600",
    )


def rig_lost(teller: Teller) -> list[Event]:
    """18:31: rig-6600 no longer answers."""
    return teller.look("24 18:31:00", lost=["rig-6600"])


def as_believed(teller: Teller) -> list[Event]:
    """What was thought that night: 34 of 50 trials ran and found nothing."""
    return [
        teller.event(
            "24 18:57:00",
            SurvivorsCounted(
                study=STUDY, trials=50, completed_trials=34, seed_count=10_000_000, survivors=0
            ),
            "watcher@zeus",
            runid="R-20260124",
        )
    ]


def as_it_was(teller: Teller) -> list[Event]:
    """What had happened: the run was killed at its timeout, and nothing was counted."""
    return [
        teller.event(
            "24 18:57:00",
            RunFinished(outcome="aborted", reason="killed at the 2 h timeout", duration_s=7200),
            "watcher@zeus",
            runid="R-20260124",
        )
    ]
