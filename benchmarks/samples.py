"""Events as a fleet of mining rigs produces them, always the same, as many as asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ledger import Event, new_event
from ledger.payloads import (
    GpuProbe,
    JobFinished,
    KernelLogScanned,
    Payload,
    ProbedGpu,
    SmuError,
    SshProbe,
    TrialCompleted,
)
from rules.fleet import Fleet, parse_fleet

BEGIN_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""

_STEP_US = 2_000_000
"""Two seconds between events: a million of them is three weeks."""

_ROUND = 300
"""Events between two looks at the fleet: ten minutes."""


def fleet(gpus: int, *, per_node: int = 13) -> Fleet:
    """A fleet of so many GPUs, and one step on all of it."""
    nodes = [
        f'[[nodes]]\nname = "rig-{number:03d}"\naddress = "192.0.2.{number % 250 + 1}"\n'
        f"gpus = {min(per_node, gpus - number * per_node)}\n"
        for number in range((gpus + per_node - 1) // per_node)
    ]
    return parse_fleet("\n".join(nodes) + '\n[steps."1"]\ntimeout_s = 7200\n')


def look(of: Fleet, time_us: int) -> list[Event]:
    """The whole fleet probed at one time, all well."""
    found: list[Event] = []
    for node in of.nodes:
        boot = f"boot-of-{node.name}"
        cards = tuple(
            ProbedGpu(
                pci=f"0000:{index + 3:02x}:00.0",
                index=index,
                state="ok",
                busy_pct=97.0,
                vram_used_mib=4180.5,
                vram_total_mib=8176.0,
                temp_c=61.5,
            )
            for index in range(node.gpus or 0)
        )
        payloads: tuple[Payload, ...] = (
            SshProbe(node=node.name, reachable=True, latency_s=0.125, boot_id=boot),
            GpuProbe(node=node.name, method="sysfs", gpus=cards, smu_reads=0),
            KernelLogScanned(
                node=node.name, boot_id=boot, lines=40, matches=0, readable=True, cursor="s=1;i=2"
            ),
        )
        found += [
            new_event(each, time_us=time_us, source="collector/probe@zeus") for each in payloads
        ]
    return found


def history(count: int, of: Fleet) -> Iterator[Event]:
    """``count`` events: trials and jobs of a search, the fleet probed every ten minutes."""
    chance = random.Random(1)
    made = 0
    while made < count:
        now_us = BEGIN_US + made * _STEP_US
        batch = look(of, now_us)
        batch += [work(chance, made + number, of) for number in range(len(batch), _ROUND)]
        yield from batch[: count - made]
        made += len(batch[: count - made])


def work(chance: random.Random, number: int, of: Fleet) -> Event:
    """One event of a search at work: mostly trials, some jobs, now and then a GPU's error."""
    node = chance.choice(of.nodes)
    card = chance.randrange(node.gpus or 1)
    place = f"0000:{card + 3:02x}:00.0"
    drawn = chance.random()
    run = f"R-{number // 5000:05d}"
    payload: Payload
    if drawn < 0.7:
        payload = TrialCompleted(
            study="window_optimizer",
            number=number,
            state="COMPLETE",
            values=(chance.randrange(1, 10**6) + 0.5,),
            params={
                "window_size": chance.randrange(2, 512),
                "offset": chance.randrange(-99, 100),
                "forward_threshold": chance.randrange(1, 999) / 1000 + 0.0005,
                "session": chance.choice(("midday", "evening", "both")),
            },
            duration_s=chance.randrange(100, 4000) / 10 + 0.25,
            seed_count=100_000,
            node=node.name,
            pci=place,
        )
    elif drawn < 0.999:
        payload = JobFinished(
            job=f"forward-{number}",
            node=node.name,
            pci=place,
            attempt=1,
            duration_s=chance.randrange(10, 900) / 10 + 0.05,
        )
    else:
        payload = SmuError(
            node=node.name,
            pci=place,
            signature="response_ff",
            code="0xFFFFFFFF",
            message="TransferTableSmu2Dram",
            raw=f"amdgpu {place}: amdgpu: SMU: response:0xFFFFFFFF for index:18 "
            "param:0x00000005 message:TransferTableSmu2Dram?",
            boot_id=f"boot-of-{node.name}",
        )
    return new_event(
        payload, time_us=BEGIN_US + number * _STEP_US, source="collector/optuna@zeus", runid=run
    )
