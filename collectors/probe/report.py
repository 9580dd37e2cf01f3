"""What one probe of a rig found, before anyone judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from collectors.probe.witness import RememberedHead

CardState = Literal["ok", "unresponsive", "missing", "unknown"]


@dataclass(frozen=True, slots=True)
class KernelLog:
    """What was read of one boot's kernel log, since the caller's cursor.

    ``lines`` are as their source framed them, for `collectors.kernel_log`.
    ``readable`` is false where the log was not permitted, not there, or not
    read up to its end: then no error in it is no evidence. ``cursor`` is where
    to go on; the caller's own where nothing was new. ``source`` is
    ``journal``, ``kmsg``, ``dmesg`` or ``none``.
    """

    source: str
    readable: bool
    lines: tuple[str, ...] = ()
    boot_id: str | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card. ``detail`` says in words why the state is what it is, where it is not ok.

    ``index`` is the card's place in PCI order among the node's cards of its
    vendor that have a driver, which is the number rocm-smi gives it since 6.0;
    where a tool told of it, it is the tool's own. ``place`` is its way from the
    root by device and function. ``owners`` are compute processes that
    hold memory on it.
    """

    pci: str
    state: CardState
    vendor: str
    detail: str = ""
    name: str | None = None
    index: int | None = None
    card_uid: str | None = None
    model: str | None = None
    busy_pct: float | None = None
    vram_used_mib: float | None = None
    vram_total_mib: float | None = None
    temp_c: float | None = None
    sclk_mhz: float | None = None
    compute_mode: str | None = None
    performance_level: str | None = None
    owners: int | None = None
    place: str | None = None
    recovery_action: str | None = None


@dataclass(frozen=True, slots=True)
class Hung:
    """A command that did not come back within ``timeout_s``; ``pci`` where one card is meant."""

    command: str
    timeout_s: float
    pci: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file asked about. One whose look-up hung is not listed at all."""

    path: str
    present: bool
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """Everything one probe brought back.

    ``started`` is false where the output is not that of a probe at all;
    ``complete`` is false where it breaks off. ``cards_read`` is false where the
    cards could not even be listed: then an empty ``cards`` is no evidence.
    ``why_none`` says, where tools or their absence tell, why cards are not shown.
    ``clock_s`` is the node's clock as the probe began, in seconds since the epoch.
    ``bridges`` leads from the address of a PCI bridge to the only card behind it.
    ``kernel_lines`` are the new lines of the present boot, ``previous`` the
    rest of the boot that the caller knew, after a reboot. ``heads`` are what
    the rig remembers of the ledger, oldest first; None where it was not asked,
    or could not tell. ``errors`` are
    sentences for a person about what could not be done or read.
    """

    started: bool = False
    complete: bool = False
    boot_id: str | None = None
    uptime_s: float | None = None
    hostname: str | None = None
    clock_s: float | None = None
    mem_total_mib: float | None = None
    mem_available_mib: float | None = None
    kernel: KernelLog = field(default_factory=lambda: KernelLog("none", False))
    previous: KernelLog | None = None
    method: str = "sysfs"
    cards_read: bool = False
    cards: tuple[Card, ...] = ()
    why_none: str | None = None
    bridges: Mapping[str, str] = field(default_factory=dict)
    smu_reads: int = 0
    hung: tuple[Hung, ...] = ()
    ramdisk: tuple[FileSeen, ...] = ()
    inputs: tuple[FileSeen, ...] = ()
    ramdisk_free_mib: float | None = None
    heads: tuple[RememberedHead, ...] | None = None
    errors: tuple[str, ...] = ()

    @property
    def kernel_lines(self) -> tuple[str, ...]:
        """The new kernel lines of the present boot, as their source framed them."""
        return self.kernel.lines
