"""Reading a proposal: numbers as they come from people and language models."""

from __future__ import annotations

import re
from typing import Any

_WHOLE = re.compile(r"[+-]?\d{1,3}(?:[,_ ]\d{3})+(?:\.0+)?|[+-]?\d+(?:_\d+)*(?:\.0+)?")
_EXPONENT = re.compile(r"\d{1,15}(?:\.\d{1,15})?[eE]\+?\d{1,2}")
_MAX = 2**53


def whole_number(value: Any) -> int | None:
    """The whole number in ``value``, which may be text (``"100"``, ``"1e7"``); None if it is none.

    >>> whole_number("10,000,000"), whole_number(100.0), whole_number("fifty"), whole_number(True)
    (10000000, 100, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if _WHOLE.fullmatch(text):
            value = int(re.sub(r"[,_ ]", "", text).partition(".")[0][:40])
        elif _EXPONENT.fullmatch(text):
            value = float(text)
        else:
            return None
    if isinstance(value, float):
        if not value.is_integer():
            return None
        value = int(value)
    if not isinstance(value, int):
        return None
    return max(-_MAX, min(_MAX, value))
