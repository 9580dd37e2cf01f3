"""LBNL's Node Health Check (mej/nhc at 22ea0149) with the check for NVIDIA cards that it ships.

``scripts/csc_nvidia_smi.nhc``, `check_nvsmi_healthmon`: every run asks nvidia-smi; exit status 0 keeps
the machine online, anything else drains it; ``helpers/node-mark-online`` resumes it as soon as
a run passes. The number of cards is compared only where one was configured.

What it cannot say: anything of what was before this run, which card it is, anything of AMD, or
that a card only makes jobs fail. A drained machine is rebooted as the others' are.
"""

from __future__ import annotations

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import SLOTS, Machine, pci
from benchmarks.truth.systems.control_plane import Drains


class Nhc:
    """Machines on which nvidia-smi fails get no jobs."""

    name = "nhc"
    wants_events = False

    def __init__(self, machines: tuple[Machine, ...]) -> None:
        self._drains = Drains()

    def decide(self, observed: Observed) -> Decision:
        """What this run says."""
        blocked = set()
        for node, seen in observed.seen.items():
            states = seen.states
            if states is None or any(
                states.get(pci(slot)) == "unresponsive" for slot in range(SLOTS)
            ):
                blocked.add(node)
        return Decision(blocked=frozenset(blocked), reboot=self._drains.reboots(blocked, observed))
