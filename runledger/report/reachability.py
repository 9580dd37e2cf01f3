"""Whether a node answered, over time: only what was seen, never what is hoped.

Between two probes that agree the node was as both say, unless they lie more
than a day apart; between two that do not, nobody knows when it changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.times import SECOND_US

_TOO_FAR_US = 86_400 * SECOND_US

_WORST = ("up", "between", "down")


@dataclass(slots=True)
class Stretch:
    """A time during which a node was ``up``, ``down``, or ``between`` the two."""

    start_us: int
    end_us: int
    state: str


@dataclass(slots=True)
class NodeTrack:
    """One node's stretches; those shorter than ``pixel_us`` are merged into their neighbour."""

    name: str
    pixel_us: int
    stretches: list[Stretch] = field(default_factory=list)
    up: bool | None = None
    seen_us: int = 0
    boot: str | None = None
    probes: int = 0
    lost: int = 0

    def probed(self, time_us: int, reachable: bool, boot: str | None) -> bool:
        """Take a probe; returns whether it shows a new boot."""
        self.probes += 1
        if self.up is not None:
            self._extend(time_us, reachable)
        else:
            self.stretches.append(Stretch(time_us, time_us, "up" if reachable else "down"))
        if not reachable and self.up is not False:
            self.lost += 1
        rebooted = boot is not None and self.boot is not None and boot != self.boot
        self.up, self.seen_us, self.boot = reachable, time_us, boot or self.boot
        return rebooted

    def _extend(self, time_us: int, reachable: bool) -> None:
        same = reachable == self.up
        state = ("up" if reachable else "down") if same else "between"
        if time_us - self.seen_us > _TOO_FAR_US:
            self.stretches.append(Stretch(time_us, time_us, "up" if reachable else "down"))
            return
        last = self.stretches[-1]
        if last.state == state:
            last.end_us = time_us
        elif time_us - last.start_us < self.pixel_us:
            last.end_us = time_us
            last.state = max(last.state, state, key=_WORST.index)
        else:
            self.stretches.append(Stretch(self.seen_us, time_us, state))
        if not same:
            self.stretches.append(Stretch(time_us, time_us, "up" if reachable else "down"))
