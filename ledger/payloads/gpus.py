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


class GpuProbe(Payload, frozen=True, kw_only=True):
    """The cards of a node; ``smu_reads`` counts the SMU queries that the probe itself cost."""

    event_type = "gpu_probe"

    node: Identifier
    method: Identifier
    gpus: tuple[ProbedGpu, ...]
    smu_reads: Count
    expected: Count | None = None

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

    ``supersedes``: an older reading of the same line, which counts no more.
    """

    event_type = "gpu_fault"

    node: Identifier
    fault: Literal[
        "device_lost",
        "ring_timeout",
        "gpu_reset",
        "page_fault",
        "ras_uncorrectable",
        "pcie_error",
        "xid",
        "other",
    ]
    raw: str
    pci: Pci | None = None
    boot_id: Identifier | None = None
    supersedes: Identifier | None = None
