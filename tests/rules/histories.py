"""Short histories for tests of the rules: events at offsets from one noon, and their judgement."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ledger import Event, new_event
from ledger.payloads import (
    CommandHung,
    GpuFault,
    GpuProbe,
    InputFile,
    InputsChecked,
    JobFinished,
    KernelLogScanned,
    OverrideSet,
    Payload,
    ProbedGpu,
    RamdiskChecked,
    RamdiskFile,
    RepairDone,
    RunFinished,
    RunStarted,
    SmuError,
    SshProbe,
    SurvivorsCounted,
)
from ledger.times import format_time, parse_time
from rules.decide import Draft, Judge
from rules.fleet import Fleet, parse_fleet
from rules.policy import default_policy, with_settings
from rules.state import dump_state, load_state

NOON = parse_time("2026-01-24T12:00:00Z")
S = 1_000_000
M = 60 * S
H = 60 * M
D = 24 * H

FLEET = parse_fleet(
    """
[[nodes]]
name = "rig"
address = "192.0.2.10"
gpus = 4
[[nodes]]
name = "zeus"
address = "localhost"
gpus = 2
ramdisk = false
[steps."3"]
timeout_s = 7200
ramdisk = ["/dev/shm/train.json"]
inputs = ["survivors.json"]
[steps."1"]
timeout_s = 7200
[steps."r"]
nodes = ["rig"]
"""
)


class Story:
    """Events in the making; every method adds some and returns the story."""

    def __init__(self, fleet: Fleet = FLEET) -> None:
        self.fleet = fleet
        self.events: list[Event] = []
        self._positions = itertools.count(1)

    def add(self, payload: Payload, at: int = 0, **attributes: Any) -> Story:
        """One event, ``at`` microseconds from noon."""
        event = new_event(payload, time_us=NOON + at, source="test", **attributes)
        self.events.append(msgspec.structs.replace(event, sequence=next(self._positions)))
        return self

    def ssh(self, node: str = "rig", at: int = 0, reachable: bool = True, **more: Any) -> Story:
        return self.add(SshProbe(node=node, reachable=reachable, **more), at)

    def probe(
        self,
        node: str = "rig",
        at: int = 0,
        states: Sequence[str] = ("ok",) * 4,
        uids: Sequence[str | None] = (),
        places: Sequence[str | None] = (),
        card: dict[str, Any] | None = None,
        **more: Any,
    ) -> Story:
        """A look; ``card`` is what it says of every one beside."""
        cards = tuple(
            ProbedGpu(
                pci=pci(index),
                index=index,
                state=state,  # type: ignore[arg-type]
                card_uid=uids[index] if index < len(uids) else None,
                place=places[index] if index < len(places) else None,
                **(card or {}),
            )
            for index, state in enumerate(states)
            if state != "gone"
        )
        return self.add(GpuProbe(node=node, method="sysfs", gpus=cards, smu_reads=0, **more), at)

    def scan(self, node: str = "rig", at: int = 0, readable: bool = True, **more: Any) -> Story:
        return self.add(
            KernelLogScanned(node=node, lines=9, matches=0, readable=readable, **more), at
        )

    def healthy(self, at: int = 0, boot: str = "b1") -> Story:
        """Fresh evidence of both nodes, all well."""
        self.ssh("rig", at, boot_id=boot).probe("rig", at).scan("rig", at)
        return self.ssh("zeus", at).probe("zeus", at, ("ok", "ok")).scan("zeus", at)

    def files(self, at: int = 0) -> Story:
        """What step 3 needs, all there."""
        there = RamdiskFile(path="/dev/shm/train.json", present=True, bytes=10)
        self.add(RamdiskChecked(node="rig", files=(there,)), at)
        file = InputFile(path="survivors.json", present=True, bytes=10)
        return self.add(InputsChecked(files=(file,)), at)

    def error(self, at: int = 0, card: int = 2, node: str = "rig", **more: Any) -> Story:
        return self.add(
            SmuError(node=node, pci=pci(card), signature="response_ff", raw="line", **more), at
        )

    def fault(
        self,
        at: int = 0,
        card: int | None = 2,
        fault: str = "device_lost",
        node: str = "rig",
        **more: Any,
    ) -> Story:
        where = None if card is None else pci(card)
        return self.add(GpuFault(node=node, pci=where, fault=fault, raw="line", **more), at)  # type: ignore[arg-type]

    def hung(self, at: int = 0, card: int = 2, node: str = "rig") -> Story:
        return self.add(CommandHung(node=node, pci=pci(card), command="smi", timeout_s=5), at)

    def done(self, at: int = 0, card: int = 2, node: str = "rig") -> Story:
        """A job that finished on a card."""
        return self.add(JobFinished(job=f"j{at}", node=node, pci=pci(card), attempt=1), at)

    def repair(
        self, subject: str, at: int = 0, found: str = "card", swapped: bool = False
    ) -> Story:
        return self.add(
            RepairDone(subject=subject, found=found, swapped=swapped, by="op", reason="because"),  # type: ignore[arg-type]
            at,
        )

    def override(self, subject: str, action: str, at: int = 0, until: int | None = None) -> Story:
        expires = None if until is None else format_time(NOON + until)
        return self.add(
            OverrideSet(
                subject=subject,
                action=action,  # type: ignore[arg-type]
                reason="because",
                by="op",
                expires=expires,
            ),
            at,
        )

    def run(
        self,
        run: str,
        at: int,
        survivors: int | None,
        trials: int = 50,
        completed: int | None = None,
        seeds: int = 100_000,
        **counted: Any,
    ) -> Story:
        """A run that began an hour before ``at``; counted then, or (None) aborted."""
        study = counted.pop("study", "w")
        scope = counted.pop("scope", None)
        nodes = counted.pop("nodes", None)
        self.add(
            RunStarted(study=study, scope=scope, trials=trials, seed_count=seeds, nodes=nodes),
            at - H,
            runid=run,
        )
        if survivors is None:
            return self.add(RunFinished(outcome="aborted", reason="killed"), at, runid=run)
        return self.add(
            SurvivorsCounted(
                trials=trials,
                completed_trials=trials if completed is None else completed,
                seed_count=seeds,
                survivors=survivors,
                **counted,
            ),
            at,
            runid=run,
        )

    def decide(
        self, kind: str, question: dict[str, Any] | None = None, at: int = 0, *settings: str
    ) -> Draft:
        """The decision at a time, on the events not after it; the state is saved and loaded."""
        judge = Judge(with_settings(default_policy(), list(settings)), self.fleet)
        state = judge.fold.run(ordered(self.events, NOON + at))
        return judge.decide(kind, question or {}, load_state(dump_state(state)), NOON + at)

    def preflight(self, step: str = "1", at: int = M, *settings: str, **question: Any) -> Draft:
        return self.decide("preflight", {"step": step, **question}, at, *settings)

    def states(self, at: int = M, *settings: str) -> dict[str, str]:
        """Cards that are not ok, by place and with their state."""
        outcome = self.decide("exclusions", {}, at, *settings).outcome
        return {f"{gpu['node']} {gpu['pci']}": gpu["state"] for gpu in outcome["gpus"]}

    def state(self, card: int = 2, at: int = M, *settings: str) -> str:
        """The state of one card of the rig."""
        return self.states(at, *settings).get(f"rig {pci(card)}", "ok")

    def next(self, at: int = M, *settings: str, **question: Any) -> Draft:
        return self.decide("parameters", question, at, *settings)


def pci(card: int) -> str:
    return f"0000:{0x20 + card:02x}:00.0"


def ordered(events: Iterable[Event], until_us: int) -> list[Event]:
    kept = [event for event in events if event.time_us <= until_us]
    return sorted(kept, key=lambda event: (event.time_us, event.sequence))


def found(draft: Draft) -> set[tuple[str, str]]:
    """Rule and severity of every finding."""
    return {(finding.rule, finding.severity) for finding in draft.findings}
