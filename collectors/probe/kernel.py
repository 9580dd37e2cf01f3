"""Take the kernel log out of a probe's output, and find the cursor to go on from.

The lines stay as the rig's own source framed them (journal JSON, /dev/kmsg
records, dmesg text): what they mean is for `collectors.kernel_log`, which
reads every framing.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from collectors.probe.report import KernelLog
from collectors.script import Frames, Section

_HEX32 = re.compile(r"[0-9a-f]{32}\Z")
_KMSG = re.compile(r"\d{1,10},(\d{1,18}),\d{1,18},[^;\n]*;")
_DMESG = re.compile(r"[^\[\n]{0,40}\[ *(\d{1,12}\.\d{1,9})\]")


def read_kernel(frames: Frames, boot_id: str | None, cursor: str | None) -> KernelLog:
    """The present boot's log, from the source the script settled on; ``cursor`` is the caller's."""
    chosen = frames.first("kernel-source")
    source = chosen.text.strip() if chosen is not None else "none"
    section = frames.first(f"kernel.{source}")
    if section is None or source not in {"journal", "kmsg", "dmesg"}:
        return KernelLog("none", False, boot_id=boot_id)
    going_on = cursor if cursor and cursor.startswith(f"{source}:") else None
    return _read(source, section, boot_id, going_on)


def read_previous(
    frames: Frames, present: str | None, boot_id: str | None, cursor: str | None
) -> KernelLog | None:
    """The rest of the caller's boot and those up to the ``present`` one; None: not asked, not kept.

    Its boot is that of the newest entry; each entry names its own.
    """
    section = frames.first("previous.journal")
    if section is None or boot_id is None:
        return None
    going_on = cursor if cursor and cursor.startswith("journal:") else None
    log = _read("journal", section, boot_id, going_on, apart_from=present)
    # That nothing came says nothing: there may be no more of that boot, or nothing is kept of it.
    return log if log.lines else None


def _read(
    source: str,
    section: Section,
    boot_id: str | None,
    cursor: str | None,
    apart_from: str | None = None,
) -> KernelLog:
    lines = section.lines()
    if lines and not section.content.endswith(b"\n"):
        lines.pop()  # cut off in the middle; it comes again, whole, after the cursor
    if source == "journal":
        lines = [line for line in lines if line.startswith("{")]
        if apart_from is not None:
            present = re.compile(rf'"_BOOT_ID" ?: ?"{apart_from.replace("-", "")}"')
            lines = [line for line in lines if not present.search(line)]
        for line in reversed(lines):
            entry = _entry(line)
            mark = entry.get("__CURSOR")
            if isinstance(mark, str) and mark:
                return KernelLog(
                    source, section.ok, tuple(lines), _boot(entry) or boot_id, f"journal:{mark}"
                )
        return KernelLog(source, section.ok, tuple(lines), boot_id, cursor)
    pattern = _KMSG if source == "kmsg" else _DMESG
    if source == "kmsg":
        # Indented lines after a record are its device's keys (SUBSYSTEM=…), no messages.
        lines = [line for line in lines if not line.startswith(" ")]
    newest = next((match[1] for line in reversed(lines) if (match := pattern.match(line))), None)
    return KernelLog(
        source,
        section.ok,
        tuple(lines),
        boot_id,
        cursor if newest is None else f"{source}:{newest}",
    )


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _boot(entry: dict[str, Any]) -> str | None:
    """The journal's boot id in the spelling of /proc: with hyphens."""
    boot = entry.get("_BOOT_ID")
    if not isinstance(boot, str) or not _HEX32.match(boot):
        return None
    return "-".join((boot[:8], boot[8:12], boot[12:16], boot[16:20], boot[20:]))
