"""Read the kernel log sections: journal JSON, /dev/kmsg records, dmesg text.

This only takes the framing off and finds the cursor to go on from; what a
line means is for `collectors.kernel_log`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from collectors.probe.report import KernelLine, KernelLog
from collectors.script import Frames, Section

_HEX32 = re.compile(r"[0-9a-f]{32}\Z")
_KMSG = re.compile(r"(\d{1,10}),(\d{1,18}),(\d{1,18}),[^;]*;(.*)")
_DMESG = re.compile(r"(?:\w+ *:(\w+) *: )?\[ *(\d{1,12})\.(\d{1,9})\](?: (.*))?\Z", re.DOTALL)
_LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
_LIMIT_US = 2**53


def read_kernel(frames: Frames, boot_id: str | None, cursor: str | None) -> KernelLog:
    """The present boot's log from the source that the script settled on; ``cursor`` is the caller's."""
    chosen = frames.first("kernel-source")
    source = chosen.text.strip() if chosen is not None else "none"
    section = frames.first(f"kernel.{source}")
    if section is None or source not in {"journal", "kmsg", "dmesg"}:
        return KernelLog("none", False, boot_id=boot_id)
    going_on = cursor if cursor and cursor.startswith(f"{source}:") else None
    return _read(source, section, boot_id, going_on)


def read_previous(frames: Frames, boot_id: str | None, cursor: str | None) -> KernelLog | None:
    """The rest of the boot that the caller knew; None where it was not asked for or is not kept."""
    section = frames.first("previous.journal")
    if section is None or boot_id is None:
        return None
    log = _read("journal", section, boot_id, cursor)
    # Where several boots went by, `-b -1` is not the caller's boot: believe the entries.
    boots = {_boot(entry) for entry in _entries(section)} - {None}
    if len(boots) == 1:
        (seen,) = boots
        return KernelLog(log.source, log.readable, log.lines, seen, log.cursor)
    return log if log.lines or log.readable else None


def _read(source: str, section: Section, boot_id: str | None, cursor: str | None) -> KernelLog:
    if source == "journal":
        lines, newest = _journal(section)
    elif source == "kmsg":
        lines, newest = _kmsg(section)
    else:
        lines, newest = _dmesg(section)
    return KernelLog(source, section.ok, tuple(lines), boot_id, newest or cursor)


def _entries(section: Section) -> list[dict[str, Any]]:
    entries = []
    for line in section.content.split(b"\n"):
        if line.startswith(b"{"):
            try:
                entry = msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError):
                continue  # cut off in the middle, or not the journal's
            if isinstance(entry, dict):
                entries.append(entry)
    return entries


def _journal(section: Section) -> tuple[list[KernelLine], str | None]:
    lines, cursor = [], None
    for entry in _entries(section):
        mark = entry.get("__CURSOR")
        if isinstance(mark, str) and mark:
            cursor = f"journal:{mark}"
        text = _message(entry.get("MESSAGE"))
        if text is not None:
            lines.append(
                KernelLine(
                    text,
                    _whole(entry.get("__REALTIME_TIMESTAMP")),
                    _whole(
                        entry.get("_SOURCE_MONOTONIC_TIMESTAMP", entry.get("__MONOTONIC_TIMESTAMP"))
                    ),
                    _level(entry.get("PRIORITY")),
                )
            )
    return lines, cursor


def _boot(entry: dict[str, Any]) -> str | None:
    """The journal's boot id in the spelling of /proc: with hyphens."""
    boot = entry.get("_BOOT_ID")
    if not isinstance(boot, str) or not _HEX32.match(boot):
        return None
    return "-".join((boot[:8], boot[8:12], boot[12:16], boot[16:20], boot[20:]))


def _message(value: Any) -> str | None:
    """The text of an entry; the journal writes one that is not plain UTF-8 as a list of bytes."""
    if isinstance(value, list):
        if not all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
            return None
        value = bytes(value).decode("utf-8", "replace")
    return value.replace("\0", "") if isinstance(value, str) else None


def _kmsg(section: Section) -> tuple[list[KernelLine], str | None]:
    lines, cursor = [], None
    for line in section.lines():
        if match := _KMSG.match(line):
            cursor = f"kmsg:{match[2]}"
            lines.append(KernelLine(match[4], None, _whole(match[3]), int(match[1]) & 7))
    return lines, cursor


def _dmesg(section: Section) -> tuple[list[KernelLine], str | None]:
    lines, cursor = [], None
    for line in section.lines():
        if match := _DMESG.match(line):
            word, seconds, fraction, text = match.groups()
            cursor = f"dmesg:{seconds}.{fraction}"
            stamp = int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
            level = _LEVELS.index(word) if word in _LEVELS else None
            lines.append(KernelLine(text or "", None, stamp, level))
        elif line.startswith(" ") and lines:
            lines.append(KernelLine(line.strip(), None, lines[-1].monotonic_us, lines[-1].level))
    return lines, cursor


def _whole(value: Any) -> int | None:
    """A count of microseconds, which the journal writes as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17:
        value = int(value)
    return value if type(value) is int and 0 <= value <= _LIMIT_US else None


def _level(value: Any) -> int | None:
    found = _whole(value)
    return found if found is not None and found < 8 else None
