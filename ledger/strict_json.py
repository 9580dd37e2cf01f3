"""JSON as strict as an append-only log needs it.

Duplicate keys and invalid UTF-8 are refused here. `NaN`, infinities and numbers
that overflow to them are let through as floats, and integers of any length as
great ones, so that the check of the event can name the field they stand in;
nothing lets them past that check.
"""

from __future__ import annotations

import json
from typing import Any

_DIGITS_KEPT = 400


class BadJson(ValueError):
    """Text that is not one JSON value; ``field`` says where, as far as that is known."""

    def __init__(self, message: str, remedy: str, field: str = "(line)") -> None:
        self.field, self.remedy = field, remedy
        super().__init__(message)


def load_json(text: str | bytes) -> Any:
    """The value of a JSON text, or `BadJson`."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadJson(f"not UTF-8 (byte {error.start + 1})", "write it as UTF-8") from None
    text = text.removeprefix("\ufeff")
    try:
        try:
            return json.loads(text, object_pairs_hook=_unique)
        except (json.JSONDecodeError, BadJson):
            raise
        except ValueError:  # Python's limit on the digits of an integer
            return json.loads(text, object_pairs_hook=_unique, parse_int=_shortened)
    except json.JSONDecodeError as error:
        raise BadJson(
            f"not JSON: {error.msg} (column {error.colno})", "write one JSON object a line"
        ) from None
    except RecursionError:
        raise BadJson("nested too deeply to be read", "flatten it") from None


def _shortened(digits: str) -> int:
    """An integer of thousands of digits as one that is still too great to be let through."""
    return int(digits[:_DIGITS_KEPT])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise BadJson("stands twice in one object", "keep one of the two", shown_key(key))
            seen.add(key)
    return result


def shown_key(key: object) -> str:
    """A key as it may be shown in a message: short, and without control characters."""
    text = str(key)
    return text if text.isprintable() and len(text) <= 80 else shown(text)


def shown(value: object) -> str:
    """A value as it may be shown in a message: escaped, and short."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
