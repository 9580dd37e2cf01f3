"""Kernel lines inside frames of others: what containers, collectors, grep and consoles put around.

Tried only for a line that holds words of trouble and says nothing as it
stands. Each reading is a guess at where the kernel's own line begins; a line
of another program stays that program's, whatever it quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime

import msgspec

from collectors.catalogue.entry import BDF
from collectors.kernel_log.framing import frame
from collectors.kernel_log.line import Line
from collectors.kernel_log.months import MONTH
from collectors.vendors import VENDORS
from ledger.times import from_datetime

_TEXTS = ("log", "message", "msg", "MESSAGE", "line", "text")
_TIMES = ("time", "timestamp", "@timestamp", "ts")
_SOONEST = 400
"""Characters in which a frame must end."""

_HMS = r"\d\d:\d\d:\d\d"
_STAMP = re.compile(
    rf"(?<![\w.])(?:\[\s*\d{{1,10}}\.\d{{1,6}}[\s<\]]|\d{{4}}-\d\d-\d\d[T ]{_HMS}"
    rf"|{MONTH}\s+\d\d? {_HMS}|\[{MONTH},? {MONTH}\s+\d\d? {_HMS}|\d{{1,5}},\d+,\d+,[^;]{{0,80}};)"
)
_DRIVERS = "|".join(
    re.escape(driver)
    for vendor in VENDORS
    for driver in (*vendor.drivers, *vendor.older_drivers, *vendor.marks)
)
_ANCHOR = re.compile(
    rf"(?<![\w./-])(?:(?:{_DRIVERS}|pcieport) {BDF}: |(?:{_DRIVERS}): "
    r"|nvidia-nvswitch\d+: |\[drm:\w+ \[\w+\]\] \*ERROR\* )"
)
_PROGRAM = re.compile(r"(?:\A|\s)(?!kernel)[A-Za-z_][\w./@-]*(?:\[\d+\])?: \Z", re.ASCII)
_QUOTED = re.compile(r"[=\"'`(]")
_TIME = re.compile(r"\d{1,2}[:.]\d\d[:.]\d\d|\d{6,}")


def unwrapped(raw: str, number: int = 0) -> Iterator[Line]:
    """Lines that ``raw`` may hold inside a foreign frame, the likeliest first.

    >>> [line.text for line in unwrapped("kern.log:[   27.000001] amdgpu: device lost from bus!")]
    ['amdgpu: device lost from bus!', 'amdgpu: device lost from bus!']
    """
    inner = _in_json(raw, number)
    if inner is not None:
        yield inner
        return
    for match in _STAMP.finditer(raw, 0, _SOONEST):
        line = frame(raw[match.start() :], number)
        if line.stamped:
            yield msgspec.structs.replace(line, raw=raw)
    anchor = _ANCHOR.search(raw, 0, _SOONEST)
    if anchor is None:
        return
    before = raw[: anchor.start()]
    if not (_PROGRAM.search(before) or _QUOTED.search(before)):
        yield Line(number=number, raw=raw, text=raw[anchor.start() :].rstrip())


def stamp_unread(line: Line) -> bool:
    """Whether a line without a stamp has something in front of its text that may be one."""
    before = line.raw[: max(0, line.raw.find(line.text.partition("\n")[0]))]
    return not line.stamped and _TIME.search(before) is not None


def _in_json(raw: str, number: int) -> Line | None:
    """The line in an object of a container's log (``{"log": …, "time": …}``) or of a shipper."""
    start = raw.find("{")
    if start < 0 or start > _SOONEST:
        return None
    try:
        entry = json.loads(raw[start:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    text = next((entry[key] for key in _TEXTS if isinstance(entry.get(key), str)), None)
    if text is None:
        return None
    line = frame(text.rstrip("\n"), number)
    if not line.stamped:
        times = (entry[key] for key in _TIMES if isinstance(entry.get(key), str))
        line = msgspec.structs.replace(line, wall_us=next(map(_instant, times), None))
    return line


def _instant(text: str) -> int | None:
    # Containers write nine digits; three or six are what Python reads.
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        return from_datetime(moment) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
