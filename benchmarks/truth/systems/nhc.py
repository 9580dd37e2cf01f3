"""LBNL's Node Health Check (mej/nhc at 22ea0149) with the check for NVIDIA cards that it ships.

``scripts/csc_nvidia_smi.nhc``, `check_nvsmi_healthmon`: every run asks nvidia-smi; status 0 keeps
the machine online, anything else drains it; ``helpers/node-mark-online`` resumes it as soon as
a run passes. The number of cards is compared only where one was configured.

What it cannot say: anything of what was before this run, which card it is, anything of AMD, or
that a card only makes jobs fail. A drained machine is rebooted as the others' are.
"""

from __future__ import annotations

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import Machine
from benchmarks.truth.systems.control_plane import Boots, Drains, Listed, lost


class Nhc:
    """Machines on which nvidia-smi fails get no jobs."""

    name = "nhc"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._boots, self._drains, self._listed = Boots(), Drains(), Listed()

    def decide(self, observed: Observed) -> Decision:
        """What this run says."""
        missing = self._listed.missing(observed, self._boots.new(observed))
        blocked = {
            node
            for node, seen in observed.seen.items()
            if seen.states is None or lost(observed, node, missing)
        }
        reboot = self._drains.reboots(blocked, observed)
        return Decision(missing, frozenset(blocked), reboot)
