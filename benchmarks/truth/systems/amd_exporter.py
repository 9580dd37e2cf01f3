"""AMD's device-metrics-exporter (ROCm/device-metrics-exporter at 124bead7) with its device plugin.

``pkg/amdgpu/gpuagent/gpuagent_health.go``: a count of uncorrectable ECC errors over its threshold,
which is 0 by default, makes the card unhealthy, as a fatal CPER or a critical event does; the
counters begin anew with the driver. A card that is not listed as the plugin starts is no device.

What it cannot say: anything of cards without ECC but that they are gone, that an error
repeats, that a card was reset or hung, anything of NVIDIA. Not modelled: all cards of a machine
are unhealthy while the agent gets no data at all, as when its library hangs on one of them.
"""

from __future__ import annotations

import re

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import Machine, Place
from benchmarks.truth.systems.control_plane import Boots, Listed
from benchmarks.truth.systems.simple import place_of

_ECC = re.compile(r"[1-9]\d* new uncorrectable hardware errors|ncorrectable hardware error\(")


class AmdExporter:
    """Unhealthy and unlisted cards sit out."""

    name = "amd-exporter"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._unhealthy: set[Place] = set()
        self._boots, self._listed = Boots(), Listed()

    def decide(self, observed: Observed) -> Decision:
        """The devices that are healthy."""
        restarted = self._boots.new(observed)
        self._unhealthy = {place for place in self._unhealthy if place.node not in restarted}
        for line in observed.lines:
            place = place_of(line.node, line.text) if _ECC.search(line.text) else None
            if place is not None:
                self._unhealthy.add(place)
        missing = self._listed.missing(observed, restarted)
        return Decision(frozenset(self._unhealthy) | missing)
