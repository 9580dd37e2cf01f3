"""What one kernel message says about cards and their machine, in the ledger's words.

What is known stands in the catalogue (`collectors.vendors`,
`collectors.catalogue`); here is how it is applied. Two refusals matter more
than coverage: a card is named only where a line names it, and a line counts
only where its words stand where its driver puts them: in a text of another
program, or after another driver's prefix, they are a quotation.

Raise `PARSER_VERSION` with every change of the catalogue, so that `reclassify`
judges stored lines again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, get_args

import msgspec

from collectors.catalogue import (
    BUS_FAULTS,
    IOMMU_FAULTS,
    NODE_FAULTS,
    PORT_FAULTS,
    Classification,
    EventType,
    Fault,
)
from collectors.catalogue.entry import BDF
from collectors.vendors import VENDORS
from ledger.identifiers import normalize_pci

PARSER_VERSION = "2"
"""Raise it whenever a stored line may now be judged differently."""

KERNEL_TYPES: tuple[EventType, ...] = get_args(EventType)
"""Types of the events that kernel lines become."""

LONGEST = 4096
"""No kernel message is longer; keeps hostile text from costing time."""

_PREFIXES = "|".join(prefix for vendor in VENDORS for prefix in vendor.prefixes)
_HEAD = re.compile(rf"(?:(?P<driver>[\w.-]+) (?P<pci>{BDF}): )?(?:{_PREFIXES})*\s*")
"""Device and driver in front of the words; amdgpu prints its name twice before Linux 7.0."""

_SPLIT_HEADS = "|".join(head for vendor in VENDORS for head in vendor.split_heads)
SPLIT_HEAD = re.compile(rf"(?:{_SPLIT_HEADS})\s*\Z")
"""The beginning of a record whose words stand on the next line."""
_CONTINUES = re.compile(r"[ \t]|NVRM: (?:\(PCI ID|installed|fallen|fell|and is)")

_PORTS = frozenset({"pcieport", "pciehp"})
_ANYBODY = frozenset({"pci", "iommu"})
"""In front of a device's address, these speak of it; the device is no driver's."""


class _Rule(NamedTuple):
    fault: Fault
    pattern: re.Pattern[str]


def _rules(faults: Iterable[Fault]) -> tuple[_Rule, ...]:
    return tuple(_Rule(fault, re.compile(fault.pattern)) for fault in faults if fault.pattern)


_OF_DRIVER = {
    driver: _rules(
        fault
        for fault in (*vendor.faults, *BUS_FAULTS)
        if driver in vendor.drivers or fault.alone or fault in BUS_FAULTS
    )
    for vendor in VENDORS
    for driver in (*vendor.drivers, *vendor.older_drivers)
}
_OF_MARK = {mark: _rules(vendor.faults) for vendor in VENDORS for mark in vendor.marks}
_OF_PORTS = _rules((*PORT_FAULTS, *BUS_FAULTS))
_OF_NOBODY = _rules(
    (
        *(fault for vendor in VENDORS for fault in vendor.faults if fault.alone),
        *IOMMU_FAULTS,
        *NODE_FAULTS,
    )
)


def _words(faults: Iterable[Fault]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fault.word for fault in faults if fault.pattern))


_OF_VENDORS = tuple(fault for vendor in VENDORS for fault in vendor.faults)
WORDS = _words(
    (
        *(fault for fault in _OF_VENDORS if fault.alone),
        *(*PORT_FAULTS, *BUS_FAULTS, *IOMMU_FAULTS, *NODE_FAULTS),
    )
)
"""Literals that are rare by themselves: a line that holds one is worth taking apart."""
MARKS = tuple(dict.fromkeys(mark for vendor in VENDORS for mark in vendor.marks))
TROUBLE = re.compile(
    "|".join(map(re.escape, _words(fault for fault in _OF_VENDORS if not fault.alone)))
    + rf"|(?:{_SPLIT_HEADS})\s*$"
)
"""What makes a line worth taking apart that holds one of the `MARKS`: drivers talk a lot."""


def worth_reading(text: str) -> bool:
    """Whether a line may report something, by its words alone; every one that does, is."""
    if any(word in text for word in WORDS):
        return True
    return any(mark in text for mark in MARKS) and TROUBLE.search(text) is not None


def splits(text: str) -> bool:
    """Whether a message is only the beginning of a record."""
    return SPLIT_HEAD.match(text) is not None


def continues(text: str) -> bool:
    """Whether the message of a line of its own may go on with the one before it."""
    return _CONTINUES.match(text) is not None


def classify(text: str, bridges: Mapping[str, str] | None = None) -> Classification | None:
    """What ``text``, a kernel message without its stamp, reports; None for anything harmless.

    ``bridges`` maps the address of a PCI bridge to that of the only card behind
    it: lines of a PCI Express port carry the bridge's address, and without the
    map they name no card. Of a text of several lines the first is looked at,
    and the second where the first is only the beginning of a record.

    >>> found = classify("amdgpu 0000:22:00.0: SMU: No response msg_reg: 12 resp_reg: 0")
    >>> found.event_type, found.kind, found.pci
    ('smu_error', 'no_response', '0000:22:00.0')
    >>> classify("amdgpu 0000:22:00.0: amdgpu: SMU is resumed successfully!") is None
    True
    """
    text = one_line(text)
    head = _HEAD.match(text)
    assert head is not None  # every part of it is optional
    rules, address = _speaker(head, text)
    at = head.end()
    for rule in rules:
        if rule.fault.word not in text:
            continue
        match = rule.pattern.match(text, at)
        if match is None:
            continue
        found = _judge(rule.fault, match, address)
        return found if found is None else _placed(found, head, bridges or {})
    return None


def one_line(text: str) -> str:
    """The line of a message that is judged: where it was split in two, both, joined by a space."""
    first, _, rest = text.partition("\n")
    if rest and splits(first[:LONGEST]):
        first = " ".join([first.strip(), *(line.strip() for line in rest.split("\n")[:4])])
    return first[:LONGEST]


def _speaker(head: re.Match[str], text: str) -> tuple[tuple[_Rule, ...], str | None]:
    """The entries that may apply, and the address of the device that speaks."""
    driver, address = head["driver"], head["pci"]
    if driver in _OF_DRIVER:
        return _OF_DRIVER[driver], address
    if driver in _PORTS:
        return _OF_PORTS, address
    if driver is not None and driver not in _ANYBODY:
        return (), None  # another device's driver
    for mark, rules in _OF_MARK.items():
        if mark in head[0]:
            return rules, None
    return _OF_NOBODY, None


def _judge(fault: Fault, match: re.Match[str], address: str | None) -> Classification | None:
    groups = match.groupdict()
    named = groups.get("pci") or address
    found = Classification(
        event_type=fault.event,
        kind=fault.kind,
        pci=normalize_pci(named) if named else None,
        code=groups.get("code") or fault.code,
        message=groups.get("message"),
        action=fault.action,
    )
    return found if fault.judge is None else fault.judge(match, found)


def _placed(
    found: Classification, head: re.Match[str], bridges: Mapping[str, str]
) -> Classification:
    """A bridge's address is nobody's card: that of the only card behind it, where that is known."""
    if head["driver"] in _PORTS and not found.hearsay:
        port = normalize_pci(head["pci"])
        if found.pci != port:
            return msgspec.structs.replace(found, hearsay=True)
        return msgspec.structs.replace(found, pci=_behind(port, bridges))
    if found.hearsay and found.pci in bridges:
        return msgspec.structs.replace(found, pci=_behind(found.pci, bridges), hearsay=False)
    return found


def _behind(port: str | None, bridges: Mapping[str, str]) -> str | None:
    card = bridges.get(port or "")
    return normalize_pci(card) if card else None
