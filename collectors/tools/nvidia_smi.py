r"""Read what ``nvidia-smi --query-gpu=… --format=csv`` prints.

>>> output = '''index, pci.bus_id, uuid, name, memory.used [MiB], temperature.gpu, compute_mode
... 0, 00000000:1A:00.0, GPU-0a1b2c3d-0001, NVIDIA GeForce RTX 3080 Ti, 25, 48, Exclusive_Process
... 1, 00000000:68:00.0, [GPU is lost], NVIDIA GeForce RTX 3080 Ti, [GPU is lost], N/A, N/A
... '''
>>> for card in parse(output).cards:
...     print(card.index, card.pci, card.state, card.vram_used_mib, card.compute_mode)
0 0000:1a:00.0 ok 25 Exclusive_Process
1 0000:68:00.0 unresponsive None None

With a card lost it exits with an error, names the card, and lists the rest:

>>> parse('''Unable to determine the device handle for GPU1: 0000:68:00.0: Unknown Error
... 0, 00000000:1A:00.0, GPU-0a1b2c3d-0001, RTX 3080 Ti, 25, 12288, 3, 48, 210, Default
... ''').cards[1].state
'unresponsive'

Any word in brackets but ``[N/A]`` and ``[Not Supported]`` costs the ``ok``, and so do
numbers that no sensor gives and a recovery action:

>>> output = '''index, pci.bus_id, memory.used [MiB], temperature.gpu, gpu_recovery_action
... 0, 00000000:18:00.0, 0, [GPU requires reset], None
... 1, 00000000:2A:00.0, 0, 31, Reset
... '''
>>> for card in parse(output).cards:
...     print(card.state, card.detail)
unresponsive temperature.gpu says [GPU requires reset]
unresponsive it asks for: Reset

The bus id has a domain of eight digits. Columns are found by the header, and
without one taken in the order of `QUERY`.
"""

from __future__ import annotations

import csv
import re
from typing import Literal

from collectors.tools.reading import (
    HOTTEST_C,
    CardReading,
    ToolReading,
    amount,
    impossible,
    name,
    number,
)
from ledger.identifiers import normalize_pci

QUERY = (
    "index",
    "pci.bus_id",
    "uuid",
    "name",
    "memory.used",
    "memory.total",
    "utilization.gpu",
    "temperature.gpu",
    "clocks.sm",
    "compute_mode",
)
"""What every nvidia-smi knows to answer, in this order."""
MEMORY_QUERY = (
    "ecc.errors.uncorrected.volatile.total",
    "remapped_rows.pending",
    "remapped_rows.failure",
)
"""Since driver 450: what the card's memory has been through."""
RECOVERY_QUERY = ("gpu_recovery_action",)
"""Since driver 560: what the card asks for."""

_FULL = r"[0-9a-fA-F]{4,8}:"
_BUS = r"[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_LOST = re.compile(
    rf"Unable to determine the device handle for GPU ?(?:\d{{1,3}}: ?)?({_FULL}{_BUS})"
    rf"|(?:device handle|GPU is lost|fallen off the bus).{{0,200}}?\b((?:{_FULL})?{_BUS})"
)
_TROUBLE = re.compile(r"lost|unknown error|err!|requires? reset|reset required", re.IGNORECASE)
_BRACKETED = re.compile(r"\[.*\]\Z")
_NOTHING_SAID = frozenset({"[n/a]", "[not supported]"})
_NUMBERS = ("memory.used", "memory.total", "utilization.gpu", "temperature.gpu", "clocks.sm")


