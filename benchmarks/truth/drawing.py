"""Draws the fate of a fleet from a seed and the table of rates, before anyone decides."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Literal

from benchmarks.truth.fate import ALL_SLOTS, Fate, Fault, Hit, Mishap, Span, Symptom
from benchmarks.truth.layout import (
    GENERATIONS,
    NODES_IN_ROOM,
    SLOTS,
    START,
    TICK,
    D,
    Dialect,
    H,
    Machine,
    Place,
    machines,
)
from benchmarks.truth.rates import CARD_KINDS
from benchmarks.truth.repairs import visits_to


def draw(
    seed: int, dialect: Dialect, rates: Mapping[str, float], *, nodes: int = 24, days: int = 365
) -> Fate:
    """The fate of a fleet; the same for the same arguments, on every machine."""
    return _Draw(seed, dialect, rates, nodes, days).fate()


class _Draw:
    def __init__(
        self, seed: int, dialect: Dialect, rates: Mapping[str, float], nodes: int, days: int
    ) -> None:
        self.name = f"{seed}/{dialect}"
        self.rates = rates
        self.machines = machines(dialect, nodes)
        self.dialect: Dialect = dialect
        self.days, self.end = days, START + days * D
        self.faults: list[Fault] = []
        self.maintenance: list[Span] = []

    def rng(self, *what: object) -> random.Random:
        """A stream of its own for each thing: one drawn more often moves no other."""
        return random.Random("/".join([self.name, *map(str, what)]))

    def fate(self) -> Fate:
        for machine in self.machines:
            for slot in ALL_SLOTS:
                self._card(machine, slot)
            self._node_faults(machine.number)
        self._room_faults()
        self._upgrades()
        self.faults.sort(key=lambda fault: fault.begins_us)
        for number, fault in enumerate(self.faults):
            fault.number = number
        fate = Fate(
            name=self.name,
            dialect=self.dialect,
            machines=self.machines,
            end_us=self.end,
            faults=self.faults,
            maintenance=self.maintenance,
        )
        self._healthy(fate)
        self._seen(fate)
        return fate

    # -- single cards --------------------------------------------------------------------

    def _card(self, machine: Machine, slot: int) -> None:
        rng = self.rng("card", machine.number, slot)
        weights = [self.rates[f"share.{kind}"] for kind in CARD_KINDS]
        at = START
        while True:
            rate = self.rates["episodes_per_card_year"]
            if not rate:
                return
            at += round(rng.expovariate(rate / (365 * D)))
            if at >= self.end:
                return
            kind = rng.choices(CARD_KINDS, weights)[0]
            fault = self._episode(rng, kind, machine, slot, at)
            self.faults.append(fault)
            at = fault.ends_us + 10 * D

    def _episode(
        self, rng: random.Random, kind: str, machine: Machine, slot: int, begins: int
    ) -> Fault:
        visits = list(visits_to(kind, slot, begins, self.rates, rng))
        ends = visits[-1].at_us
        in_place = kind == "riser" or (kind == "link_storms" and rng.random() < 0.6)
        seat: Literal["card", "place"] = "place" if in_place else "card"
        fault = Fault(0, kind, seat, (machine.number,), (slot,), begins, ends, [], visits)
        if kind == "dead":
            fault.hits = [self._hit(rng, "dead", begins, needs_load=False, sticks=True)]
        else:
            fault.hits = [
                self._symptom(rng, kind, at) for at in self._times(rng, kind, begins, ends)
            ]
        return fault

    def _times(self, rng: random.Random, kind: str, begins: int, ends: int) -> Iterator[int]:
        mean = self.rates[f"gap_days.{kind}"]
        at = float(begins)
        while True:
            gap = mean
            if kind == "degrading":
                gap = mean * (1 - 5 / 6 * min(1.0, (at - begins) / max(1, ends - begins)))
            at += max(0.1 * gap, rng.expovariate(1 / gap)) * D
            if at >= min(ends, self.end):
                return
            yield round(at)

    def _symptom(self, rng: random.Random, kind: str, at: int) -> Hit:
        rates = self.rates
        loaded = rng.random() < rates["load_share"]
        crash = rng.random() < rates["crash_share"]
        if kind == "slow_burn":
            kind = rng.choice(("degrading", "bus_drops", "hangs", "memory"))
        if kind == "degrading":
            sticks = rng.random() < rates["stuck_share"]
            return self._hit(
                rng, "smu", at, needs_load=loaded, sticks=sticks, kills=rng.random() < 0.9,
                crashes=rng.random() < 0.05,
            )  # fmt: skip
        if kind in ("bus_drops", "riser"):
            return self._hit(rng, "bus", at, needs_load=loaded, sticks=True, crashes=crash)
        if kind == "silent_drops":
            return self._hit(rng, "gone", at, needs_load=loaded, sticks=True, wordless=True)
        if kind == "memory":
            return self._hit(rng, "ecc", at)
        if kind == "hangs":
            if rng.random() < rates["wordless_share"]:
                return self._hit(rng, "timeout", at, wordless=True)
            return self._hit(rng, "hang", at, sticks=rng.random() < 0.15)
        fatal = rng.random() < 0.12
        if fatal:
            return self._hit(rng, "aer_fatal", at, needs_load=loaded, sticks=rng.random() < 0.4)
        return self._hit(rng, "aer", at, needs_load=loaded, kills=False)

    def _hit(
        self,
        rng: random.Random,
        symptom: Symptom,
        at: int,
        *,
        needs_load: bool = True,
        sticks: bool = False,
        crashes: bool = False,
        wordless: bool = False,
        kills: bool = True,
    ) -> Hit:
        reboot = rng.lognormvariate(math.log(self.rates["reboot_hours"]), 0.8)
        down = rng.lognormvariate(math.log(self.rates["crash_hours"]), 0.8)
        return Hit(
            at_us=at,
            symptom=symptom,
            token=f"{rng.getrandbits(48):x}",
            needs_load=needs_load,
            sticks=sticks,
            crashes=crashes,
            wordless=wordless,
            kills=kills,
            reboot_us=round(min(240, reboot) * H),
            down_us=round(min(72, down) * H),
        )

    # -- what many cards have in common --------------------------------------------------

    def _arrivals(self, rng: random.Random, per_year: float) -> Iterator[int]:
        at = float(START)
        while per_year and (at := at + rng.expovariate(per_year / (365 * D))) < self.end:
            yield round(at)

    def _node_faults(self, node: int) -> None:
        rates = self.rates
        rng = self.rng("psu", node)
        for at in self._arrivals(rng, rates["psu_per_node_year"]):
            ends = at + round(rng.lognormvariate(math.log(rates["repair_days"]), 0.6) * D)
            hits = []
            for moment in self._times(rng, "psu", at, ends):
                words = (
                    tuple(rng.sample(ALL_SLOTS, rng.randint(2, 6))) if rng.random() < 0.4 else ()
                )
                hit = self._hit(rng, "power", moment, crashes=True)
                hits.append(hit._replace(slots=words))
            self._common("psu", "node", (node,), ALL_SLOTS, at, ends, hits)
        for half in (0, 1):
            rng = self.rng("switch", node, half)
            slots = ALL_SLOTS[half * 4 : half * 4 + 4]
            for at in self._arrivals(rng, rates["switch_per_half_node_year"]):
                ends = at + round(rng.lognormvariate(math.log(rates["repair_days"]), 0.6) * D)
                hits = [
                    self._hit(rng, "bus", moment, sticks=True)._replace(slots=slots)
                    for moment in self._times(rng, "switch", at, ends)
                ]
                self._common("switch", "node", (node,), slots, at, ends, hits)
        rng = self.rng("network", node)
        for at in self._arrivals(rng, rates["network_per_node_year"]):
            ends = at + round(rng.uniform(4, 15) * D)
            hits = [
                self._hit(rng, "net", moment, needs_load=False, wordless=True)._replace(
                    down_us=round(rng.uniform(0.1, 4) * H)
                )
                for moment in self._times(rng, "network", at, ends)
            ]
            self._common("network", "node", (node,), ALL_SLOTS, at, ends, hits)

    def _room_faults(self) -> None:
        for room in range((len(self.machines) + NODES_IN_ROOM - 1) // NODES_IN_ROOM):
            nodes = tuple(each.number for each in self.machines if each.room == room)
            rng = self.rng("heat", room)
            for drawn in self._arrivals(rng, self.rates["heat_per_room_year"]):
                summer = START + round(rng.uniform(150, 240) / 365 * self.days * D)
                at = summer if rng.random() < 0.8 else drawn
                ends = at + round(rng.uniform(1.5, 4) * D)
                hits = []
                moment = at
                while (moment := moment + round(rng.expovariate(1 / 1.5) * H)) < min(
                    ends, self.end
                ):
                    hit = self._hit(
                        rng, "hot", moment, kills=rng.random() < 0.3, crashes=rng.random() < 0.03
                    )
                    slot = rng.choice(ALL_SLOTS)
                    hits.append(hit._replace(slots=(slot,), node=rng.choice(nodes)))
                self._common("heat", "room", nodes, ALL_SLOTS, at, ends, hits)

    def _upgrades(self) -> None:
        for generation in GENERATIONS[self.dialect]:
            nodes = tuple(m.number for m in self.machines if m.generation == generation)
            rng = self.rng("upgrade", generation.name)
            if not nodes:
                continue
            for at in self._arrivals(rng, self.rates["upgrades_per_generation_year"]):
                for node in nodes:
                    moment = at + round(rng.uniform(0, 2) * D)
                    self.maintenance.append(Span(node, moment, moment + H))
                if rng.random() >= self.rates["bad_upgrade_share"]:
                    continue
                begins, ends = at + 2 * D, at + 2 * D + round(rng.uniform(6, 21) * D)
                per_year = self.rates["bad_upgrade_hangs_per_card_year"] * len(nodes) * SLOTS
                hits = []
                moment = begins
                while (moment := moment + round(rng.expovariate(per_year / (365 * D)))) < min(
                    ends, self.end
                ):
                    hit = self._hit(rng, "hang", moment)
                    hits.append(
                        hit._replace(slots=(rng.choice(ALL_SLOTS),), node=rng.choice(nodes))
                    )
                self._common("driver", "generation", nodes, ALL_SLOTS, begins, ends, hits)
                for node in nodes:  # and back again
                    self.maintenance.append(Span(node, ends, ends + H))

    def _common(
        self,
        kind: str,
        seat: Literal["node", "room", "generation"],
        nodes: tuple[int, ...],
        slots: tuple[int, ...],
        begins: int,
        ends: int,
        hits: list[Hit],
    ) -> None:
        if hits:
            self.faults.append(Fault(0, kind, seat, nodes, slots, begins, ends, hits))

    # -- what healthy cards and machines meet --------------------------------------------

    def _healthy(self, fate: Fate) -> None:
        rates = self.rates
        blips: tuple[Symptom, ...] = ("smu", "hang", "hang", "ecc", "bus", "aer_fatal", "timeout")
        for machine in self.machines:
            node = machine.number
            rng = self.rng("node", node)
            for at in self._arrivals(rng, rates["node_crashes_per_year"]):
                down = rng.lognormvariate(math.log(rates["crash_hours"]), 0.8)
                fate.crashes.append(Span(node, at, at + round(min(72, down) * H)))
            for at in self._arrivals(rng, rates["maintenance_per_node_year"]):
                fate.maintenance.append(Span(node, at, at + round(rng.uniform(0.3, 3) * H)))
            for slot in ALL_SLOTS:
                place = Place(node, slot)
                rng = self.rng("healthy", node, slot)
                for at in self._arrivals(rng, rates["blips_per_card_year"]):
                    symptom = rng.choice(blips)
                    hit = self._hit(rng, symptom, at, sticks=symptom == "bus")
                    fate.blips.append((place, hit._replace(wordless=symptom == "timeout")))
                for at in self._arrivals(rng, rates["workload_faults_per_card_year"]):
                    fate.mishaps.append(Mishap(at, place, f"{rng.getrandbits(48):x}"))
                if rng.random() < rates["chatty_link_share"]:
                    fate.chatty.add(place)
        self._bug_days(fate)
        fate.blips.sort(key=lambda each: each[1].at_us)
        fate.mishaps.sort()
        fate.crashes.sort(key=lambda span: span.from_us)
        fate.maintenance.sort(key=lambda span: span.from_us)

    def _bug_days(self, fate: Fate) -> None:
        """A program with a fault runs on many cards for a day or two."""
        rng = self.rng("bugs")
        for at in self._arrivals(rng, self.rates["bug_days_per_year"]):
            token = f"{rng.getrandbits(48):x}"
            for node in rng.sample(range(len(self.machines)), max(1, len(self.machines) // 3)):
                for slot in ALL_SLOTS:
                    for tick in range(rng.randint(1, 8)):
                        if rng.random() < 0.3:
                            moment = at + tick * TICK + round(rng.uniform(0, 1) * TICK)
                            fate.mishaps.append(Mishap(moment, Place(node, slot), token))

    # -- how it is seen ------------------------------------------------------------------

    def _seen(self, fate: Fate) -> None:
        rng = self.rng("seen")
        count = len(self.machines)
        for what, spans in (("unreadable_nodes", fate.unreadable), ("skewed_nodes", fate.skewed)):
            share = self.rates[what] * count / 24
            number = int(share) + (rng.random() < share % 1)
            for node in rng.sample(range(count), min(count, number)):
                from_us = START + round(rng.uniform(0, self.days) * D)
                by = round(rng.choice((-1, 1)) * rng.lognormvariate(math.log(900), 1.2)) * 1_000_000
                spans.append(Span(node, from_us, from_us + round(rng.uniform(20, 60) * D), by))
        rng = self.rng("moves")
        for at in self._arrivals(rng, self.rates["moves_per_year"] * count / 24):
            one, other = rng.sample(ALL_SLOTS, 2)
            fate.moves.append((at, rng.randrange(count), one, other))
