"""One year of a fleet, lived through under a system that decides who works.

Every six hours all machines are looked at, the system is asked, and each card that may work
gets a job, one at a time. In between, what was fated happens: to cards, if they are there, and
at work where that matters. Machines crash, people reboot and repair them and forget to say so.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

from benchmarks.truth import kernels
from benchmarks.truth.fate import ALL_SLOTS, Fate, Fault, Hit, Mishap, Span, Visit
from benchmarks.truth.hardware import OPENED, REBOOT, Hardware, Node
from benchmarks.truth.judging import Decision, NodeSeen, Observed, System
from benchmarks.truth.layout import SLOTS, START, TICK, D, H, Place, S
from benchmarks.truth.looking import Looker, Shown
from benchmarks.truth.reporting import Reporter, job_name, job_words
from benchmarks.truth.scoring import Counting, Scene, Score

DECIDED_AFTER = 60 * S
"""From the looks to the decision; jobs begin as long after that again."""
HARMFUL = ("psu", "switch", "network", "heat")


class World(Hardware):
    """Lives through a fate under a system; `live` may be called once."""

    def __init__(self, fate: Fate, rates: Mapping[str, float], system: System) -> None:
        super().__init__(fate, rates)
        self.system = system
        self.nvidia = fate.dialect == "nvidia"
        self.active: dict[int, Fault] = {}
        self.counting = Counting()
        self._looker, self._reporter = Looker(), Reporter()
        self._seen_rng = random.Random(f"{fate.name}/looks")
        self._planned: set[tuple[int, int]] = set()
        self._plan()

    # -- what is fated -------------------------------------------------------------------

    def _plan(self) -> None:
        fate = self.fate
        for fault in fate.faults:
            self.later(fault.begins_us, "begins", fault)
            for hit in fault.hits:
                self.later(hit.at_us, "hit", (fault, hit))
            for visit in fault.visits:
                self.later(visit.at_us, "visit", (fault, visit))
                self._keep_free(visit.at_us, fault.nodes[0])
                self._keep_free(visit.at_us + visit.empty_us, fault.nodes[0])
            if not fault.visits:
                self.later(fault.ends_us, "ends", fault)
        for place, hit in fate.blips:
            self.later(hit.at_us, "blip", (place, hit))
        for mishap in fate.mishaps:
            self.later(mishap.at_us, "mishap", mishap)
        for span in fate.crashes:
            self.later(span.from_us, "crash", span)
        for span in fate.maintenance:
            self.later(span.from_us, "maintenance", span)
            self._keep_free(span.from_us, span.node)
        for at, node, one, other in fate.moves:
            self.later(at, "move", (node, one, other))
            self._keep_free(at, node)

    def _keep_free(self, at: int, node: int) -> None:
        """Planned work on a machine is done when no job runs there."""
        self._planned.add(((at - START) // TICK, node))

    # -- the year ------------------------------------------------------------------------

    def live(self) -> Score:
        """The whole year; the score."""
        begun = time.perf_counter()
        ticks = (self.fate.end_us - START) // TICK
        for self.tick in range(ticks):
            begins = START + self.tick * TICK
            self.observed.at_us = begins + DECIDED_AFTER
            decision = self.system.decide(self.observed)
            self.observed = Observed(begins + TICK + DECIDED_AFTER)
            self._prepare(begins, decision)
            self.counting.tick(self.scene(begins), decision)
            self._place_jobs(begins, decision)
            self.happen(begins + TICK)
            self._end_jobs(begins)
            self._look(begins + TICK)
            self.observed.events = self._reporter.take()
        score = self.counting.score
        score.card_years = len(self.nodes) * SLOTS * (ticks * TICK / (365 * D))
        score.seconds = time.perf_counter() - begun
        return score

    def _prepare(self, begins: int, decision: Decision) -> None:
        for number in decision.reboot:
            node = self.nodes[number]
            if node.up and not any(node.jobs):
                self.down(number, begins + DECIDED_AFTER, REBOOT)
        for number, node in enumerate(self.nodes):
            soon = node.reboot_us is not None and node.reboot_us < begins + TICK
            node.drained = soon or (self.tick, number) in self._planned

    def scene(self, begins: int) -> Scene:
        """The truth at a time at which jobs are placed."""
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

    def harmful(self, at_us: int) -> frozenset[int]:
        """Machines with a fault of their own that has shown itself, and for which it is worth
        keeping off them: no driver's, since the fleet would stand still.
        """
        return frozenset(
            node
            for fault in self.active.values()
            if fault.kind in HARMFUL and fault.first_us <= at_us
            for node in fault.nodes
        )

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
                    self.kill(place, starts + waited, trouble.kind, trouble.state)

    def kill(self, place: Place, at: int, kind: str, why: str) -> None:
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
        self.observed.failed.append((at, place))
        if self.system.wants_events:
            rng = random.Random(f"{self.fate.name}/job/{self.tick}/{place}")
            named = rng.random() < self.rates["failure_names_card_share"]
            said = job_words(self.nvidia, why, rng)
            self._reporter.failed(
                job_name(self.tick, place), node.machine, place.slot, at, said, named
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
                part = (self.tick * 7919 + number * 31 + slot * 17) % 100
                if told and part < share * 100:
                    took = round(TICK / S * (0.85 + 0.0013 * part), 1)
                    place = Place(number, slot)
                    job = job_name(self.tick, place)
                    ends = started + round(took * S)
                    self._reporter.finished(job, node.machine, slot, ends, took)

    # -- what happens --------------------------------------------------------------------

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
            self.strike(place, at, hit, fault.kind)
            return
        if fault.seat in ("card", "place"):
            return
        number = hit.node if hit.node >= 0 else fault.nodes[0]
        if hit.symptom == "net":
            self.cut(number, at, hit.down_us)
        elif hit.symptom == "power":
            self.power(number, at, hit)
        else:
            for slot in hit.slots:
                self.strike(Place(number, slot), at, hit, fault.kind)

    def _on_blip(self, at: int, argument: tuple[Place, Hit]) -> None:
        place, hit = argument
        self.strike(place, at, hit, "blip")

    def _on_mishap(self, at: int, mishap: Mishap) -> None:
        node = self.nodes[mishap.place.node]
        if node.jobs[mishap.place.slot] is None:
            return
        for after, text in kernels.program_fault(node.machine, mishap.place.slot, mishap.token):
            self.write(mishap.place.node, at + round(after * S), text)
        self.kill(mishap.place, at, "program", "program")

    # -- people --------------------------------------------------------------------------

    def _on_move(self, at: int, argument: tuple[int, int, int]) -> None:
        number, one, other = argument
        self.exchange(number, one, other)
        if self.nodes[number].up:
            self.down(number, at, OPENED)

    def _on_visit(self, at: int, argument: tuple[Fault, Visit]) -> None:
        fault, visit = argument
        place = self._place_of(fault)
        if fault.number not in self.active or place is None:
            return
        node = self.nodes[place.node]
        if node.up:
            self.down(place.node, at, OPENED)
        if visit.fix == "swap":
            self.swap(place, at, visit.empty_us)
        elif visit.fix == "move" and visit.other_slot != place.slot:
            self.exchange(place.node, place.slot, visit.other_slot)
        if visit.fix in ("swap", "reseat"):
            self.active.pop(fault.number, None)
        self.observed.repaired.append(place)
        if visit.told_us is not None:
            words = visit.fix.replace("_", " ")
            self.later(visit.told_us, "told", (place, f"seen to: {words}"))

    def _on_told(self, at: int, argument: tuple[Place, str]) -> None:
        place, reason = argument
        if self.system.wants_events:
            self._reporter.reinstated(self.nodes[place.node].machine, place, at, reason)

    # -- what is seen --------------------------------------------------------------------

    def _look(self, at: int) -> None:
        rng = self._seen_rng
        for number, node in enumerate(self.nodes):
            answers = rng.random() >= self.rates["no_answer_share"]
            noise, talks = rng.random(), rng.random()
            if node.up and noise < 0.02:
                for _, text in kernels.harmless(random.Random(noise)):
                    self.write(number, at - 600 * S, text)
            if node.up and talks < 0.04:
                for place in sorted(self.fate.chatty):
                    if place.node == number:
                        for after, text in kernels.chatter(place.slot, random.Random(talks)):
                            self.write(number, at - 3600 * S + round(after * S), text)
            reached = node.up and node.cut_until <= at
            self._see(number, node, at, reached and answers, reached)

    def _see(self, number: int, node: Node, at: int, answers: bool, well: bool) -> None:
        shown = [self._shown(node, slot) for slot in ALL_SLOTS]
        look = self._looker.look(node.machine, shown, node.cards)
        self.observed.seen[number] = NodeSeen(
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


def _in(spans: list[Span], node: int, at: int) -> Span | None:
    return next(
        (span for span in spans if span.node == node and span.from_us <= at < span.to_us), None
    )
