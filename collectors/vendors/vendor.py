"""What a vendor of cards is, as data: a new one is a file of it here, and a line in `VENDORS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from collectors.catalogue.entry import Fault
from collectors.tools.reading import ToolReading

ReadTool = Callable[[tuple[str, ...]], ToolReading]
"""Reads what the commands of one tool printed, one text a command, errors behind the output."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that tells of cards: its ``commands`` run in turn while each one succeeds.

    ``commands`` pairs a title with an argument list in words without spaces.
    ``smu_reads`` is what it costs, a card.
    """

    commands: tuple[tuple[str, str], ...]
    read: ReadTool
    smu_reads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor: how its cards are found, asked and heard.

    ``pci_id`` is its four hexadecimal digits on the bus, ``drivers`` the kernel
    drivers whose cards compute. With ``sysfs``, files of the driver answer for
    a card, and the ``tools`` are tried, one after another, only where it shows
    none; without, they are always asked. ``prefixes`` are patterns of what its
    drivers print in front of their words, ``marks`` the words by which those
    are known to be its; ``older_drivers`` print some of the same words.
    ``split_heads`` are patterns of beginnings that kernels print on a line of
    their own.
    """

    name: str
    pci_id: str
    drivers: tuple[str, ...]
    marks: tuple[str, ...]
    tools: tuple[Tool, ...] = ()
    sysfs: bool = False
    older_drivers: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    split_heads: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = field(default=(), repr=False)
