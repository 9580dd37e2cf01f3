"""NVIDIA's device plugin for Kubernetes (NVIDIA/k8s-device-plugin at 02597b97) as it is shipped.

``internal/rm/health.go``: an Xid event makes its card unhealthy, unless it is one of 13, 31, 43,
45, 68, 109. Where waiting for events fails, as NVML says it does once a card is lost
(``nvmlEventSetWait``: ERROR_GPU_IS_LOST), all cards of the machine are. They stay so until the
plugin starts anew (``ListAndWatch`` never sends a device back to health). A card that NVML does
not list as the plugin starts is no device.

What it cannot say: that a machine is bad, that an error repeats, anything of AMD, or that a
card only makes jobs fail. A plugin starts anew with its machine, or after a day, when a person
restarts it.
"""

from __future__ import annotations

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import SLOTS, Machine, Place
from benchmarks.truth.systems.control_plane import PERSON_AFTER, Boots, Listed, lost
from benchmarks.truth.systems.xids import xids

IGNORED = frozenset({13, 31, 43, 45, 68, 109})


class DevicePlugin:
    """Unhealthy and unlisted cards sit out."""

    name = "device-plugin"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._unhealthy: dict[Place, int] = {}
        self._boots, self._listed = Boots(), Listed()

    def decide(self, observed: Observed) -> Decision:
        """The devices that are healthy."""
        now = observed.at_us
        restarted = self._boots.new(observed)
        for place, since in list(self._unhealthy.items()):
            if place.node in restarted or now - since >= PERSON_AFTER:
                del self._unhealthy[place]
        for xid in xids(observed.lines):
            if xid.code not in IGNORED:
                self._unhealthy.setdefault(xid.place, xid.at_us)
        missing = self._listed.missing(observed, restarted)
        for node in observed.seen:
            if lost(observed, node, missing):
                for slot in range(SLOTS):
                    self._unhealthy.setdefault(Place(node, slot), now)
        return Decision(frozenset(self._unhealthy) | missing)
