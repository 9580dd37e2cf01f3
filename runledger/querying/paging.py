"""How many rows a page of a query holds: few at first, to show them early, and never much text.

What the database may hold is bounded elsewhere; this bounds what this process
holds of the rows on their way to the reader.
"""

from __future__ import annotations

from typing import Any

Row = tuple[Any, ...]
Page = list[Row]

FIRST_ROWS = 20
MOST_ROWS = 1000
MOST_CHARACTERS = 4 << 20
"""Characters of text, or bytes, after which a page ends."""

_SIZED = frozenset({str, bytes})


def weight(row: Row) -> int:
    """Characters and bytes in a row; numbers weigh nothing."""
    total = 0
    for value in row:
        if value.__class__ in _SIZED:
            total += len(value)
    return total


def next_rows(rows: int, page: Page) -> int:
    """How many rows to ask for after ``page``, for which ``rows`` were asked."""
    mean = sum(map(weight, page)) // len(page)
    return max(1, min(MOST_ROWS, rows * 4, MOST_CHARACTERS // max(1, mean)))
