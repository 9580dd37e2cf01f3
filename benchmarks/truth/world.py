"""One year of a fleet, lived through under a system that decides who works.

Every six hours all machines are looked at, the system is asked, and each card that may work
gets a job, one at a time. In between, what was fated happens: to cards, if they are there, and
at work where that matters. Machines crash, people reboot and repair them and forget to say so.
"""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from benchmarks.truth import printing
from benchmarks.truth.fate import ALL_SLOTS, Fate, Fault, Hit, Mishap, Span, Visit
from benchmarks.truth.judging import Decision, KernelLine, NodeSeen, Observed, System
from benchmarks.truth.layout import SLOTS, START, TICK, D, H, Machine, Place, S, pci
from benchmarks.truth.looking import Looker, Shown
from benchmarks.truth.reporting import Reporter, Written, job_name, job_words
from benchmarks.truth.scoring import Counting, Scene, Score

DECIDED_AFTER = 60 * S
"""From the looks to the decision; jobs begin as long after that again."""
_REBOOT = 900 * S
_OPENED = round(1.5 * H)


class Trouble(NamedTuple):
    """A card that cannot work until its machine boots (``dead``: not then either)."""

    state: Literal["off", "gone", "stuck", "hung", "dead"]
    kind: str
    undriven: bool = False


@dataclass(slots=True)
class Node:
    """A machine as it is now."""

    machine: Machine
    cards: list[int | None]
    jobs: list[int | None]
    """When the job on each card began; None: idle."""
    boot: int = 0
    boot_us: int = START - 5 * D
    up: bool = True
    cut_until: int = 0
    """Until when the network does not reach it."""
    reboot_us: int | None = None
    drained: bool = False
    log: list[Written] = field(default_factory=list)
    """Lines that the collector has not read."""
    marked: set[int] = field(default_factory=set)
    """Slots of which the unread log has controller errors."""


