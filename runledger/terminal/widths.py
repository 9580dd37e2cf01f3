"""How wide text is on a terminal: two columns for a wide character, none for an accent."""

from __future__ import annotations

import unicodedata


def width_of(text: str) -> int:
    """Columns that text without control characters takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def padded(text: str, columns: int) -> str:
    """Text with blanks after it, up to so many columns."""
    return text + " " * (columns - width_of(text))


def shortened(text: str, columns: int) -> str:
    """Text that is no wider than so many columns, with an ellipsis where it was."""
    if width_of(text) <= columns:
        return text
    left = columns - 1
    kept = 0
    for character in text:
        left -= _width(character)
        if left < 0:
            break
        kept += 1
    return f"{text[:kept]}…"


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
