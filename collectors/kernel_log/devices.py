"""Who is a card: devices that others name in the log, told by the drivers that speak for them.

A port names the device that sent an error, an IOMMU the one that hangs, the
firmware a port: none says whether that is a card. The drivers of one log do,
by the prefix of their lines, and a probe knows its cards.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from collectors.catalogue import Classification
from collectors.catalogue.entry import BDF
from collectors.vendors import VENDORS
from ledger.identifiers import normalize_pci

_SPEAKER = re.compile(rf"(?P<driver>[\w.-]+) (?P<pci>{BDF}): ")
_SENDER = re.compile(rf"received(?: from |: )(?P<pci>{BDF})")
_CARD_DRIVERS = frozenset(driver for vendor in VENDORS for driver in vendor.drivers)
_RECORD = re.compile(r"\{(\d+)\}\[Hardware Error\]: +(?:event severity: (\w+)|device_id: )")
_MAX_RECORDS = 64


class Devices:
    """What one log tells of its devices, line by line; ``cards`` are those known from elsewhere."""

    def __init__(self, cards: Collection[str] | None = None) -> None:
        self._cards = None if cards is None else frozenset(cards)
        self._no_cards: set[str] = set()
        self._sent_by: dict[str, str] = {}
        self._severities: dict[str, str] = {}

    def hear(self, text: str) -> None:
        """Note who speaks in ``text``, a message, and of whom."""
        speaker = _SPEAKER.match(text)
        if speaker is None:
            return
        pci = normalize_pci(speaker["pci"])
        if pci is None or speaker["driver"] in _CARD_DRIVERS:
            return
        self._no_cards.add(pci)
        sender = _SENDER.search(text)
        if sender is not None and (source := normalize_pci(sender["pci"])):
            self._sent_by[pci] = source

    def weigh(self, text: str, found: Classification | None) -> Classification | None:
        """``found`` with the severity that an earlier line of the firmware's record told."""
        record = _RECORD.match(text)
        if record is None:
            return found
        if record[2]:
            if len(self._severities) >= _MAX_RECORDS:
                self._severities.clear()
            self._severities[record[1]] = record[2]
            return found
        severity = self._severities.get(record[1])
        if found is None or severity is None:
            return found
        if severity == "corrected":
            return msgspec.structs.replace(found, kind="pcie_corrected", code="correctable")
        code = "fatal" if severity == "fatal" else "nonfatal"
        return msgspec.structs.replace(found, kind="pcie_uncorrected", code=code)

    def card(self, pci: str) -> str | None:
        """The card that is meant by an address which another device named; None where it is none.

        To be asked at the end of the log, when all who speak have spoken.
        """
        meant = self._sent_by.get(pci, pci)
        if self._cards is not None:
            return meant if meant in self._cards else None
        return None if meant in self._no_cards else meant
