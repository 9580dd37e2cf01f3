"""Worlds whose truth is known, as ledgers: what happened, what was asked, what was really bad."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import runledger
from benchmarks.truth.drawing import draw
from benchmarks.truth.judging import Decision, Observed, System
from benchmarks.truth.layout import SLOTS, TICK, Dialect, H, Place, pci
from benchmarks.truth.rates import rates_of
from benchmarks.truth.scoring import Scene
from benchmarks.truth.systems.runledger import Runledger as Obeyed
from benchmarks.truth.world import DECIDED_AFTER, World
from ledger import Event
from rules.fleet import fleet_text, parse_fleet
from runledger.api.facade import Runledger
from runledger.backtest.cards import Stretch


class Truth(NamedTuple):
    """What nobody in the world is told: the scenes, and the jobs lost by place, with why."""

    scenes: list[Scene]
    lost: list[tuple[int, Place, str]]
    names: tuple[str, ...]

    @property
    def ends_us(self) -> int:
        """When it was last asked."""
        return self.scenes[-1].at_us + DECIDED_AFTER

    def bad_hours(self, out: Iterable[Stretch]) -> float:
        """GPU-hours of stretches in which the card, or its node, had a fault that had shown.

        Hours of an empty slot are bad as well: nothing that is well sits out there.
        """
        return sum(self._hours(each) for each in out)

    def _hours(self, out: Stretch) -> float:
        place = self.place(out.card)
        bad = 0.0
        for scene in self.scenes:
            within = min(out.to_us, scene.at_us + TICK) - max(out.from_us, scene.at_us)
            fault = scene.faults.get(place)
            sick = fault is not None and fault.first_us <= scene.at_us
            gone = place in scene.away or place in scene.empty
            if within > 0 and (sick or gone or place.node in scene.sick):
                bad += within / H
        return bad

    def jobs_spared(self, out: Iterable[Stretch]) -> int:
        """Jobs that were lost to the hardware on a card that would have been out."""
        by_place: dict[Place, list[Stretch]] = {}
        for each in out:
            by_place.setdefault(self.place(each.card), []).append(each)
        return sum(
            why != "program"
            and any(each.from_us < at <= each.to_us for each in by_place.get(place, []))
            for at, place, why in self.lost
        )

    def needless(self, at_us: int, nodes: Iterable[str], within_us: int) -> bool:
        """Whether nodes that were blocked were up and well, with all their cards, for so long."""
        numbers = {self.names.index(each) for each in nodes}
        return not any(
            numbers - scene.ready
            or numbers & scene.sick
            or any(place.node in numbers for place in scene.away | scene.empty)
            or any(
                place.node in numbers and fault.first_us <= scene.at_us + TICK
                for place, fault in scene.faults.items()
            )
            for scene in self.scenes
            if at_us - TICK < scene.at_us < at_us + within_us
        )

    def place(self, card: tuple[str, str]) -> Place:
        """Where a card of this node and address sits."""
        return Place(self.names.index(card[0]), _SLOTS[card[1]])


_SLOTS = {pci(slot): slot for slot in range(SLOTS)}


class _Told(World):
    """A world that keeps its truth."""

    def __init__(self, *drawn: object) -> None:
        super().__init__(*drawn)  # type: ignore[arg-type]
        self.truth = Truth([], [], tuple(node.machine.name for node in self.nodes))

    def scene(self, begins: int) -> Scene:
        scene = super().scene(begins)
        self.truth.scenes.append(scene)
        return scene

    def kill(self, place: Place, at: int, kind: str, why: str) -> None:
        if self.nodes[place.node].jobs[place.slot] is not None:
            self.truth.lost.append((at, place, why))
        super().kill(place, at, kind, why)


class _Listening:
    """Keeps all that is told, and decides what another system does, or nothing."""

    name = "listening"
    wants_events = True

    def __init__(self, obeyed: System | None) -> None:
        self.obeyed = obeyed
        self.events: list[Event] = []
        self.asked: list[int] = []

    def decide(self, observed: Observed) -> Decision:
        self.events += observed.events
        self.asked.append(observed.at_us)
        return Decision() if self.obeyed is None else self.obeyed.decide(observed)


def lived(
    folder: Path, dialect: Dialect, seed: int, rates: str, *, days: int, nodes: int, obeyed: bool
) -> tuple[Runledger, Truth]:
    """A world's ledger, asked after each look; with ``obeyed``, what it says is heeded.

    Else its policy has no rule, and nothing that it says keeps work off anything.
    """
    values = rates_of(rates)
    fate = draw(seed, dialect, values, nodes=nodes, days=days)
    system = _Listening(Obeyed(fate.machines, []) if obeyed else None)
    world = _Told(fate, values, system)
    world.live()
    names = "".join(f'[[nodes]]\nname = "{each.name}"\ngpus = 8\n' for each in fate.machines)
    steps = "".join(f'[steps."{each.name}"]\nnodes = ["{each.name}"]\n' for each in fate.machines)
    text = fleet_text(parse_fleet(names + steps))
    if not obeyed:
        from rules.policy import policy_text
        from runledger.backtest.sweep import no_rules

        (folder / "nothing.toml").write_text(policy_text(no_rules()))
        text = 'policy = "nothing.toml"\n' + text
    (folder / "runledger.toml").write_text(text)
    opened = runledger.open(folder / "world.db", config=folder / "runledger.toml", create=True)
    opened.record(system.events)
    for number, at in enumerate(system.asked[1:]):
        opened.exclusions(at=at)
        machine = fate.machines[number % len(fate.machines)]
        opened.preflight(machine.name, at=at)
    return opened, world.truth
