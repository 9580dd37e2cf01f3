"""Which PCI bridge leads to which card: lines of a PCI Express port carry the bridge's address."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ledger.identifiers import normalize_pci

_ROOT = re.compile(r"pci([0-9a-f]{4}):([0-9a-f]{2})\Z")


def bridges_to_cards(lines: Iterable[str], cards: Collection[str]) -> dict[str, str]:
    """The card behind each bridge that leads to one card and to nothing else.

    ``lines`` are the script's: ``place`` and the path of a device that is no
    bridge, in the tree of the buses. The functions of one device (a card's
    sound) count as one.

    >>> way = "pci0000:00/0000:00:01.1/0000:01:00.0"
    >>> bridges_to_cards([f"place {way}/0000:03:00.0", f"place {way}/0000:03:00.1"],
    ...                  {"0000:03:00.0"})
    {'0000:00:01.1': '0000:03:00.0', '0000:01:00.0': '0000:03:00.0'}
    """
    by_device = {_device(pci): pci for pci in cards}
    behind: dict[str, set[str]] = {}
    for line in lines:
        kind, _, path = line.partition(" ")
        if kind == "place":
            way = [pci for part in path.split("/") if (pci := normalize_pci(part))]
            for bridge in way[:-1]:
                behind.setdefault(bridge, set()).add(_device(way[-1]))
    found = {}
    for bridge, devices in behind.items():
        card = by_device.get(next(iter(devices))) if len(devices) == 1 else None
        if card is not None:
            found[bridge] = card
    return found


def places_of(lines: Iterable[str]) -> dict[str, str]:
    """Each device's way from the root, by device and function.

    Without bus numbers, which are given out anew when a card is missing, so that
    the same slot keeps its name. A root but the first is told apart by its own
    number, which is the firmware's.

    >>> places_of(["place pci0000:00/0000:00:01.1/0000:01:00.0/0000:03:00.0"])
    {'0000:03:00.0': '0000/01.1/00.0/00.0'}
    """
    found = {}
    for line in lines:
        kind, _, path = line.partition(" ")
        root, *parts = path.split("/")
        way = [pci for part in parts if (pci := normalize_pci(part))]
        match = _ROOT.match(root)
        if kind == "place" and match is not None and way and len(way) == len(parts):
            domain = match[1] if match[2] == "00" else match[0][3:]
            found[way[-1]] = "/".join([domain, *(pci[8:] for pci in way)])
    return found


def _device(pci: str) -> str:
    return pci.rpartition(".")[0]
