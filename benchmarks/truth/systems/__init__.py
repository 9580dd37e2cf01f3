"""The systems under test, one a file: what each is modelled from, and what it cannot say."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.truth.judging import System
from benchmarks.truth.layout import DIALECTS, Dialect, Machine
from benchmarks.truth.systems.amd_exporter import AmdExporter
from benchmarks.truth.systems.device_plugin import DevicePlugin
from benchmarks.truth.systems.gpud import Gpud
from benchmarks.truth.systems.nhc import Nhc
from benchmarks.truth.systems.node_problem_detector import NodeProblemDetector
from benchmarks.truth.systems.nvsentinel import NvSentinel
from benchmarks.truth.systems.simple import Nothing, OneStrike, Oracle

Maker = Callable[[tuple[Machine, ...]], System]

PEERS: dict[str, tuple[Maker, tuple[Dialect, ...]]] = {
    "gpud": (Gpud, ("nvidia",)),
    "nvsentinel": (lambda machines: NvSentinel(machines, derived_cordons=False), ("nvidia",)),
    "nvsentinel-cordons": (
        lambda machines: NvSentinel(machines, derived_cordons=True),
        ("nvidia",),
    ),
    "device-plugin": (DevicePlugin, ("nvidia",)),
    "nhc": (Nhc, ("nvidia",)),
    "node-problem-detector": (NodeProblemDetector, DIALECTS),
    "amd-exporter": (AmdExporter, ("amd",)),
}
"""What others ship, with the dialects that each knows."""

SIMPLE: dict[str, Maker] = {"nothing": Nothing, "oracle": Oracle, "one-strike": OneStrike}
NAMES = ("runledger", *SIMPLE, *PEERS)


def make(name: str, machines: tuple[Machine, ...], settings: list[str]) -> System:
    """The system of a name; ``settings`` are of runledger's policy, and only it reads them."""
    if name == "runledger":
        # Only here, so that worlds and peers are measured without any rule being imported.
        from benchmarks.truth.systems.runledger import Runledger

        return Runledger(machines, settings)
    return SIMPLE[name](machines) if name in SIMPLE else PEERS[name][0](machines)


def speaks(name: str, dialect: Dialect) -> bool:
    """Whether a system knows cards of this dialect."""
    return name not in PEERS or dialect in PEERS[name][1]
