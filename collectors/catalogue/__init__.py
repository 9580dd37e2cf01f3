"""What logs say of faults, as data: one table a vendor, and those of the bus and the machine."""

from __future__ import annotations

from collectors.catalogue.entry import Action, Classification, EventType, Fault, Whose
from collectors.catalogue.node import NODE_FAULTS
from collectors.catalogue.pcie import BUS_FAULTS, IOMMU_FAULTS, PORT_FAULTS

MACHINE_FAULTS = (*PORT_FAULTS, *BUS_FAULTS, *IOMMU_FAULTS, *NODE_FAULTS)

__all__ = [
    "BUS_FAULTS",
    "IOMMU_FAULTS",
    "MACHINE_FAULTS",
    "NODE_FAULTS",
    "PORT_FAULTS",
    "Action",
    "Classification",
    "EventType",
    "Fault",
    "Whose",
]