class World:
    """Lives through a fate under a system; `live` may be called once."""

    def __init__(self, fate: Fate, rates: Mapping[str, float], system: System) -> None:
        self.fate, self.rates, self.system = fate, rates, system
        self.nvidia = fate.dialect == "nvidia"
        self._card_numbers = itertools.count(1)
        self.nodes = [
            Node(machine, [self._new_card() for _ in ALL_SLOTS], [None] * SLOTS)
            for machine in fate.machines
        ]
        self.where: dict[int, Place] = {
            card: Place(number, slot)
            for number, node in enumerate(self.nodes)
            for slot, card in enumerate(node.cards)
            if card is not None
        }
        self.trouble: dict[int, Trouble] = {}
        self.active: dict[int, Fault] = {}
        self.counting = Counting()
        self._looker, self._reporter = Looker(), Reporter()
        self._observed = Observed(START)
        self._seen_rng = random.Random(f"{fate.name}/looks")
        self._heap: list[tuple[int, int, str, Any]] = []
        self._order = itertools.count()
        self._planned: set[tuple[int, int]] = set()
        self._tick = 0
        self._plan()

    def _new_card(self) -> int:
        return next(self._card_numbers)

    # -- what is fated -------------------------------------------------------------------

    def _push(self, at: int, what: str, argument: Any) -> None:
        heapq.heappush(self._heap, (at, next(self._order), what, argument))

    def _plan(self) -> None:
        fate = self.fate
        for fault in fate.faults:
            self._push(fault.begins_us, "begins", fault)
            for hit in fault.hits:
                self._push(hit.at_us, "hit", (fault, hit))
            for visit in fault.visits:
                self._push(visit.at_us, "visit", (fault, visit))
                self._keep_free(visit.at_us, fault.nodes[0])
                self._keep_free(visit.at_us + visit.empty_us, fault.nodes[0])
            if not fault.visits:
                self._push(fault.ends_us, "ends", fault)
        for place, hit in fate.blips:
            self._push(hit.at_us, "blip", (place, hit))
        for mishap in fate.mishaps:
            self._push(mishap.at_us, "mishap", mishap)
        for span in fate.crashes:
            self._push(span.from_us, "crash", span)
        for span in fate.maintenance:
            self._push(span.from_us, "maintenance", span)
            self._keep_free(span.from_us, span.node)
        for at, node, one, other in fate.moves:
            self._push(at, "move", (node, one, other))
            self._keep_free(at, node)

    def _keep_free(self, at: int, node: int) -> None:
        """Planned work on a machine is done when no job runs there."""
        self._planned.add(((at - START) // TICK, node))

    # -- the year ------------------------------------------------------------------------

    def live(self) -> Score:
        """The whole year; the score."""
        begun = time.perf_counter()
        ticks = (self.fate.end_us - START) // TICK
        for self._tick in range(ticks):
            begins = START + self._tick * TICK
            self._observed.at_us = begins + DECIDED_AFTER
            decision = self.system.decide(self._observed)
            self._observed = Observed(begins + TICK + DECIDED_AFTER)
            self._prepare(begins, decision)
            self.counting.tick(self._scene(begins), decision)
            self._place_jobs(begins, decision)
            self._happen(begins + TICK)
            self._end_jobs(begins)
            self._look(begins + TICK)
            self._observed.events = self._reporter.take()
        score = self.counting.score
        score.card_years = len(self.nodes) * SLOTS * (ticks * TICK / (365 * D))
        score.seconds = time.perf_counter() - begun
        return score

    def _prepare(self, begins: int, decision: Decision) -> None:
        for number in decision.reboot:
            node = self.nodes[number]
            if node.up and not any(node.jobs):
                self._down(number, begins + DECIDED_AFTER, _REBOOT)
        for number, node in enumerate(self.nodes):
            soon = node.reboot_us is not None and node.reboot_us < begins + TICK
            node.drained = soon or (self._tick, number) in self._planned

    def _scene(self, begins: int) -> Scene:
        faults: dict[Place, Fault] = {}
        sick: set[int] = set()
        for fault in self.active.values():
            place = self._place_of(fault)
            if place is not None:
                faults[place] = fault
            elif fault.seat not in ("card", "place") and fault.first_us <= begins:
                sick.update(fault.nodes)
        away = frozenset(self.where[card] for card in self.trouble if card in self.where)
        empty = frozenset(
            Place(number, slot)
            for number, node in enumerate(self.nodes)
            for slot, card in enumerate(node.cards)
            if card is None
        )
        ready = frozenset(
            number
            for number, node in enumerate(self.nodes)
            if node.up and not node.drained and node.cut_until <= begins
        )
        return Scene(begins, faults, frozenset(sick), away, empty, ready)

    def _place_of(self, fault: Fault) -> Place | None:
        if fault.seat == "card":
            return None if fault.card is None else self.where.get(fault.card)
        if fault.seat == "place" and fault.card is not None:
            return Place(fault.nodes[0], fault.slots[0])
        return None

    # -- jobs ----------------------------------------------------------------------------

    def _place_jobs(self, begins: int, decision: Decision) -> None:
        starts = begins + 2 * DECIDED_AFTER
        for number, node in enumerate(self.nodes):
            free = node.up and not node.drained and node.cut_until <= starts
            if not free or number in decision.blocked:
                continue
            for slot in ALL_SLOTS:
                card = node.cards[slot]
                place = Place(number, slot)
                if card is None or place in decision.out:
                    continue
                self.counting.score.jobs += 1
                node.jobs[slot] = starts
                trouble = self.trouble.get(card)
                if trouble is not None:
                    waited = 3 * H if trouble.state in ("stuck", "hung") else 20 * S
                    self._kill(place, starts + waited, trouble.kind, trouble.state)

    def _kill(self, place: Place, at: int, kind: str, why: str) -> None:
        """The job on a card, if there is one, is lost."""
        node = self.nodes[place.node]
        if node.jobs[place.slot] is None:
            return
        node.jobs[place.slot] = None
        score = self.counting.score
        if why == "program":
            score.own_failures += 1
        else:
            score.lost[kind] += 1
        self._observed.failed.append((at, place))
        if self.system.wants_events:
            rng = random.Random(f"{self.fate.name}/job/{self._tick}/{place}")
            named = rng.random() < self.rates["failure_names_card_share"]
            said = job_words(self.nvidia, why, rng)
            self._reporter.failed(
                job_name(self._tick, place), node.machine, place.slot, at, said, named
            )

    def _end_jobs(self, begins: int) -> None:
        told = self.system.wants_events
        share = self.rates["finished_told_share"]
        for number, node in enumerate(self.nodes):
            for slot, started in enumerate(node.jobs):
                if started is None:
                    continue
                node.jobs[slot] = None
                # Between 85 and 98 % of the time there is, by a rule that needs no drawing.
                part = (self._tick * 7919 + number * 31 + slot * 17) % 100
                if told and part < share * 100:
                    took = round(TICK / S * (0.85 + 0.0013 * part), 1)
                    place = Place(number, slot)
                    job = job_name(self._tick, place)
                    ends = started + round(took * S)
                    self._reporter.finished(job, node.machine, slot, ends, took)

    # -- what happens --------------------------------------------------------------------

    def _happen(self, until: int) -> None:
        heap = self._heap
        while heap and heap[0][0] < until:
            at, _, what, argument = heapq.heappop(heap)
            getattr(self, f"_on_{what}")(at, argument)

    def _on_begins(self, at: int, fault: Fault) -> None:
        fault.card = None
        if fault.seat in ("card", "place"):
            place = Place(fault.nodes[0], fault.slots[0])
            card = self.nodes[place.node].cards[place.slot]
            carried = any(other.card == card for other in self.active.values())
            if card is None or carried:
                return  # an empty slot, or a card that is bad already: not another fault
            fault.card = card
        self.active[fault.number] = fault

    def _on_ends(self, at: int, fault: Fault) -> None:
        self.active.pop(fault.number, None)

    def _on_hit(self, at: int, argument: tuple[Fault, Hit]) -> None:
        fault, hit = argument
        if fault.number not in self.active:
            return
        place = self._place_of(fault)
        if place is not None:
            self._strike(place, at, hit, fault.kind)
            return
        if fault.seat in ("card", "place"):
            return
        number = hit.node if hit.node >= 0 else fault.nodes[0]
        if hit.symptom == "net":
            self._cut(number, at, hit.down_us)
        elif hit.symptom == "power":
            self._power(number, at, hit)
        else:
            for slot in hit.slots:
                self._strike(Place(number, slot), at, hit, fault.kind)

    def _on_blip(self, at: int, argument: tuple[Place, Hit]) -> None:
        place, hit = argument
        self._strike(place, at, hit, "blip")

    def _on_mishap(self, at: int, mishap: Mishap) -> None:
        node = self.nodes[mishap.place.node]
        if node.jobs[mishap.place.slot] is None:
            return
        for after, text in printing.program_fault(node.machine, mishap.place.slot, mishap.token):
            self._write(mishap.place.node, at + round(after * S), text)
        self._kill(mishap.place, at, "program", "program")

    def _strike(self, place: Place, at: int, hit: Hit, kind: str) -> None:
        """A symptom of the card in a place."""
        node = self.nodes[place.node]
        card = node.cards[place.slot]
        if not node.up or card is None:
            return
        trouble = self.trouble.get(card)
        if trouble is not None and trouble.state in ("off", "gone", "dead"):
            return  # it is away already
        if hit.needs_load and node.jobs[place.slot] is None:
            return
        rng = random.Random(f"{hit.token}/{place.slot}")
        if not hit.wordless:
            lines = printing.said(node.machine, place.slot, hit.symptom, rng, well=not hit.sticks)
            for after, text in lines:
                self._write(place.node, at + round(after * S), text)
            if any("SMU" in text and pci(place.slot) in text for _, text in lines):
                node.marked.add(place.slot)
        if hit.sticks:
            self.trouble[card] = Trouble(_state(hit, rng), kind, rng.random() < 0.5)
            self._will_reboot(place.node, at + hit.reboot_us)
        if hit.kills:
            self._kill(place, at, kind, hit.symptom)
        if hit.crashes:
            self._crash(place.node, at + S, hit.down_us, kind, hit.token)

    def _power(self, number: int, at: int, hit: Hit) -> None:
        node = self.nodes[number]
        loaded = sum(job is not None for job in node.jobs) / SLOTS
        rng = random.Random(hit.token)
        if not node.up or rng.random() > loaded:
            return  # an idle machine draws little
        for slot in hit.slots:
            for after, text in printing.said(node.machine, slot, "power", rng, well=False)[:4]:
                self._write(number, at + round(min(after, 1.0) * S), text)
        self._crash(number, at + 2 * S, hit.down_us, "psu", hit.token)

    def _cut(self, number: int, at: int, for_us: int) -> None:
        node = self.nodes[number]
        node.cut_until = max(node.cut_until, at + for_us)
        for slot in ALL_SLOTS:
            self._kill(Place(number, slot), at, "network", "net")
        self._write(number, at, "igb 0000:01:00.0 eno1: igb: eno1 NIC Link is Down")

    # -- machines go down and come back --------------------------------------------------

    def _on_crash(self, at: int, span: Span) -> None:
        if self.nodes[span.node].up:
            self._crash(span.node, at, span.to_us - span.from_us, "machine", f"{at}")

    def _crash(self, number: int, at: int, down_us: int, kind: str, token: str) -> None:
        node = self.nodes[number]
        for slot in ALL_SLOTS:
            self._kill(Place(number, slot), at, kind, "crash")
        if random.Random(f"{token}/words").random() < self.rates["lost_words_share"]:
            node.log = [line for line in node.log if line.at_us < at - 60 * S]
            kept = [
                line
                for line in self._observed.lines
                if line.node != number or line.at_us < at - 60 * S
            ]
            self._observed.lines = kept
        self._down(number, at, down_us)

    def _down(self, number: int, at: int, for_us: int) -> None:
        node = self.nodes[number]
        if node.machine.log != "journal":
            node.log.clear()  # the kernel's own buffer goes with the boot
        node.up = False
        self._push(at + max(_REBOOT, for_us), "boot", number)

    def _on_boot(self, at: int, number: int) -> None:
        node = self.nodes[number]
        if node.up:
            return
        node.up = True
        node.boot += 1
        node.boot_us = at
        node.reboot_us = None
        node.marked.clear()
        dead = []
        for slot, card in enumerate(node.cards):
            trouble = None if card is None else self.trouble.get(card)
            if card is None or trouble is None:
                continue
            if trouble.state == "dead":
                dead.append(slot)
            else:
                del self.trouble[card]
        rng = random.Random(f"{self.fate.name}/boot/{number}/{node.boot}")
        for after, text in printing.booted(node.machine, dead, rng):
            self._write(number, at + round(after * S), text)

    def _will_reboot(self, number: int, at: int) -> None:
        node = self.nodes[number]
        if node.reboot_us is None or at < node.reboot_us:
            # Not in the slot that runs: its jobs are let end first.
            at = max(at, START + (self._tick + 1) * TICK + 600 * S)
            node.reboot_us = at
            self._push(at, "reboot", number)

    def _on_reboot(self, at: int, number: int) -> None:
        node = self.nodes[number]
        if node.up and node.reboot_us == at:
            self._down(number, at, _REBOOT)

    def _on_maintenance(self, at: int, span: Span) -> None:
        if self.nodes[span.node].up:
            self._down(span.node, at, span.to_us - span.from_us)

    # -- people --------------------------------------------------------------------------

    def _on_move(self, at: int, argument: tuple[int, int, int]) -> None:
        number, one, other = argument
        self._exchange(number, one, other)
        if self.nodes[number].up:
            self._down(number, at, _OPENED)

    def _exchange(self, number: int, one: int, other: int) -> None:
        cards = self.nodes[number].cards
        cards[one], cards[other] = cards[other], cards[one]
        for slot in (one, other):
            card = cards[slot]
            if card is not None:
                self.where[card] = Place(number, slot)

    def _on_visit(self, at: int, argument: tuple[Fault, Visit]) -> None:
        fault, visit = argument
        place = self._place_of(fault)
        if fault.number not in self.active or place is None:
            return
        node = self.nodes[place.node]
        if node.up:
            self._down(place.node, at, _OPENED)
        if visit.fix == "swap":
            self._swap(place, at, visit.empty_us)
        elif visit.fix == "move" and visit.other_slot != place.slot:
            self._exchange(place.node, place.slot, visit.other_slot)
        if visit.fix in ("swap", "reseat"):
            self.active.pop(fault.number, None)
        self._observed.repaired.append(place)
        if visit.told_us is not None:
            words = visit.fix.replace("_", " ")
            self._push(visit.told_us, "told", (place, f"seen to: {words}"))

    def _swap(self, place: Place, at: int, empty_us: int) -> None:
        node = self.nodes[place.node]
        old = node.cards[place.slot]
        if old is not None:
            self.where.pop(old, None)
            self.trouble.pop(old, None)
        node.cards[place.slot] = None
        self._push(at + max(1, empty_us), "filled", place)

    def _on_filled(self, at: int, place: Place) -> None:
        if self.nodes[place.node].up:
            self._down(place.node, at, _OPENED)
        card = self._new_card()
        self.nodes[place.node].cards[place.slot] = card
        self.where[card] = place

    def _on_told(self, at: int, argument: tuple[Place, str]) -> None:
        place, reason = argument
        if self.system.wants_events:
            self._reporter.reinstated(self.nodes[place.node].machine, place, at, reason)

    # -- what is seen --------------------------------------------------------------------

    def _write(self, number: int, at: int, text: str) -> None:
        node = self.nodes[number]
        node.log.append(Written(node.boot, node.boot_us, at, text))
        self._observed.lines.append(KernelLine(at, number, text))

    def _look(self, at: int) -> None:
        rng = self._seen_rng
        for number, node in enumerate(self.nodes):
            answers = rng.random() >= self.rates["no_answer_share"]
            noise, talks = rng.random(), rng.random()
            if node.up and noise < 0.02:
                for _, text in printing.harmless(random.Random(noise)):
                    self._write(number, at - 600 * S, text)
            if node.up and talks < 0.04:
                for place in self.fate.chatty:
                    if place.node == number:
                        for after, text in printing.chatter(place.slot, random.Random(talks)):
                            self._write(number, at - 3600 * S + round(after * S), text)
            reached = node.up and node.cut_until <= at
            self._see(number, node, at, reached and answers, reached)

    def _see(self, number: int, node: Node, at: int, answers: bool, well: bool) -> None:
        shown = [self._shown(node, slot) for slot in ALL_SLOTS]
        look = self._looker.look(node.machine, shown, node.cards)
        self._observed.seen[number] = NodeSeen(
            well, node.boot if well else None, look.states if well else None
        )
        if not self.system.wants_events:
            node.marked.clear()
            node.log.clear()
            return
        if not answers:
            self._reporter.no_answer(node.machine, at)
            return
        readable = not _in(self.fate.unreadable, number, at)
        written = None
        if readable:
            due = [line for line in node.log if line.at_us <= at]
            node.log = [line for line in node.log if line.at_us > at]
            written = sorted(due, key=lambda line: line.at_us)
            node.marked.clear()
        skew = _in(self.fate.skewed, number, at)
        self._reporter.looked(
            node.machine, look, at, boot=node.boot, boot_us=node.boot_us, written=written,
            skew_us=skew.by_us if skew else 0,
        )  # fmt: skip

    def _shown(self, node: Node, slot: int) -> Shown:
        card = node.cards[slot]
        if card is None:
            return "empty"
        trouble = self.trouble.get(card)
        if trouble is None:
            marked = not self.nvidia and slot in node.marked
            return "spared" if marked else "ok"
        if trouble.state == "dead":
            return "undriven" if trouble.undriven else "gone"
        return trouble.state


def _state(hit: Hit, rng: random.Random) -> Literal["off", "gone", "stuck", "hung", "dead"]:
    if hit.symptom == "dead":
        return "dead"
    if hit.symptom == "gone":
        return "gone"
    if hit.symptom in ("bus", "aer_fatal"):
        return "gone" if rng.random() < 0.25 else "off"
    return "hung" if rng.random() < 0.2 else "stuck"


def _in(spans: list[Span], node: int, at: int) -> Span | None:
    return next(
        (span for span in spans if span.node == node and span.from_us <= at < span.to_us), None
    )
