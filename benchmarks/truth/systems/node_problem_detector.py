"""Kubernetes' node-problem-detector (repository of that name, at 06c4b903) as it is shipped.

``config/kernel-monitor.json``: patterns of permanent conditions (a hung docker task, a file system
gone read-only, an XFS that shut down), which never go back by themselves, and of temporary
events, which change nothing. None is about a graphics card.

What it cannot say: anything of a card. On these worlds it is nothing at all, and is shown so.
"""

from __future__ import annotations

import re

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import Machine
from benchmarks.truth.systems.control_plane import PERSON_AFTER

_PERMANENT = re.compile(
    r"XFS .* Shutting down filesystem|task docker:\w+ blocked for more than \w+ seconds\."
    r"|Remounting filesystem read-only"
)


class NodeProblemDetector:
    """Machines with a permanent condition get no jobs until a person clears it, after a day."""

    name = "node-problem-detector"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._since: dict[int, int] = {}

    def decide(self, observed: Observed) -> Decision:
        """The machines without a condition."""
        for line in observed.lines:
            if _PERMANENT.search(line.text):
                self._since.setdefault(line.node, line.at_us)
        for node in [n for n, at in self._since.items() if observed.at_us - at >= PERSON_AFTER]:
            del self._since[node]
        return Decision(blocked=frozenset(self._since))
