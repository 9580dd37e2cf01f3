"""What a cluster does about a machine that a monitor calls bad; the monitors only say so.

No jobs are placed there; after six hours, in which those that run may end, it is rebooted. A
state that only a person may clear is cleared after a day. Both are our assumption, the same
for every monitor of a node.
"""

from __future__ import annotations

from benchmarks.truth.judging import Observed
from benchmarks.truth.layout import D, H

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
