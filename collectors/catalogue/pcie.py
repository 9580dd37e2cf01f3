"""PCI Express, as its ports and its devices report it, and IOMMUs that wait for a device.

A port's line carries the port's own address. Where it names the device that
sent the error, that is the source; whether it is a card is for others to know.
"""

from __future__ import annotations

import re

import msgspec

from collectors.catalogue.entry import BDF, Classification, Fault
from ledger.identifiers import normalize_pci

_AER = "Linux drivers/pci/pcie/aer.c"
_SEVERITY = (
    r"(?P<code>Correct(?:ed|able)|Uncorrect(?:ed|able)(?: ?\((?:Non-?)?Fatal\))?|(?:Non-?)?Fatal)"
)


def _aer(match: re.Match[str], found: Classification) -> Classification:
    """The class as sysfs names it: ``correctable``, ``nonfatal``, ``fatal``."""
    if found.code is None:
        return msgspec.structs.replace(found, kind="pcie_error")
    said = found.code.lower().replace("-", "")
    name = next((word for word in ("nonfatal", "fatal") if word in said), "nonfatal")
    code = "correctable" if said.startswith("correct") else name
    kind = "pcie_corrected" if code == "correctable" else "pcie_uncorrected"
    sender = match.groupdict().get("id")
    if sender:
        found = msgspec.structs.replace(found, pci=_requester(sender), hearsay=True)
    return msgspec.structs.replace(found, kind=kind, code=code)


def _heard(match: re.Match[str], found: Classification) -> Classification:
    return msgspec.structs.replace(found, hearsay=True)


def _by_requester(match: re.Match[str], found: Classification) -> Classification:
    return msgspec.structs.replace(found, pci=_requester(match["id"]), hearsay=True)


def _requester(digits: str) -> str | None:
    """The address in a requester id: bus, device and function in 16 bits.

    >>> _requester("2d08")
    '0000:2d:01.0'
    """
    number = int(digits, 16)
    return normalize_pci(f"{number >> 8 & 255:02x}:{number >> 3 & 31:02x}.{number & 7}")


PORT_FAULTS = (
    Fault(
        name="pcie-received", kind="pcie_uncorrected", whose="link", word="AER: ",
        pattern=rf"AER: (?:Multiple )?{_SEVERITY} error (?:message )?received"
        rf"(?: from |: )(?:(?P<pci>{BDF})|id=(?P<id>[0-9a-fA-F]{{4}}))?",
        judge=_aer,
        meaning="A port received an error message of a device behind it, which it names.",
        sample="pcieport 0000:20:03.1: AER: Uncorrectable (Fatal) error message received from "
        "0000:2d:00.0",
        source=_AER,
    ),
    Fault(
        name="pcie-containment", kind="pcie_error", whose="link", word="containment event",
        pattern=r"DPC: containment event",
        meaning="A port cut off what is behind it after an error that could not be corrected.",
        sample="pcieport 0000:00:01.4: DPC: containment event, status:0x1f01 source:0x0000",
        source="Linux drivers/pci/pcie/dpc.c",
    ),
    Fault(
        name="pcie-slot", kind="pcie_error", whose="link", word="Slot(",
        pattern=r"pciehp: Slot\(\S+\): (?:Link Down|Card not present)",
        meaning="The link to a slot went down, or the slot looks empty.",
        sample="pcieport 0000:00:01.1: pciehp: Slot(0): Link Down",
        source="Linux drivers/pci/hotplug/pciehp_ctrl.c",
    ),
    Fault(
        name="pcie-recovery", kind="pcie_error", whose="link", word="device recovery failed",
        pattern=r"(?:AER|DPC): device recovery failed",
        meaning="What is behind a port could not be brought back after an error.",
        sample="pcieport 0000:00:01.1: AER: device recovery failed",
        source="Linux drivers/pci/pcie/err.c",
    ),
)  # fmt: skip
"""What only ports say."""

BUS_FAULTS = (
    Fault(
        name="pcie-bus", kind="pcie_uncorrected", whose="link", word="PCIe Bus Error",
        pattern=rf"(?:(?:AER|DPC): )?PCIe Bus Error: (?:severity=(?P<severity>{_SEVERITY}))?",
        judge=_aer,
        meaning="A device, or the port it hangs on, found an error on the bus; one that was "
        "corrected costs time only, many of them speak of a riser or a slot.",
        sample="amdgpu 0000:2d:00.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Data",
        source=_AER,
    ),
)  # fmt: skip
"""What ports and cards say alike."""

IOMMU_FAULTS = (
    Fault(
        name="iommu-invalidation", kind="iommu", whose="card", word="INV_TIMEOUT",
        pattern=rf".*?Event logged \[IOTLB_INV_TIMEOUT device=(?P<pci>{BDF})", judge=_heard,
        meaning="A device did not answer when the IOMMU told it to forget addresses: it hangs.",
        sample="iommu ivhd0: AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=05:00.0 "
        "address=0x5f38cdcf0]",
        source="Linux drivers/iommu/amd/iommu.c",
    ),
    Fault(
        name="iommu-invalidation-intel", kind="iommu", whose="card", word="Invalidation Time-out",
        pattern=r"DMAR: .*?Invalidation Time-out Error: SID (?P<id>[0-9a-fA-F]{1,4})",
        judge=_by_requester,
        meaning="A device did not answer when the IOMMU told it to forget addresses: it hangs.",
        sample="DMAR: VT-d detected Invalidation Time-out Error: SID 500",
        source="Linux drivers/iommu/intel/dmar.c",
    ),
    Fault(
        name="iommu-wait", event="node_fault", kind="iommu", whose="node",
        word="Completion-Wait loop timed out",
        pattern=r"(?:iommu \w+: )?AMD-Vi: Completion-Wait loop timed out",
        meaning="The IOMMU did not finish what it was told: some device behind it hangs.",
        sample="AMD-Vi: Completion-Wait loop timed out",
        source="Linux drivers/iommu/amd/iommu.c",
    ),
)  # fmt: skip
"""What IOMMUs say; that a device used a wrong address (IO_PAGE_FAULT) is its driver's affair."""
