"""What a system under test sees, and what it may say: the whole of the interface.

A system is told what could be known by a time, in order, and says which cards sit out and
which machines get no jobs until it is asked again. It never sees the truth; `oracle` is given
it by the runner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from benchmarks.truth.layout import Place
from ledger import Event

NOBODY: frozenset[Place] = frozenset()
NOWHERE: frozenset[int] = frozenset()


class KernelLine(NamedTuple):
    """A line that reached a machine's log; ``text`` without any stamp."""

    at_us: int
    node: int
    text: str


class NodeSeen(NamedTuple):
    """A look at a machine, as any agent on it would have one; ``states`` by PCI address.

    Cards that are not shown are not in it. None for what is not known: it did not answer.
    """

    reachable: bool
    boot: int | None
    states: Mapping[str, str] | None


@dataclass(slots=True)
class Observed:
    """What came since the last time, up to ``at_us``.

    ``events`` is what the collectors of this project make of it (empty where a system does not
    want them); ``lines`` are kernel lines as a daemon on the machine reads them; ``repaired``
    are the places at which somebody worked, told or not: only a system that says so uses it.
    """

    at_us: int
    events: list[Event] = field(default_factory=list)
    lines: list[KernelLine] = field(default_factory=list)
    seen: dict[int, NodeSeen] = field(default_factory=dict)
    failed: list[tuple[int, Place]] = field(default_factory=list)
    repaired: list[Place] = field(default_factory=list)


class Decision(NamedTuple):
    """Which cards sit out, which machines get no jobs, and which are to be rebooted now."""

    out: frozenset[Place] = NOBODY
    blocked: frozenset[int] = NOWHERE
    reboot: frozenset[int] = NOWHERE


class System(Protocol):
    """One that decides. ``wants_events``: whether `Observed.events` is made for it."""

    name: str
    wants_events: bool

    def decide(self, observed: Observed) -> Decision:
        """Take in what came, and say what holds until the next time."""
