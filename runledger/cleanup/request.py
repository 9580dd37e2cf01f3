"""What a clean-up may do on a rig, and the script that does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from collectors.script import InvalidScriptInput, compose
from collectors.vendors import vendor_lines

BANNER = "runledger-cleanup/1"

_PARTS = (
    ("collectors.script", "bounded.sh"),
    ("collectors.script", "vendors.sh"),
    ("collectors.script", "cards.sh"),
    ("runledger.cleanup", "cleanup.sh"),
)

CompileCache = Literal["comgr", "miopen"]
"""A cache of compiled kernels: expensive to lose, so only where it is asked for by name."""

IDLE_VRAM_MIB = 256
"""What an idle card may hold where its own baseline is not known; a headless one has about 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupRequest:
    """One clean-up of one node.

    ``spare``: PCI addresses of cards with an SMU error since boot; nothing is
    written to them. ``remedies`` are the compile caches to lose as well.
    ``sudo``: where the level may not be written, try ``sudo -n tee``.
    ``idle_vram_mib`` is each card's idle baseline by PCI address.
    """

    nonce: str
    spare: tuple[str, ...] = ()
    dry_run: bool = False
    sudo: bool = False
    remedies: tuple[CompileCache, ...] = ()
    idle_vram_mib: Mapping[str, float] = field(default_factory=dict)
    read_limit_s: int = 5
    total_limit_s: int = 60


def cleanup_script(request: CleanupRequest) -> bytes:
    """The stdin for ``sh -s`` on the rig. Raises `InvalidScriptInput` for control characters."""
    return compose(_PARTS, "cleanup", request.nonce, _lines(request))


def _lines(request: CleanupRequest) -> Iterator[tuple[str, str]]:
    yield from vendor_lines()
    for pci in request.spare:
        if " " in pci or not pci:
            raise InvalidScriptInput("spare", pci)
        yield "spare", pci
    yield "dry_run", "1" if request.dry_run else "0"
    yield "sudo", "1" if request.sudo else "0"
    for remedy in request.remedies:
        yield "remedy", remedy
    yield "read_limit", str(int(request.read_limit_s))
    yield "total_limit", str(int(request.total_limit_s))