def parse(text: str) -> ToolReading:
    """The cards by PCI address; one that was named as lost is ``unresponsive``."""
    cards: dict[str, CardReading] = {}
    problems: list[str] = []
    columns = list(QUERY)
    for line in text.replace("\0", "").split("\n"):
        fields = _fields(line)
        if "pci.bus_id" in fields:
            columns = [
                field.split(" [")[0].replace("clocks.current.", "clocks.") for field in fields
            ]
            continue
        row = dict(zip(columns, fields, strict=False))
        pci = normalize_pci(row.get("pci.bus_id", ""))
        if len(fields) >= 3 and pci is not None:
            cards[pci] = _card(row, pci)
            continue
        if (match := _LOST.search(line)) and (pci := normalize_pci(match[1] or match[2])):
            cards.setdefault(pci, CardReading("unresponsive", pci=pci))
        if (said := name(line)) and len(problems) < 20:
            problems.append(said)
    return ToolReading(tuple(cards[pci] for pci in sorted(cards)), tuple(problems))


def _fields(line: str) -> list[str]:
    try:
        rows = list(csv.reader([line[:4096]], skipinitialspace=True))
    except csv.Error:
        return []
    return [field.strip() for field in rows[0]] if rows else []


def _card(row: dict[str, str], pci: str) -> CardReading:
    index = amount(row.get("index"))
    values = {
        "busy_pct": amount(row.get("utilization.gpu")),
        "vram_used_mib": amount(row.get("memory.used")),
        "vram_total_mib": amount(row.get("memory.total")),
        "temp_c": number(row.get("temperature.gpu")),
        "sclk_mhz": amount(row.get("clocks.sm")),
    }
    state, detail = _state(row, values["temp_c"])
    if state == "ok" and values["temp_c"] is None and values["vram_used_mib"] is None:
        state = "unknown"
    if state == "unresponsive":
        # What a card says that is not well is no reading.
        values = dict.fromkeys(values) if _numbers_lie(row, values["temp_c"]) else values
    return CardReading(
        state,
        index if isinstance(index, int) else None,
        pci,
        card_uid=_clean(row.get("uuid")),
        model=_clean(row.get("name")),
        compute_mode=_clean(row.get("compute_mode")),
        recovery_action=_asked_for(row.get("gpu_recovery_action", "")),
        detail=detail,
        **values,
    )


def _state(
    row: dict[str, str], temp_c: float | None
) -> tuple[Literal["ok", "unresponsive", "unknown"], str]:
    """What speaks against a card, and what is to be known of one that nothing speaks against."""
    for column, value in row.items():
        if _TROUBLE.search(value) and column not in ("name", "uuid"):
            return "unresponsive", f"{column} says {value}"
        if _BRACKETED.match(value) and value.lower() not in _NOTHING_SAID:
            lost = _TROUBLE.search(value) is not None
            return "unresponsive" if lost else "unknown", f"{column} says {value}"
    if _numbers_lie(row, temp_c):
        return "unresponsive", "its numbers cannot be: registers that read as all ones"
    action = row.get("gpu_recovery_action", "")
    if action and action.strip("[]").lower() not in ("none", "n/a", "not supported"):
        return "unresponsive", f"it asks for: {action}"
    return "ok", _memory(row)


def _asked_for(action: str) -> str | None:
    """What the card asks for; ``None``, as a word, where it says that it is nothing."""
    return "None" if action.strip("[]").lower() == "none" else _clean(action or None)


def _numbers_lie(row: dict[str, str], temp_c: float | None) -> bool:
    return (temp_c is not None and temp_c > HOTTEST_C) or any(
        impossible(row.get(column)) for column in _NUMBERS
    )


def _memory(row: dict[str, str]) -> str:
    if row.get("remapped_rows.failure", "").lower() in ("yes", "1"):
        return "damaged rows of its memory could not be set aside: have it replaced"
    if row.get("remapped_rows.pending", "").lower() in ("yes", "1"):
        return "damaged rows of its memory are set aside at its next reset"
    errors = amount(row.get("ecc.errors.uncorrected.volatile.total"))
    return (
        f"{errors:g} errors of its memory were not corrected since its driver began"
        if errors
        else ""
    )


def _clean(value: str | None) -> str | None:
    """A name; None for a placeholder such as ``[GPU is lost]``."""
    return None if value is None or value.startswith("[") else name(value)
