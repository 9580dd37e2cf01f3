"""The ends of the scale: nobody decides, everybody is suspect, all is known."""

from __future__ import annotations

import re
from collections.abc import Callable

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import SLOTS, D, Machine, Place, pci
from benchmarks.truth.scoring import Scene

_CARD = re.compile(r"[0-9a-f]{4}:([0-9a-f]{2}):00(?:\.0)?\b")
_ERROR = re.compile(
    r"Xid|SMU: (?:response|I'm not|No response|bus error)|device lost|failed send message"
    r"|ring \S+ timeout|GPU reset begin|page fault \(src|ncorrectable hardware|over temperature"
    r"|fallen off the bus|RmInitAdapter|PCIe Bus Error|Fatal error during GPU init"
)
SLOT_OF = {int(pci(slot)[5:7], 16): slot for slot in range(SLOTS)}


def place_of(node: int, text: str) -> Place | None:
    """The place that a kernel line names."""
    match = _CARD.search(text)
    slot = None if match is None else SLOT_OF.get(int(match[1], 16))
    return None if slot is None else Place(node, slot)


class Nothing:
    """Every card gets jobs, whatever it does."""

    name = "nothing"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        pass

    def decide(self, observed: Observed) -> Decision:
        """Nobody sits out."""
        return Decision()


class OneStrike:
    """A card sits out from its first error, of whatever kind, until somebody worked on it.

    What it cannot say: that an error was the program's. A well card that was taken out comes
    back when somebody looks at it, after 21 days: the median of a repair.
    """

    name = "one-strike"
    wants_events = False
    _LOOKED_AT = 21 * D

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._out: dict[Place, int] = {}

    def decide(self, observed: Observed) -> Decision:
        """Out with all that showed anything."""
        for place in observed.repaired:
            self._out.pop(place, None)
        for line in observed.lines:
            named = place_of(line.node, line.text)
            if named is not None and _ERROR.search(line.text):
                self._out.setdefault(named, line.at_us)
        for node, seen in observed.seen.items():
            for slot in range(SLOTS):
                if seen.states is not None and seen.states.get(pci(slot), "gone") != "ok":
                    self._out.setdefault(Place(node, slot), observed.at_us)
        latest = observed.at_us - self._LOOKED_AT
        self._out = {place: since for place, since in self._out.items() if since >= latest}
        return Decision(frozenset(self._out))


class Oracle:
    """Knows the truth, of what has shown itself: bad cards sit out from the first look after their
    first symptom to their repair, cards that cannot work while they cannot, and machines with
    a fault of their own (supply, switch, network, heat) are blocked while they have it. A bad
    driver blocks nobody: the fleet would stand still.
    """

    name = "oracle"
    wants_events = False
    scene: Callable[[int], Scene]
    harmful: Callable[[int], frozenset[int]]
    """The truth, as a world tells it; set by the runner."""

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        pass

    def decide(self, observed: Observed) -> Decision:
        """What is true now."""
        scene = self.scene(observed.at_us)
        bad = {
            place
            for place, fault in scene.faults.items()
            if fault.is_episode and fault.first_us <= observed.at_us
        }
        return Decision(frozenset(bad | scene.away), self.harmful(observed.at_us))
