"""Which compute processes hold memory on which card, as the kernel's KFD tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """A process with ``bytes`` on the card at ``pci``; not ``alive``: a zombie, or gone."""

    pid: int
    pci: str
    bytes: int
    alive: bool


def read_owners(lines: Iterable[str]) -> tuple[Owner, ...]:
    """The owners from the script's `kfd` and `kfdnode` lines.

    A KFD entry without memory on a card is not use, and left out.

    >>> read_owners(["kfd 812 S 4711 1048576", "kfd 812 S 4712 0", "kfdnode 4711 0 8704"])
    (Owner(pid=812, pci='0000:22:00.0', bytes=1048576, alive=True),)
    """
    holdings: dict[tuple[int, int], tuple[int, bool]] = {}
    places: dict[int, str] = {}
    for line in lines:
        words = line.split(" ")
        if words[0] == "kfdnode" and len(words) == 4:
            gpu, domain, location = (_count(word) for word in words[1:])
            if gpu is not None and domain is not None and location is not None:
                places[gpu] = _pci(domain, location)
        elif words[0] == "kfd" and len(words) == 5:
            pid, gpu, size = _count(words[1]), _count(words[3]), _count(words[4])
            if pid is not None and gpu is not None and size:
                holdings[pid, gpu] = size, words[2] not in {"gone", "Z", "X"}
    return tuple(
        Owner(pid, places[gpu], size, alive)
        for (pid, gpu), (size, alive) in sorted(holdings.items())
        if gpu in places
    )


def _count(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() and len(word) < 19 else None


def _pci(domain: int, location: int) -> str:
    """A KFD location is bus, device and function in one number, as in PCI's own addresses."""
    return (
        f"{domain & 0xFFFF:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 31:02x}.{location & 7}"
    )
