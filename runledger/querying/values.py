"""Values of every database type as text, numbers, booleans or nothing."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any


def presented(value: Any) -> str | int | float | bool | None:
    """``value`` as it is shown: bytes in hexadecimal, times in ISO 8601, lists as JSON."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            return float(value)
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
