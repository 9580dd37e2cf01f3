"""What is asked of a rig in one probe, and the script that asks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from collectors.script import InvalidScriptInput, compose
from collectors.vendors import tool_lines, trouble_words, vendor_lines

BANNER = "runledger-probe/1"
"""Opens the script's output; the number is the version of the frames and of what is in them."""

_PARTS = (
    ("collectors.script", "bounded.sh"),
    ("collectors.script", "vendors.sh"),
    ("collectors.script", "cards.sh"),
    ("collectors.probe", "kernel_log.sh"),
    ("collectors.probe", "witness.sh"),
    ("collectors.probe", "probe.sh"),
)
_CURSOR = re.compile(r"journal:[\x21-\x7e]{1,512}\Z|kmsg:\d{1,18}\Z|dmesg:\d{1,12}\.\d{1,9}\Z")


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file to look for; ``hashed``: its SHA-256 is wanted too, which reads all of it.

    A relative path is below the request's ``workdir``, or else below where the session starts.
    """

    path: str
    hashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """One round trip. Limits are in seconds and hold on the far side.

    ``boot_id`` and ``cursor`` are those of the newest `KernelLog` read from
    this node, so that each kernel line is read once; ``failed`` are PCI
    addresses of cards whose SMU must not be asked, void once the boot is no
    longer ``boot_id``. Without ``kernel_log`` or ``cards``, these are not looked
    at. ``recall`` asks for the heads that the rig remembers of a ledger, and
    ``remember`` is one more (see `collectors.probe.witness`). ``nonce`` frames the
    output (see `collectors.script.new_nonce`): one for each run.
    """

    nonce: str
    boot_id: str | None = None
    cursor: str | None = None
    failed: tuple[str, ...] = ()
    ask_smu: bool = True
    kernel_log: bool = True
    cards: bool = True
    ramdisk: tuple[WantedFile, ...] = ()
    ramdisk_dir: str | None = None
    inputs: tuple[WantedFile, ...] = ()
    workdir: str | None = None
    recall: str | None = None
    remember: str | None = None
    read_limit_s: int = 5
    tool_limit_s: int = 10
    log_limit_s: int = 10
    hash_limit_s: int = 60
    total_limit_s: int = 45
    log_bytes: int = 8 * 1024 * 1024

    @property
    def longest_s(self) -> int:
        """By then the script has ended, whatever hangs: let a caller wait a little longer."""
        hashes = sum(file.hashed for file in self.files)
        last = max(
            self.tool_limit_s * 2 + 8, self.read_limit_s * 2 + self.hash_limit_s * hashes + 5
        )
        return self.total_limit_s + max(last, self.log_limit_s * 2 + 8)

    @property
    def files(self) -> tuple[WantedFile, ...]:
        """All files in the order in which the script numbers them: ramdisk, then inputs."""
        return self.ramdisk + self.inputs


def probe_script(request: ProbeRequest) -> bytes:
    """The stdin for ``sh -s`` on the rig. Raises `InvalidScriptInput` for control characters.

    A cursor that is none of ours is left out: the log is then read from the start of the boot.
    """
    return compose(_PARTS, "probe", request.nonce, _lines(request))


def _lines(request: ProbeRequest) -> Iterator[tuple[str, str]]:
    yield from vendor_lines()
    yield from tool_lines()
    yield "trouble", trouble_words()
    if request.boot_id:
        yield "boot_id", request.boot_id
        if request.cursor and _CURSOR.match(request.cursor):
            yield "cursor", request.cursor
    for pci in request.failed:
        if " " in pci or not pci:
            raise InvalidScriptInput("failed", pci)
        yield "failed", pci
    yield "smu", "1" if request.ask_smu else "0"
    if not request.kernel_log:
        yield "leave", "kernel_log"
    if not request.cards:
        yield "leave", "cards"
    if request.workdir:
        if not request.workdir.startswith("/"):
            raise InvalidScriptInput("workdir", request.workdir)
        yield "workdir", request.workdir
    if request.ramdisk_dir:
        yield "ramdisk_dir", request.ramdisk_dir
    if request.recall:
        yield "recall", request.recall
        if request.remember:
            yield "remember", request.remember
    for key in ("read_limit", "tool_limit", "log_limit", "hash_limit", "total_limit"):
        yield key, str(int(getattr(request, f"{key}_s")))
    yield "log_bytes", str(int(request.log_bytes))
    for file in request.files:
        yield ("hashed" if file.hashed else "file"), file.path
