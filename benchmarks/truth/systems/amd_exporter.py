"""AMD's device-metrics-exporter (ROCm/device-metrics-exporter at 124bead7) with its device plugin.

``pkg/amdgpu/gpuagent/gpuagent_health.go``: a count of uncorrectable ECC errors over its threshold,
which is 0 by default, makes the card unhealthy, as a fatal CPER or a critical event does; the
counters begin anew with the driver. Where the agent gets no data all cards of the machine are
unhealthy. A card that is not listed is no device.

What it cannot say: anything of cards without ECC but that they are gone, that an error
repeats, that a card was reset or hung, anything of NVIDIA.
"""

from __future__ import annotations

import re

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import SLOTS, Machine, Place, pci
from benchmarks.truth.systems.control_plane import Boots
from benchmarks.truth.systems.simple import place_of

_ECC = re.compile(r"[1-9]\d* new uncorrectable hardware errors|ncorrectable hardware error\(")


class AmdExporter:
    """Unhealthy and unlisted cards sit out."""

    name = "amd-exporter"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._unhealthy: set[Place] = set()
        self._missing: set[Place] = set()
        self._boots = Boots()

    def decide(self, observed: Observed) -> Decision:
        """The devices that are healthy."""
        restarted = self._boots.new(observed)
        self._unhealthy = {place for place in self._unhealthy if place.node not in restarted}
        for line in observed.lines:
            place = place_of(line.node, line.text) if _ECC.search(line.text) else None
            if place is not None:
                self._unhealthy.add(place)
        for node, seen in observed.seen.items():
            if seen.states is None:
                continue
            for slot in range(SLOTS):
                place = Place(node, slot)
                # A spared card answers its agent as before: only our probe leaves it alone.
                if seen.states.get(pci(slot), "gone") in ("ok", "unknown"):
                    self._missing.discard(place)
                else:
                    self._missing.add(place)
        return Decision(frozenset(self._unhealthy | self._missing))
