"""NVSentinel as it is shipped (charts at 0e0829ea and 09dfc8f9).

``charts/fault-quarantine/values.yaml``: a fatal event of a GPU or syslog monitor cordons the
machine. ``syslog-health-monitor``: an Xid is fatal unless the catalogue says RESTART_APP or
IGNORE, or it is 154; a reboot clears it. ``charts/health-events-analyzer/values.yaml``: the same
Xid on the same card in 5 bursts within 24 hours (bursts end after 180 s, sticky codes 74, 79,
95, 109, 119 within 3 h count once; without 31 and 45), Xid 31 in 2 bursts within 24 hours, 5
remediations within 7 days; such a condition is cleared by hand. By the letter of the rule sets
a derived event only sets a condition of the node; NVIDIA/NVSentinel#1710 reports that it cordons:
both are modelled.

What it cannot say: which card is to sit out, anything of AMD, or that a card only makes jobs
fail. Its GPU monitor (DCGM) is modelled by "a card is listed and answers not".
"""

from __future__ import annotations

from collections import defaultdict

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import D, H, Machine, Place, S
from benchmarks.truth.systems.control_plane import PERSON_AFTER, Boots, Drains, Listed, lost
from benchmarks.truth.systems.xids import Xid, xids

NOT_FATAL = frozenset({8, 11, 13, 31, 32, 43, 45, 63, 66, 67, 68, 69, 92, 94, 106, 107, 154})
"""RESTART_APP, IGNORE, or told apart by the monitor."""
_STICKY = frozenset({74, 79, 95, 109, 119})


class NvSentinel:
    """Cordoned machines get no jobs and are rebooted."""

    wants_events = False

    def __init__(self, machines: tuple[Machine, ...], *, derived_cordons: bool) -> None:
        self.name = "nvsentinel-cordons" if derived_cordons else "nvsentinel"
        self._derived_cordons = derived_cordons
        self._fatal: set[int] = set()
        self._derived: dict[int, int] = {}
        self._xids: dict[Place, list[Xid]] = defaultdict(list)
        self._remedied: dict[int, list[int]] = defaultdict(list)
        self._boots, self._drains, self._listed = Boots(), Drains(), Listed()

    def decide(self, observed: Observed) -> Decision:
        """The machines that are not cordoned."""
        now = observed.at_us
        booted = self._boots.new(observed)
        missing = self._listed.missing(observed, booted)
        self._fatal -= booted
        for xid in xids(observed.lines):
            if xid.code not in NOT_FATAL:
                self._fatal.add(xid.place.node)
            self._note(xid, now)
        for node in [each for each, since in self._derived.items() if now - since >= PERSON_AFTER]:
            del self._derived[node]
        blocked = self._fatal | {node for node in observed.seen if lost(observed, node, missing)}
        if self._derived_cordons:
            blocked |= set(self._derived)
        reboot = self._drains.reboots(blocked, observed)
        for node in reboot:
            times = self._remedied[node]
            times.append(now)
            times[:] = [at for at in times if now - at <= 7 * D]
            if len(times) >= 5:
                self._derived.setdefault(node, now)
        return Decision(missing, frozenset(blocked), reboot)

    def _note(self, xid: Xid, now: int) -> None:
        past = self._xids[xid.place]
        past.append(xid)
        past[:] = [each for each in past if xid.at_us - each.at_us <= D]
        least = 2 if xid.code == 31 else 5
        if xid.code != 45 and _bursts(past, xid.code) >= least:
            self._derived.setdefault(xid.place.node, now)


def _bursts(past: list[Xid], code: int) -> int:
    """In how many bursts of a card's Xids a code stands."""
    bursts: list[set[int]] = []
    before = sticky_at = None
    for xid in past:
        if xid.code == 45 or (xid.code == 31) != (code == 31):
            continue
        near = before is not None and xid.at_us - before <= 180 * S
        sticks = xid.code in _STICKY and sticky_at is not None and xid.at_us - sticky_at <= 3 * H
        if bursts and (near or sticks):
            bursts[-1].add(xid.code)
        else:
            bursts.append({xid.code})
        before = xid.at_us
        if xid.code in _STICKY:
            sticky_at = xid.at_us
    return sum(code in burst for burst in bursts)
