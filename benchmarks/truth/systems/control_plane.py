"""What a cluster does about a machine that a monitor calls bad; the monitors only say so.

No jobs are placed there; after six hours, in which those that run may end, it is rebooted. A
state that only a person may clear is cleared after a day. And what the driver did not list
as the machine came up is no device: no scheduler of theirs offers it. All three are our
assumption, the same for every monitor.
"""

from __future__ import annotations

from benchmarks.truth.judging import Observed
from benchmarks.truth.layout import SLOTS, D, H, Place, pci

REBOOT_AFTER = 6 * H
PERSON_AFTER = D


class Drains:
    """Which nodes are drained since when, and which are to be rebooted now."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}
        self._rebooted: dict[int, int] = {}

    def reboots(self, blocked: set[int], observed: Observed) -> frozenset[int]:
        """The nodes whose drain has lasted long enough; each once a drain."""
        now = observed.at_us
        for node in [each for each in self._since if each not in blocked]:
            del self._since[node]
            self._rebooted.pop(node, None)
        due = set()
        for node in blocked:
            since = self._since.setdefault(node, now)
            if now - since >= REBOOT_AFTER and node not in self._rebooted:
                self._rebooted[node] = now
                due.add(node)
        return frozenset(due)


class Boots:
    """Which nodes came up anew since the last time."""

    def __init__(self) -> None:
        self._boot: dict[int, int] = {}

    def new(self, observed: Observed) -> set[int]:
        """By the number of their boot."""
        fresh = set()
        for node, seen in observed.seen.items():
            if seen.boot is None:
                continue
            if self._boot.get(node, seen.boot) != seen.boot:
                fresh.add(node)
            self._boot[node] = seen.boot
        return fresh


class Listed:
    """The devices that a plugin offers: those that the driver listed when the machine came up."""

    def __init__(self) -> None:
        self._missing: dict[int, frozenset[Place]] = {}

    def missing(self, observed: Observed, booted: set[int]) -> frozenset[Place]:
        """The places of which nobody is offered a card."""
        for node, seen in observed.seen.items():
            states = seen.states
            if states is not None and (node in booted or node not in self._missing):
                self._missing[node] = frozenset(
                    Place(node, slot)
                    for slot in range(SLOTS)
                    if states.get(pci(slot), "gone") not in ("ok", "unknown")
                )
        return frozenset().union(*self._missing.values())


def lost(observed: Observed, node: int, missing: frozenset[Place]) -> bool:
    """Whether NVML calls a card of the machine lost now: one that it listed, and that is away."""
    seen = observed.seen.get(node)
    return (
        seen is not None
        and seen.states is not None
        and any(
            seen.states.get(pci(slot), "gone") in ("unresponsive", "gone")
            and Place(node, slot) not in missing
            for slot in range(SLOTS)
        )
    )
