"""The whole catalogue of faults, to be looked up by code, name or kind."""

from __future__ import annotations

from typing import NamedTuple

from collectors.catalogue import MACHINE_FAULTS, Fault
from collectors.vendors import VENDORS

MACHINE = "machine"


class Known(NamedTuple):
    """A fault and where it is told: a vendor's name, or ``machine`` for the bus and the node."""

    told_by: str
    fault: Fault


def known_faults() -> tuple[Known, ...]:
    """Every entry: vendors first, in the order in which lines are held against them."""
    of_vendors = [Known(vendor.name, fault) for vendor in VENDORS for fault in vendor.faults]
    return (*of_vendors, *(Known(MACHINE, fault) for fault in MACHINE_FAULTS))


def find_faults(asked: str) -> tuple[Known, ...]:
    """Entries whose code is ``asked``, else whose name, else whose kind; none where none is known.

    >>> [(known.told_by, known.fault.kind) for known in find_faults("Xid 79")]
    [('nvidia', 'device_lost')]
    """
    wanted = asked.strip().lower().removeprefix("xid").strip(" :,")
    everything = known_faults()
    for attribute in ("code", "name", "kind"):
        found = [
            known
            for known in everything
            if (getattr(known.fault, attribute) or "").lower() == wanted
        ]
        if found:
            return tuple(found)
    return ()
