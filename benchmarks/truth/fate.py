"""Everything that will happen to a fleet in a year; `drawing` draws it.

A fault shows itself in hits. Those that need load come to nothing on a card that is idle, so
what happens depends on who decides; what was drawn does not, so that all systems under test
live through the same year.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from benchmarks.truth.layout import SLOTS, Dialect, Machine, Place

Symptom = Literal[
    "smu",
    "bus",
    "gone",
    "dead",
    "ecc",
    "hang",
    "timeout",
    "aer",
    "aer_fatal",
    "hot",
    "power",
    "net",
]
Fix = Literal["swap", "reseat", "move", "nothing_found"]
ALL_SLOTS = tuple(range(SLOTS))


class Hit(NamedTuple):
    """One time that a fault shows itself, if its card is at work where it ``needs_load``.

    ``sticks``: the card stays away until a reboot, which people do ``reboot_us`` later.
    ``crashes``: the machine goes down for ``down_us``. ``wordless``: nothing is printed;
    ``kills``: the job on the card is lost. ``token`` seeds what is printed.
    """

    at_us: int
    symptom: Symptom
    token: str
    needs_load: bool = True
    sticks: bool = False
    crashes: bool = False
    wordless: bool = False
    kills: bool = True
    reboot_us: int = 0
    down_us: int = 0
    slots: tuple[int, ...] = ()
    node: int = -1


class Visit(NamedTuple):
    """Somebody sees to a card: what is done, how long its slot stays empty, when it is told."""

    at_us: int
    fix: Fix
    empty_us: int
    told_us: int | None
    other_slot: int


@dataclass(slots=True)
class Fault:
    """Something wrong from ``begins_us`` to ``ends_us``: with a card, a slot, or what many share.

    ``seat`` ``card``: it goes where the card goes. ``card`` is set when the year is lived.
    """

    number: int
    kind: str
    seat: Literal["card", "place", "node", "room", "generation"]
    nodes: tuple[int, ...]
    slots: tuple[int, ...]
    begins_us: int
    ends_us: int
    hits: list[Hit]
    visits: list[Visit] = field(default_factory=list)
    card: int | None = None

    @property
    def is_episode(self) -> bool:
        """Two symptoms or more; of a dead card, one."""
        own = self.seat in ("card", "place")
        return own and len(self.hits) >= (1 if self.kind == "dead" else 2)

    @property
    def first_us(self) -> int:
        """Its first symptom; where it has none, its end."""
        return self.hits[0].at_us if self.hits else self.ends_us


class Span(NamedTuple):
    """A node in some condition; ``by_us`` is how far its clock is off, where it is that."""

    node: int
    from_us: int
    to_us: int
    by_us: int = 0


class Mishap(NamedTuple):
    """A job fails by its own program's fault."""

    at_us: int
    place: Place
    token: str


@dataclass(slots=True)
class Fate:
    """The year. Times are microseconds since 1970, lists in the order of time."""

    name: str
    dialect: Dialect
    machines: tuple[Machine, ...]
    end_us: int
    faults: list[Fault]
    maintenance: list[Span]
    blips: list[tuple[Place, Hit]] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    crashes: list[Span] = field(default_factory=list)
    moves: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(time, node, slot, slot): two cards change places."""
    unreadable: list[Span] = field(default_factory=list)
    skewed: list[Span] = field(default_factory=list)
    chatty: set[Place] = field(default_factory=set)
