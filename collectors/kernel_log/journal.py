"""Kernel log lines that come as JSON: journal exports and ``dmesg --json``.

The message stands for the raw line here; the rest of a journal object (fields
of the unit, the machine, …) is not kept. Broken JSON is no error: what can be
read is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from collectors.kernel_log.line import Line
from ledger.text.characters import CONTROL

_MAX_MICROS = 2**53
_BOOT_ID = re.compile(r"[0-9a-f]{32}\Z")
_MAX_BROKEN = 1000


def journal_line(raw: str, number: int) -> Line | None:
    """The line in one object of ``journalctl -o json``; None where ``raw`` is no such object.

    Its stamp is the kernel's own (``_SOURCE_MONOTONIC_TIMESTAMP``), beside the
    time at which the journal took the line in.
    """
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or "MESSAGE" not in entry:
        return None
    text = _message(entry["MESSAGE"])
    name = entry.get("SYSLOG_IDENTIFIER", "kernel")
    boot = str(entry.get("_BOOT_ID", "")).replace("-", "").lower()
    cursor, host = entry.get("__CURSOR"), entry.get("_HOSTNAME")
    return Line(
        number=number,
        raw=text,
        text=text.rstrip(),
        monotonic_us=_micros(entry.get("_SOURCE_MONOTONIC_TIMESTAMP")),
        wall_us=_micros(entry.get("__REALTIME_TIMESTAMP")),
        host=host if isinstance(host, str) else None,
        level=_level(entry.get("PRIORITY")),
        certain=True,
        kernel=name == "kernel" and entry.get("_TRANSPORT", "kernel") == "kernel",
        boot_id=boot_uuid(boot) if _BOOT_ID.match(boot) else None,
        cursor=cursor if isinstance(cursor, str) and not CONTROL.search(cursor) else None,
    )


def dmesg_json_lines(document: str) -> Iterator[Line]:
    """The lines of ``dmesg --json``, numbered by entry; of a cut document those that are whole."""
    decoder = json.JSONDecoder()
    number = broken = 0
    position = document.find("{", document.find("[") + 1)
    while position >= 0 and broken < _MAX_BROKEN:
        try:
            entry, position = decoder.raw_decode(document, position)
        except (ValueError, RecursionError):
            broken += 1
            position += 1
        else:
            if isinstance(entry, dict) and isinstance(entry.get("msg"), str):
                number += 1
                yield _dmesg_line(entry, number)
        position = document.find("{", position)


def _dmesg_line(entry: dict[str, Any], number: int) -> Line:
    seconds: Any = entry.get("time")
    usable = isinstance(seconds, int | float) and 0 <= seconds < 1e10
    text = entry["msg"]
    return Line(
        number=number,
        raw=text,
        text=text.rstrip(),
        monotonic_us=round(float(seconds) * 1_000_000) if usable else None,
        level=_level(entry.get("pri")),
    )


def boot_uuid(digits: str) -> str:
    """A boot id of 32 hex digits as /proc/sys/kernel/random/boot_id writes it."""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _message(value: Any) -> str:
    """A message with bytes that are not text comes as a list of numbers."""
    if isinstance(value, str):
        return value
    try:
        return bytes(value).decode("utf-8", "replace") if isinstance(value, list) else ""
    except (TypeError, ValueError):
        return ""


def _micros(value: Any) -> int | None:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 16:
        return None
    micros = int(value)
    return micros if micros < _MAX_MICROS else None


def _level(value: Any) -> int | None:
    text = str(value)
    return int(text) & 7 if text.isascii() and text.isdigit() and len(text) <= 5 else None
