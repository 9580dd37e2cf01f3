"""Read what ``rocm-smi`` prints, in every format since 4.0.

The concise table of 6.x. Its sixth column reads ``N/A, N/A, 0`` on healthy
cards, and a dead card keeps its row: what tells them apart is Perf.

>>> table = '''
... WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status
... ============================ ROCm System Management Interface ============================
... Device  Node  IDs            Temp    Power  Partitions  SCLK    Fan  Perf     VRAM%  GPU%
...               (DID,   GUID)  (Edge)  (Avg)  (Mem, Compute, ID)
... 0  1  0x73ff,  51001  41.0°C  6.0W  N/A, N/A, 0  500Mhz  96Mhz  0%  auto     120.0W  0%  2%
... 1  2  0x73ff,  51002  N/A     N/A   N/A, N/A, 0  N/A     N/A    0%  unknown  N/A     0%  0%
... ================================= End of ROCm SMI Log ==================================
... '''
>>> for card in parse(table).cards:
...     print(card.index, card.state, card.temp_c, card.sclk_mhz, card.busy_pct)
0 ok 41.0 500 2
1 unresponsive None None 0

The table of 5.x has fewer columns:

>>> parse("3    41.0c  12.0W   800Mhz  1600Mhz  0%   auto  100.0W      1%   7%").cards[0].busy_pct
7

Lists (``--showbus`` and the like), with errors among them:

>>> listing = '''
... GPU[0]\\t\\t: PCI Bus: 0000:03:00.0
... GPU[1]\\t\\t: PCI Bus: 0000:0F:00.0
... GPU[0]\\t\\t: Performance Level: auto
... GPU[1]\\t\\t: Performance Level: unknown
... GPU[0]\\t\\t: Average Graphics Package Power (W): 5.0
... ERROR: GPU[1]\\t: Unable to get Average or Current Socket Graphics Package Power Consumption
... '''
>>> [(card.pci, card.state) for card in parse(listing).cards]
[('0000:03:00.0', 'ok'), ('0000:0f:00.0', 'unresponsive')]

JSON: all values are strings, keys were renamed over time, warnings may come first, and a card
without data is left out.

>>> output = '''WARNING: low-power state
... {"card0": {"PCI Bus": "0000:03:00.0", "Performance Level": "auto",
...            "Temperature (Sensor edge) (C)": "47.0",
...            "VRAM Total Used Memory (B)": "17825792"}}'''
>>> parse(output).cards[0].vram_used_mib
17

On a dead card ``GPU use (%)`` is 0 and Perf may still say auto, so neither is
a sign of life: without a temperature, a clock or a power the card is ``unknown``.
The exit code is 0 whatever happened. Refused here: a PCI address from an
index; a row without an address stays without.
"""

from __future__ import annotations

import re
from typing import Any

from collectors.tools.reading import (
    HOTTEST_C,
    CardReading,
    ToolReading,
    amount,
    impossible,
    json_values,
    mib,
    name,
    number,
    without_colour,
)
from ledger.identifiers import normalize_pci

_LISTED = re.compile(r"(?:ERROR: |WARNING: )?GPU\[(\d{1,4})\]\s*:\s*([^:]+):?\s*(.*)")
_CARD = re.compile(r"card(\d{1,4})\Z")
_TEMPERATURE = re.compile(r"-?\d{1,10}(?:\.\d+)?(?:°C|°c|c|C)\Z")
_SHARE = re.compile(r"\d{1,3}%\Z|N/A\Z|[Uu]nsupported\Z")
_PROBLEM = re.compile(
    r"(?:ERROR|WARNING|NOT_SUPPORTED)\b|pthread_mutex|Failed to initialize|Expected integer"
)

Facts = dict[str, Any]


def parse(text: str) -> ToolReading:
    """All that is known of each card, from any of the formats, by index; problems as printed."""
    cards: dict[int, Facts] = {}
    problems: list[str] = []
    text = without_colour(text)
    for value in json_values(text):
        if isinstance(value, dict):
            for key, facts in value.items():
                if (match := _CARD.match(key)) and isinstance(facts, dict):
                    _take(cards.setdefault(int(match[1]), {}), facts)
    for line in text.split("\n"):
        line = line.strip()
        if match := _LISTED.match(line):
            _take(cards.setdefault(int(match[1]), {}), {match[2].strip(): match[3]})
        elif (row := _row(line)) is not None:
            cards.setdefault(int(line.split()[0]), {}).update(row)
        if _PROBLEM.match(line) and len(problems) < 20 and (said := name(line)):
            problems.append(said)
    readings: list[CardReading] = []
    for index in sorted(cards):
        first_is_ok = bool(readings) and readings[-1].state == "ok"
        readings.append(_card(index, cards[index], first_is_ok))
    return ToolReading(tuple(readings), tuple(problems))


def _take(facts: Facts, found: Facts) -> None:
    """Sort what a list or JSON object says under our own words."""
    for key, value in found.items():
        word = key.lower().strip(" :")
        if not isinstance(value, str):
            continue
        if word.startswith(("temperature", "sclk", "gpu use")) and impossible(value):
            facts["lies"] = True
        if word == "pci bus":
            facts["pci"] = normalize_pci(value.strip())
        elif word == "performance level":
            facts["perf"] = value.strip().lower()
        elif word == "gpu use (%)":
            facts["busy_pct"] = amount(value)
        elif word == "vram total memory (b)":
            facts["vram_total_mib"] = mib(value)
        elif word == "vram total used memory (b)":
            facts["vram_used_mib"] = mib(value)
        elif word.startswith("temperature") and ("edge" in word or "temp_c" not in facts):
            facts["temp_c"] = number(value)
        elif word.startswith("sclk clock"):
            facts["sclk_mhz"] = amount(value[value.find("(") :])
        elif "graphics package power" in word and (power := amount(value)) is not None:
            facts["power"] = power
        elif "graphics package power" in word and "secondary die" in value.lower():
            facts["secondary"] = True
        elif word == "unique id":
            facts["card_uid"] = name(value)
        elif word in {"card series", "card model"} and (model := name(value)):
            facts.setdefault("model", model)


def _row(line: str) -> Facts | None:
    """A row of the concise table, told by its ends: the columns between have changed over time."""
    words = line.split()
    if len(words) < 9 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 4:
        return None
    if not (_SHARE.match(words[-1]) and _SHARE.match(words[-2])):
        return None
    temperature = next((word for word in words[1:-7] if _TEMPERATURE.match(word)), None)
    return {
        "perf": words[-4].lower(),
        "busy_pct": amount(words[-1]),
        "sclk_mhz": amount(words[-7]),
        "temp_c": number(temperature),
    }


def _card(index: int, facts: Facts, first_is_ok: bool) -> CardReading:
    """``first_is_ok``: of the card before, with which a second die shares its power meter."""
    perf = facts.pop("perf", None)
    alive = [facts.pop("power", None), facts.get("temp_c"), facts.get("sclk_mhz")]
    shared = facts.pop("secondary", False) and first_is_ok
    if perf == "unknown":
        return CardReading(
            "unresponsive", index, detail="its performance level is unknown", **facts
        )
    if facts.pop("lies", False) or (facts.get("temp_c") or 0) > HOTTEST_C:
        return CardReading("unresponsive", index, detail="its numbers cannot be", **facts)
    if shared:
        return CardReading("ok", index, **facts)
    answered = any(value is not None for value in alive) or facts.get("busy_pct")
    return CardReading("ok" if answered else "unknown", index, **facts)
