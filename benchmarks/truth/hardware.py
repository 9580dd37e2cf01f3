"""The machines of a world and their cards: what a symptom does, how they go down and come back.

What is to happen later waits in one queue, by time; what becomes of a job is for `World`.
"""

from __future__ import annotations

import heapq
import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from benchmarks.truth import kernels
from benchmarks.truth.fate import ALL_SLOTS, Fate, Hit, Span
from benchmarks.truth.judging import KernelLine, Observed
from benchmarks.truth.layout import SLOTS, START, TICK, D, H, Machine, Place, S, pci
from benchmarks.truth.reporting import Written

REBOOT = 900 * S
OPENED = round(1.5 * H)
"""How long a machine is down to be rebooted, and to have its cards seen to."""


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


class Hardware(ABC):
    """The machines as they are now, and the queue of what will happen to them."""

    def __init__(self, fate: Fate, rates: Mapping[str, float]) -> None:
        self.fate, self.rates = fate, rates
        self.observed = Observed(START)
        self.tick = 0
        self._card_numbers = itertools.count(1)
        self.nodes = [
            Node(machine, [self.new_card() for _ in ALL_SLOTS], [None] * SLOTS)
            for machine in fate.machines
        ]
        self.where: dict[int, Place] = {
            card: Place(number, slot)
            for number, node in enumerate(self.nodes)
            for slot, card in enumerate(node.cards)
            if card is not None
        }
        self.trouble: dict[int, Trouble] = {}
        self._heap: list[tuple[int, int, str, Any]] = []
        self._order = itertools.count()

    def new_card(self) -> int:
        """The number of a card that was never there before."""
        return next(self._card_numbers)

    def later(self, at: int, what: str, argument: Any) -> None:
        """Have the method ``_on_`` + ``what`` called at a time, with that time and the argument."""
        heapq.heappush(self._heap, (at, next(self._order), what, argument))

    def happen(self, until: int) -> None:
        """All that waits, up to a time."""
        heap = self._heap
        while heap and heap[0][0] < until:
            at, _, what, argument = heapq.heappop(heap)
            getattr(self, f"_on_{what}")(at, argument)

    @abstractmethod
    def kill(self, place: Place, at: int, kind: str, why: str) -> None:
        """The job on a card, if there is one, is lost."""

    def write(self, number: int, at: int, text: str) -> None:
        """A line of a machine's kernel."""
        node = self.nodes[number]
        node.log.append(Written(node.boot, node.boot_us, at, text))
        self.observed.lines.append(KernelLine(at, number, text))

    # -- symptoms ------------------------------------------------------------------------

    def strike(self, place: Place, at: int, hit: Hit, kind: str) -> None:
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
            lines = kernels.said(node.machine, place.slot, hit.symptom, rng, well=not hit.sticks)
            for after, text in lines:
                self.write(place.node, at + round(after * S), text)
            if any("SMU" in text and pci(place.slot) in text for _, text in lines):
                node.marked.add(place.slot)
        if hit.sticks:
            self.trouble[card] = Trouble(_state(hit, rng), kind, rng.random() < 0.5)
            self._will_reboot(place.node, at + hit.reboot_us)
        if hit.kills:
            self.kill(place, at, kind, hit.symptom)
        if hit.crashes:
            self.crash(place.node, at + S, hit.down_us, kind, hit.token)

    def power(self, number: int, at: int, hit: Hit) -> None:
        """A supply gives in, if its machine is at work."""
        node = self.nodes[number]
        loaded = sum(job is not None for job in node.jobs) / SLOTS
        rng = random.Random(hit.token)
        if not node.up or rng.random() > loaded:
            return  # an idle machine draws little
        for slot in hit.slots:
            for after, text in kernels.said(node.machine, slot, "power", rng, well=False)[:4]:
                self.write(number, at + round(min(after, 1.0) * S), text)
        self.crash(number, at + 2 * S, hit.down_us, "psu", hit.token)

    def cut(self, number: int, at: int, for_us: int) -> None:
        """The network loses a machine for a while."""
        node = self.nodes[number]
        node.cut_until = max(node.cut_until, at + for_us)
        for slot in ALL_SLOTS:
            self.kill(Place(number, slot), at, "network", "net")
        self.write(number, at, "igb 0000:01:00.0 eno1: igb: eno1 NIC Link is Down")

    # -- machines go down and come back --------------------------------------------------

    def _on_crash(self, at: int, span: Span) -> None:
        if self.nodes[span.node].up:
            self.crash(span.node, at, span.to_us - span.from_us, "machine", f"{at}")

    def crash(self, number: int, at: int, down_us: int, kind: str, token: str) -> None:
        """A machine goes down with all its jobs, and perhaps with its last words."""
        node = self.nodes[number]
        for slot in ALL_SLOTS:
            self.kill(Place(number, slot), at, kind, "crash")
        lost = random.Random(f"{token}/words").random() < self.rates["lost_words_share"]
        last = at - 60 * S if lost else at  # what was to be said after the crash never is
        node.log = [line for line in node.log if line.at_us <= last]
        self.observed.lines = [
            line for line in self.observed.lines if line.node != number or line.at_us <= last
        ]
        self.down(number, at, down_us)

    def down(self, number: int, at: int, for_us: int) -> None:
        """A machine goes down, and boots after that long."""
        node = self.nodes[number]
        if node.machine.log != "journal":
            node.log.clear()  # the kernel's own buffer goes with the boot
        node.up = False
        self.later(at + max(REBOOT, for_us), "boot", number)

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
        for after, text in kernels.booted(node.machine, dead, rng):
            self.write(number, at + round(after * S), text)

    def _will_reboot(self, number: int, at: int) -> None:
        node = self.nodes[number]
        if node.reboot_us is None or at < node.reboot_us:
            # Not in the slot that runs: its jobs are let end first.
            at = max(at, START + (self.tick + 1) * TICK + 600 * S)
            node.reboot_us = at
            self.later(at, "reboot", number)

    def _on_reboot(self, at: int, number: int) -> None:
        node = self.nodes[number]
        if node.up and node.reboot_us == at:
            self.down(number, at, REBOOT)

    def _on_maintenance(self, at: int, span: Span) -> None:
        if self.nodes[span.node].up:
            self.down(span.node, at, span.to_us - span.from_us)

    # -- cards go from place to place ------------------------------------------------------

    def exchange(self, number: int, one: int, other: int) -> None:
        """Two cards of a machine change places."""
        cards = self.nodes[number].cards
        cards[one], cards[other] = cards[other], cards[one]
        for slot in (one, other):
            card = cards[slot]
            if card is not None:
                self.where[card] = Place(number, slot)

    def swap(self, place: Place, at: int, empty_us: int) -> None:
        """A card goes, and another comes, at once or later."""
        node = self.nodes[place.node]
        old = node.cards[place.slot]
        if old is not None:
            self.where.pop(old, None)
            self.trouble.pop(old, None)
        node.cards[place.slot] = None
        self.later(at + max(1, empty_us), "filled", place)

    def _on_filled(self, at: int, place: Place) -> None:
        if self.nodes[place.node].up:
            self.down(place.node, at, OPENED)
        card = self.new_card()
        self.nodes[place.node].cards[place.slot] = card
        self.where[card] = place


def _state(hit: Hit, rng: random.Random) -> Literal["off", "gone", "stuck", "hung", "dead"]:
    if hit.symptom == "dead":
        return "dead"
    if hit.symptom == "gone":
        return "gone"
    if hit.symptom in ("bus", "aer_fatal"):
        return "gone" if rng.random() < 0.25 else "off"
    return "hung" if rng.random() < 0.2 else "stuck"
