"""What was seen of a node: reachability, its kernel log, its files, its clean-up."""

from __future__ import annotations

from typing import Literal

from ledger.identifiers import normalize_pci
from ledger.payloads._base import (
    Amount,
    Count,
    Identifier,
    Integer,
    Json,
    Number,
    Part,
    Payload,
    Pci,
)


class SshProbe(Payload, frozen=True, kw_only=True):
    """Whether a node answered over SSH, which boot it is in, and what it has left.

    ``clock_offset_s`` is the node's clock less ours.
    """

    event_type = "ssh_probe"

    node: Identifier
    reachable: bool
    address: Identifier | None = None
    error: Literal["dns", "refused", "timeout", "auth", "host_key", "protocol", "other"] | None = (
        None
    )
    detail: str | None = None
    remedy: str | None = None
    latency_s: Amount | None = None
    boot_id: Identifier | None = None
    uptime_s: Amount | None = None
    mem_total_mib: Amount | None = None
    mem_available_mib: Amount | None = None
    clock_offset_s: Number | None = None


class KernelLogScanned(Payload, frozen=True, kw_only=True):
    """How far a node's kernel log was read. ``readable`` false is no evidence, never "clean".

    ``unread`` counts lines that hold words of trouble and could not be placed.
    """

    event_type = "kernel_log_scanned"

    node: Identifier
    lines: Count
    matches: Count
    readable: bool
    boot_id: Identifier | None = None
    cursor: Identifier | None = None
    unread: Count | None = None


class NodeFault(Payload, frozen=True, kw_only=True):
    """A fault of the machine itself, as its kernel named it; ``code`` is the number in the line."""

    event_type = "node_fault"

    node: Identifier
    fault: Literal[
        "hung_task",
        "lockup",
        "storage",
        "readonly_fs",
        "machine_check",
        "fabric",
        "iommu",
        "oom",
        "other",
    ]
    raw: str
    code: Identifier | None = None
    boot_id: Identifier | None = None


class ProcessKilled(Payload, frozen=True, kw_only=True):
    """The kernel killed a process for want of memory; ``process`` and ``pid`` as it names them.

    ``supersedes``: an older reading of the same line, which counts no more.
    """

    event_type = "process_killed"

    node: Identifier
    raw: str
    process: Identifier | None = None
    pid: Count | None = None
    boot_id: Identifier | None = None
    supersedes: Identifier | None = None


class RamdiskFile(Part, frozen=True, kw_only=True):
    """One file looked for on the ramdisk, with its hash where one was taken."""

    path: Identifier
    present: bool
    bytes: Count | None = None
    sha256: Identifier | None = None
    expected_sha256: Identifier | None = None


class RamdiskChecked(Payload, frozen=True, kw_only=True):
    """Which ramdisk files of a step are there, and the space that is left."""

    event_type = "ramdisk_checked"

    node: Identifier
    files: tuple[RamdiskFile, ...]
    free_mib: Amount | None = None


class InputFile(Part, frozen=True, kw_only=True):
    """One input file looked for, with its hash where one was taken."""

    path: Identifier
    present: bool
    bytes: Count | None = None
    sha256: Identifier | None = None
    expected_sha256: Identifier | None = None


class InputsChecked(Payload, frozen=True, kw_only=True):
    """Which input files of a step are there; without ``node``, on the controller."""

    event_type = "inputs_checked"

    files: tuple[InputFile, ...]
    node: Identifier | None = None

    def default_subject(self) -> str | None:
        return super().default_subject() or "fleet"


class CommandHung(Payload, frozen=True, kw_only=True):
    """A tool did not come back within its timeout: the card or node is unknown, not bad."""

    event_type = "command_hung"

    node: Identifier
    command: str
    timeout_s: Amount
    pci: Pci | None = None
    detail: str | None = None


class CleanupAction(Part, frozen=True, kw_only=True):
    """One thing a clean-up did, or looked at and left alone."""

    name: Identifier
    ok: bool
    detail: str | None = None


class CleanupCompleted(Payload, frozen=True, kw_only=True):
    """A clean-up after a batch; ``orphaned_vram_mib`` maps PCI addresses to MiB nobody owns."""

    event_type = "cleanup_completed"

    node: Identifier
    actions: tuple[CleanupAction, ...]
    warnings: tuple[str, ...]
    orphaned_vram_mib: dict[Pci, Amount] | None = None

    @classmethod
    def normalize(cls, data: Json) -> None:
        orphans = data.get("orphaned_vram_mib")
        if isinstance(orphans, dict):
            completed = {normalize_pci(pci) or pci: size for pci, size in orphans.items()}
            # Where two spellings are one card, neither size may be lost: they stay
            # as they are, and validation names the one that is not in full.
            if len(completed) == len(orphans):
                data["orphaned_vram_mib"] = completed


class RemedyCompleted(Payload, frozen=True, kw_only=True):
    """A configured remedy was run for a failed check; only a second look tells its worth."""

    event_type = "remedy_completed"

    node: Identifier
    check: Identifier
    command: str
    exit_code: Integer | None = None
    detail: str | None = None
