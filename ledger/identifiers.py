"""Names for machines, cards and events, brought into one spelling."""

from __future__ import annotations

import re

import uuid_utils

_PCI = re.compile(
    r"(?:(?:0000)?([0-9a-f]{4}):)?([0-9a-f]{2}):([0-9a-f]{2})(?:\.([0-7]))?\Z", re.IGNORECASE
)


def new_event_id() -> str:
    """A fresh UUIDv7: unique, and roughly in order of creation."""
    return str(uuid_utils.uuid7())


def normalize_pci(text: str) -> str | None:
    """``dddd:bb:dd.f`` in lower case, or None where ``text`` is no PCI address.

    >>> normalize_pci("0F:00.0"), normalize_pci("00000000:01:00.0"), normalize_pci("0000:01:00")
    ('0000:0f:00.0', '0000:01:00.0', '0000:01:00.0')
    """
    match = _PCI.match(text)
    if match is None:
        return None
    domain, bus, device, function = match.groups()
    return f"{domain or '0000'}:{bus}:{device}.{function or '0'}".lower()


def normalize_subject(text: str) -> str:
    """A subject with the PCI address of a card completed; others as they are."""
    parts = text.split("/")
    if len(parts) == 3 and parts[0] == "gpu":
        parts[2] = normalize_pci(parts[2]) or parts[2]
    return "/".join(parts)


def subject_problem(text: str) -> str | None:
    """What keeps a subject from being one that decisions are about; None if nothing does."""
    kind, slash, rest = text.partition("/")
    if text == "fleet" or (kind in ("node", "run", "study", "step") and rest):
        return None
    node, _, pci = rest.partition("/")
    if kind == "gpu" and node and normalize_pci(pci) is not None:
        return None
    if kind == "gpu" and slash:
        return "a card is gpu/NODE/PCI, for example gpu/rig-6600/0000:22:00.0"
    return "a subject is node/NAME, gpu/NODE/PCI, run/ID, study/NAME, step/STEP or fleet"


def gpu_subject(node: str, pci: str) -> str:
    """``gpu/NODE/PCI``."""
    return f"gpu/{node}/{pci}"


def node_subject(node: str) -> str:
    """``node/NAME``."""
    return f"node/{node}"
