"""gpud (leptonai/gpud at 4a8de33a) as it is shipped, with a cluster that believes it.

From ``components/accelerator/nvidia/xid``: `xid.go` (the type and the actions of each code),
`health_state.go` (the state of the machine evolves over the events of 14 days: a fatal Xid makes
it unhealthy; a reboot clears that where the first action is a reboot; from the third time
around, after two reboots in which the same code came again, it asks for an inspection, which a
reboot does not clear), `threshold.go` (2; Xid 94: 1000), `set_healthy.go` (a person clears);
``temperature`` and others: unhealthy while NVML says that a card is lost.

What it cannot say: which card is to sit out (its state is the machine's), anything of AMD, that
a card is missing after a boot (the count is compared only where one was configured), or that
a card only makes jobs fail.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import D, Machine
from benchmarks.truth.systems.control_plane import PERSON_AFTER, Boots, Drains, Listed, lost
from benchmarks.truth.systems.xids import xids

FATAL = frozenset(
    {9, 12, 16, 18, 19, *range(26, 31), *range(32, 37), 38, 42, 44, 46, 47, 48, *range(59, 66)}
    | {68, 69, 74, 78, 79, 81, 94, 95, 110, 119, 120, 121, 123, 140, 143}
)
INSPECT_FIRST = frozenset({81, 143})
"""Their only action is an inspection."""
_RETENTION = 14 * D
_THRESHOLD, _THRESHOLDS = 2, {94: 1000}


class _Event(NamedTuple):
    at_us: int
    what: str
    code: int = 0


class Gpud:
    """Machines that gpud calls unhealthy get no jobs and are rebooted."""

    name = "gpud"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._events: dict[int, list[_Event]] = {machine.number: [] for machine in machines}
        self._inspect: dict[int, int] = {}
        self._boots, self._drains, self._listed = Boots(), Drains(), Listed()

    def decide(self, observed: Observed) -> Decision:
        """The machines that are healthy by their events."""
        now = observed.at_us
        for xid in xids(observed.lines):
            self._events[xid.place.node].append(_Event(xid.at_us, "xid", xid.code))
        booted = self._boots.new(observed)
        for node in booted:
            self._events[node].append(_Event(now, "reboot"))
        blocked = set()
        missing = self._listed.missing(observed, booted)
        for node, events in self._events.items():
            events[:] = [each for each in events if now - each.at_us <= _RETENTION]
            unhealthy, inspect = _evolve(events)
            if unhealthy and inspect:
                if now - self._inspect.setdefault(node, now) >= PERSON_AFTER:
                    events.append(_Event(now, "healthy"))
                    unhealthy = False
                    del self._inspect[node]
            else:
                self._inspect.pop(node, None)
            if unhealthy or lost(observed, node, missing):
                blocked.add(node)
        reboot = self._drains.reboots(blocked, observed)
        return Decision(missing, frozenset(blocked), reboot)


def _evolve(events: list[_Event]) -> tuple[bool, bool]:
    """Whether the machine is unhealthy, and whether only an inspection will do."""
    unhealthy = inspect = False
    reboots: dict[int, int] = {}
    for event in events:
        if event.what == "xid" and event.code in FATAL:
            unhealthy = True
            inspect = event.code in INSPECT_FIRST
            if not inspect:
                count = reboots.setdefault(event.code, 0)
                inspect = count >= _THRESHOLDS.get(event.code, _THRESHOLD)
        elif event.what == "reboot":
            if unhealthy and not inspect:
                unhealthy = False
            reboots = {code: count + 1 for code, count in reboots.items()}
        elif event.what == "healthy":
            unhealthy = inspect = False
            reboots = {}
    return unhealthy, inspect
