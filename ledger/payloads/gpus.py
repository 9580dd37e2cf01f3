"""What was seen of graphics cards: probes, SMU errors, other faults."""

from __future__ import annotations

from typing import Literal

from ledger.payloads._base import (
    Amount,
    Count,
    Identifier,
    Json,
    Number,
    Part,
    Payload,
    Pci,
    complete_pci_in,
)
from ledger.payloads.upcasts import gpu_fault_1

CardState = Literal["ok", "unresponsive", "missing", "unknown"]


class ProbedGpu(Part, frozen=True, kw_only=True):
    """One card as a probe saw it."""

    pci: Pci
    state: CardState
    index: Count | None = None
    card_uid: Identifier | None = None
    model: Identifier | None = None
    busy_pct: Amount | None = None
    vram_used_mib: Amount | None = None
    vram_total_mib: Amount | None = None
    temp_c: Number | None = None
    sclk_mhz: Amount | None = None
    processes: Count | None = None
    compute_mode: Identifier | None = None
    place: Identifier | None = None
    """Its way from the root by device and function, without bus numbers, which may shift."""
    detail: str | None = None
    """Why the state is what it is, where it is not ``ok``."""
    recovery_action: Identifier | None = None
    """What the card asks for, in its tool's words (``None``: nothing), where the tool tells."""


class GpuProbe(Payload, frozen=True, kw_only=True):
    """The cards of a node; ``smu_reads`` counts the SMU queries that the probe itself cost.

    ``detail`` says why cards are not shown, where a tool or its absence tells.
    """

    event_type = "gpu_probe"

    node: Identifier
    method: Identifier
    gpus: tuple[ProbedGpu, ...]
    smu_reads: Count
    expected: Count | None = None
    detail: str | None = None

    @classmethod
    def normalize(cls, data: Json) -> None:
        complete_pci_in(data, "gpus")


class SmuError(Payload, frozen=True, kw_only=True):
    """A card's controller failed, or did not answer; without ``pci`` it weighs on no card.

    ``supersedes``: an older reading of the same line, which counts no more.
    """

    event_type = "smu_error"

    node: Identifier
    signature: Identifier
    raw: str
    pci: Pci | None = None
    index: Count | None = None
    card_uid: Identifier | None = None
    code: Identifier | None = None
    message: str | None = None
    boot_id: Identifier | None = None
    supersedes: Identifier | None = None


class GpuFault(Payload, frozen=True, kw_only=True):
    """A fault of a card other than an SMU error, as the kernel named it.

    ``code`` is the number or class in its line (an Xid, ``fatal``, ``succeeded``
    of a reset, ``shutdown`` for heat), ``action`` what its source asks for,
    ``supersedes`` an older reading of the same line, which counts no more.
    """

    event_type = "gpu_fault"
    version = 2
    upcasts = {1: gpu_fault_1}

    node: Identifier
    fault: Literal[
        "device_lost",
        "ring_timeout",
        "gpu_reset",
        "gpu_reset_failed",
        "page_fault",
        "ras_uncorrectable",
        "ras_retire",
        "pcie_error",
        "pcie_corrected",
        "pcie_uncorrected",
        "xid",
        "nvlink",
        "needs_reset",
        "thermal",
        "init_failed",
        "iommu",
        "other",
    ]
    raw: str
    pci: Pci | None = None
    code: Identifier | None = None
    action: Literal["reset", "reboot", "drain_reset", "rma"] | None = None
    boot_id: Identifier | None = None
    supersedes: Identifier | None = None
