"""The vendors of cards that are known. To add one: a file beside this one, and its line here."""

from __future__ import annotations

from collections.abc import Iterator

from collectors.vendors.amd import AMD
from collectors.vendors.nvidia import NVIDIA
from collectors.vendors.vendor import Tool, Vendor

VENDORS: tuple[Vendor, ...] = (AMD, NVIDIA)

__all__ = ["VENDORS", "Tool", "Vendor", "script_lines", "vendor_of"]


def vendor_of(pci_id: str) -> str:
    """The vendor's name for ``1002:73ff``; the digits themselves where they are of none known."""
    digits = pci_id[:4].lower()
    return next((vendor.name for vendor in VENDORS if vendor.pci_id == digits), digits)


def script_lines() -> Iterator[tuple[str, str]]:
    """What the shell scripts know of vendors, as data lines for `collectors.script.compose`.

    ``vendor NAME PCI_ID SYSFS DRIVER…`` and, for each command of a tool in
    order, ``tool NAME RANK TITLE COMMAND…``; commands of one rank run in turn
    while they succeed, the next rank only where none of this one did.
    """
    for vendor in VENDORS:
        sysfs = "sysfs" if vendor.sysfs else "tools"
        yield "vendor", " ".join((vendor.name, vendor.pci_id, sysfs, *vendor.drivers))
        for rank, tool in enumerate(vendor.tools):
            for title, command in tool.commands:
                yield "tool", f"{vendor.name} {rank} {title} {command}"
