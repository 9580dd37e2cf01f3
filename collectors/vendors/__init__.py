"""The vendors of cards that are known. To add one: a file beside this one, and its line here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from collectors.vendors.amd import AMD
from collectors.vendors.nvidia import NVIDIA
from collectors.vendors.vendor import Tool, Vendor

VENDORS: tuple[Vendor, ...] = (AMD, NVIDIA)

__all__ = [
    "VENDORS",
    "Tool",
    "Vendor",
    "tool_lines",
    "trouble_words",
    "vendor_lines",
    "vendor_of",
]

_SPECIAL = re.compile(r"[][.^$*+?(){}|\\]")


def vendor_of(pci_id: str) -> Vendor | None:
    """The vendor of ``1002:73ff``, or of a vendor id alone; None where it is none known."""
    digits = pci_id[:4].lower()
    return next((vendor for vendor in VENDORS if vendor.pci_id == digits), None)


def vendor_lines() -> Iterator[tuple[str, str]]:
    """The shell scripts' data lines ``vendor NAME:PCI_ID:sysfs|tools:DRIVER,…``.

    One for each spelling of the id: some files of sysfs have it in capitals.
    """
    for vendor in VENDORS:
        answers = "sysfs" if vendor.sysfs else "tools"
        for digits in dict.fromkeys((vendor.pci_id, vendor.pci_id.upper())):
            yield "vendor", f"{vendor.name}:{digits}:{answers}:{','.join(vendor.drivers)}"


def tool_lines() -> Iterator[tuple[str, str]]:
    """The shell scripts' data lines ``tool NAME RANK TITLE COMMAND…``, in the order of asking.

    Commands of one rank run in turn while they succeed, the next rank only
    where this one told of no card.
    """
    for vendor in VENDORS:
        for rank, tool in enumerate(vendor.tools):
            for title, command in tool.commands:
                yield "tool", f"{vendor.name} {rank} {title} {command}"


def trouble_words() -> str:
    """An extended regular expression of the words by which a card's controller fails.

    A card of which a line says so is not asked again: see `Fault.event`.
    """
    found = dict.fromkeys(
        fault.word
        for vendor in VENDORS
        for fault in vendor.faults
        if vendor.sysfs and (fault.event == "smu_error" or fault.kind == "device_lost")
    )
    return "|".join(_SPECIAL.sub(lambda match: f"\\{match[0]}", word) for word in found)
