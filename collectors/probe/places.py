"""Which PCI bridge leads to which card: lines of a PCI Express port carry the bridge's address."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ledger.identifiers import normalize_pci


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


def _device(pci: str) -> str:
    return pci.rpartition(".")[0]
