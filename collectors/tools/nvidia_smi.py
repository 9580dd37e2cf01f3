"""Read what ``nvidia-smi --query-gpu=… --format=csv`` prints.

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

The bus id has a domain of eight digits. Columns are found by the header, and
without one taken in the order of `QUERY`.
"""

from __future__ import annotations

import csv
import re

from collectors.tools.reading import CardReading, ToolReading, amount, name, number
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
"""What the probe asks for, in this order."""

_FULL = r"[0-9a-fA-F]{4,8}:"
_BUS = r"[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_LOST = re.compile(
    rf"Unable to determine the device handle for GPU ?(?:\d{{1,3}}: ?)?({_FULL}{_BUS})"
    rf"|(?:device handle|GPU is lost|fallen off the bus).{{0,200}}?\b((?:{_FULL})?{_BUS})"
)
_TROUBLE = re.compile(r"lost|unknown error|err!|reset required", re.IGNORECASE)


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
    readings = [
        row.get(key, "") for key in ("uuid", "memory.used", "utilization.gpu", "temperature.gpu")
    ]
    answered = values["temp_c"] is not None or values["vram_used_mib"] is not None
    troubled = any(_TROUBLE.search(reading) for reading in readings)
    return CardReading(
        "unresponsive" if troubled else "ok" if answered else "unknown",
        index if isinstance(index, int) else None,
        pci,
        card_uid=_clean(row.get("uuid")),
        model=_clean(row.get("name")),
        compute_mode=_clean(row.get("compute_mode")),
        **values,
    )


def _clean(value: str | None) -> str | None:
    """A name; None for a placeholder such as ``[GPU is lost]``."""
    return None if value is None or value.startswith("[") else name(value)
