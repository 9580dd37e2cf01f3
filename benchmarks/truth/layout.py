"""The machines of a world: where each card sits, behind which ports, under which kernel."""

from __future__ import annotations

import hashlib
import random
from typing import Literal, NamedTuple

Dialect = Literal["amd", "nvidia"]
DIALECTS: tuple[Dialect, ...] = ("amd", "nvidia")
SLOTS = 8
NODES_IN_ROOM = 6

S = 1_000_000
H = 3600 * S
D = 24 * H
START = 1_767_225_600 * S
"""2026-01-01T00:00:00Z."""
TICK = 6 * H
"""Time between two looks, and between two times at which jobs are placed."""


class Place(NamedTuple):
    """A slot of a machine; a card sits in it."""

    node: int
    slot: int


class Generation(NamedTuple):
    """A kind of card with the kernel or driver that speaks for it."""

    name: str
    model: str
    device: str
    kernel: str
    has_uid: bool
    has_ecc: bool


GENERATIONS: dict[Dialect, tuple[Generation, ...]] = {
    "amd": (
        Generation("navi23-5.15", "RX 6600", "1002:73ff", "5.15", False, False),
        Generation("navi23-6.8", "RX 6600", "1002:73ff", "6.8", False, False),
        Generation("mi210-6.11", "MI210", "1002:740f", "6.11", True, True),
        Generation("navi10-5.4", "RX 5600", "1002:731f", "5.4", False, False),
        Generation("navi31-7.0", "RX 7900", "1002:744c", "7.0", False, False),
    ),
    "nvidia": (
        Generation("ga102-535", "RTX 3080 Ti", "10de:2208", "535", True, False),
        Generation("a100-535", "A100-SXM4-40GB", "10de:20b0", "535", True, True),
        Generation("h100-570", "H100 80GB HBM3", "10de:2330", "570", True, True),
    ),
}
_SHARES: dict[Dialect, tuple[int, ...]] = {"amd": (3, 4, 3, 1, 1), "nvidia": (4, 4, 4)}
LogSource = Literal["journal", "kmsg", "dmesg"]


class Machine(NamedTuple):
    """One node of the fleet."""

    number: int
    name: str
    generation: Generation
    log: LogSource

    @property
    def room(self) -> int:
        """The room that it stands in."""
        return self.number // NODES_IN_ROOM


def machines(dialect: Dialect, nodes: int) -> tuple[Machine, ...]:
    """The fleet: the same for every seed."""
    rng = random.Random(f"layout/{dialect}/{nodes}")
    order = [
        generation
        for generation, share in zip(GENERATIONS[dialect], _SHARES[dialect], strict=True)
        for _ in range(share)
    ]
    logs: tuple[LogSource, ...] = ("journal", "journal", "kmsg", "journal", "dmesg")
    return tuple(
        Machine(number, f"n{number + 1:02d}", order[number % len(order)], rng.choice(logs))
        for number in range(nodes)
    )


def pci(slot: int) -> str:
    """The address of the card in a slot; the same on every machine."""
    return f"0000:{3 + 3 * slot:02x}:00.0"


def port(slot: int) -> str:
    """The address of the port that leads to a slot and to nothing else."""
    return f"0000:{0x40 if slot < 4 else 0x80:02x}:{1 + slot % 4:02x}.0"


def path(slot: int) -> str:
    """The way through the tree of the buses; four slots share a switch."""
    root = "40" if slot < 4 else "80"
    return f"pci0000:{root}/0000:{root}:00.0/{port(slot)}/{pci(slot)}"


def uid(machine: Machine, card: int) -> str | None:
    """What a card calls itself, where it does."""
    if not machine.generation.has_uid:
        return None
    digits = hashlib.sha256(f"card {card}".encode()).hexdigest()
    if machine.generation.device.startswith("10de"):
        return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
    return f"0x{digits[:16]}"


def boot_id(node: int, boot: int) -> str:
    """The id of a boot, in the kernel's form."""
    digits = hashlib.sha256(f"boot {node} {boot}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
