"""NVIDIA's device plugin for Kubernetes (NVIDIA/k8s-device-plugin at 02597b97) as it is shipped.

``internal/rm/health.go``: an Xid event makes its card unhealthy, unless it is one of 13, 31, 43, 45,
68, 109; it stays so until the plugin starts anew (``ListAndWatch`` never sends a device back
to health). A card that NVML does not list is no device.

What it cannot say: that a machine is bad, that an error repeats, anything of AMD, or that a
card only makes jobs fail. A plugin starts anew with its machine, or after a day, when a person
restarts it.
"""

from __future__ import annotations

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import SLOTS, Machine, Place, pci
from benchmarks.truth.systems.control_plane import PERSON_AFTER, Boots
from benchmarks.truth.systems.xids import xids

IGNORED = frozenset({13, 31, 43, 45, 68, 109})


class DevicePlugin:
    """Unhealthy and unlisted cards sit out."""

    name = "device-plugin"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._unhealthy: dict[Place, int] = {}
        self._missing: set[Place] = set()
        self._boots = Boots()

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
        for node, seen in observed.seen.items():
            if seen.states is None:
                continue
            for slot in range(SLOTS):
                place = Place(node, slot)
                if seen.states.get(pci(slot), "gone") == "ok":
                    self._missing.discard(place)
                else:
                    self._missing.add(place)
        return Decision(frozenset(self._unhealthy) | frozenset(self._missing))
