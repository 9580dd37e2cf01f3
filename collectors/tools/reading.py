"""What a tool's output says, in one shape for all tools, and how its texts become numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ledger.text.characters import one_line, without_terminal

MIB = 1024 * 1024

_NUMBER = re.compile(r"\(?\s*(-?\d{1,20}(?:\.\d{1,9})?)")
HOTTEST_C = 150
"""No card lives at more."""
_ALL_ONES = re.compile(
    r"\(?\s*(?:65535|4294967295|18446744073709551615|0x(?:[fF]{4}|[fF]{8}|[fF]{16}))(?![\d.]*\d)"
)
_JSON_STARTS = 50
"""How many places in a text are tried for JSON: warnings may hold braces, junk may hold many."""


@dataclass(frozen=True, slots=True)
class CardReading:
    """One card as a tool showed it. Sizes in MiB, clocks in MHz, temperatures in °C.

    ``detail`` is what speaks against the card, in words; ``recovery_action`` what it asks
    for in its tool's words, ``None`` for nothing.
    """

    state: Literal["ok", "unresponsive", "unknown"]
    index: int | None = None
    pci: str | None = None
    card_uid: str | None = None
    model: str | None = None
    busy_pct: float | None = None
    vram_used_mib: float | None = None
    vram_total_mib: float | None = None
    temp_c: float | None = None
    sclk_mhz: float | None = None
    compute_mode: str | None = None
    recovery_action: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ToolReading:
    """All cards of one output, and what else it said that a person should read."""

    cards: tuple[CardReading, ...]
    problems: tuple[str, ...] = ()


def number(value: Any) -> float | None:
    """The number in ``value``: itself, ``"36.0°C"``, ``"(9Mhz)"``, ``{"value": 10, "unit": "W"}``.

    None for ``"N/A"`` and everything else; an integer stays one.

    >>> number("36.0°C"), number({"value": 10, "unit": "W"}), number("N/A")
    (36.0, 10, None)
    """
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if -1e15 < value < 1e15 else None
    if not isinstance(value, str) or not (match := _NUMBER.match(value)):
        return None
    text = match[1]
    found = float(text) if "." in text else int(text)
    return found if -1e15 < found < 1e15 else None


def impossible(value: Any) -> bool:
    """Whether a number is none that any sensor gives: a register that reads as all ones.

    >>> impossible("65535"), impossible("4294967295 C"), impossible("45")
    (True, True, False)
    """
    if isinstance(value, dict):
        value = value.get("value")
    return isinstance(value, str | int) and _ALL_ONES.match(str(value)[:40]) is not None


def amount(value: Any) -> float | None:
    """Like `number`, but None for negative ones too."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def name(value: Any) -> str | None:
    """``value`` as a name without control characters; None where it says nothing."""
    if not isinstance(value, str):
        return None
    text = " ".join(one_line(value).split())[:200]
    return (
        None if text.lower() in {"", "n/a", "[n/a]", "none", "unknown", "[not supported]"} else text
    )


def mib(value: Any) -> float | None:
    """A number of bytes as whole MiB."""
    found = amount(value)
    return None if found is None else round(found / MIB)


def without_colour(text: str) -> str:
    """``text`` without terminal sequences, which some tools print even into a file."""
    return without_terminal(text)


def json_values(text: str) -> Iterator[Any]:
    """The JSON arrays and objects in a text that may hold warnings before, between and after."""
    decoder = json.JSONDecoder()
    at = 0
    for _ in range(_JSON_STARTS):
        starts = [found for found in (text.find("{", at), text.find("[", at)) if found >= 0]
        if not starts:
            return
        try:
            value, at = decoder.raw_decode(text, min(starts))
        except (ValueError, RecursionError):
            at = min(starts) + 1
        else:
            yield value
