"""Rows of a query as a table for people, or as CSV, JSON or NDJSON for programs.

All are written as the rows come. Bytes are shown in hexadecimal; numbers that
JSON has no words for are the texts ``"inf"``, ``"-inf"`` and ``"nan"``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TextIO

import msgspec

from ledger.text.characters import plain
from runledger.exporting.tabular import csv_writer, safe_cell
from runledger.querying import Rows
from runledger.querying.values import presented
from runledger.terminal.widths import padded, shortened, width_of

_WIDEST = 60
_WIDEST_LAST = 240  # plans and messages; nothing stands to the right of it
_LOOKED_AT = 1000
"""Characters or bytes of a value that a cell is made of: more than fit, whatever is stripped."""
_SAMPLE = 200
_PLAIN = frozenset({int, str, float, type(None)})


def print_table(rows: Rows, out: TextIO) -> None:
    """Aligned columns, as wide as the first rows need; longer cells end with an ellipsis."""
    shown = (tuple(_shown(value) for value in row) for row in rows.rows)
    sample = list(itertools.islice(shown, _SAMPLE))
    headings = tuple(plain(name) for name in rows.columns)
    most = [_WIDEST] * (len(headings) - 1) + [_WIDEST_LAST]
    widths = [
        min(limit, max(map(width_of, column)))
        for limit, column in zip(most, zip(headings, *sample, strict=True), strict=True)
    ]
    total = 0
    for row in itertools.chain([headings], sample, shown):
        cells = [
            padded(shortened(cell, width), width) for cell, width in zip(row, widths, strict=True)
        ]
        out.write("  ".join(cells).rstrip() + "\n")
        total += 1
    if total == 1:
        out.write("(no rows)\n")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | bytes) and len(value) > _LOOKED_AT:
        return f"{plain(presented(value[:_LOOKED_AT]))}…"
    return plain(presented(value))


def write_csv(rows: Rows, out: BinaryIO) -> None:
    """RFC 4180 with a heading; text that a spreadsheet would run is prefixed with ``'``."""
    writer = csv_writer(out)
    writer.writerow([safe_cell(name) for name in rows.columns])
    writer.writerows(
        [safe_cell(value if type(value) in _PLAIN else presented(value)) for value in row]
        for row in rows.rows
    )


def write_ndjson(rows: Rows, out: BinaryIO) -> None:
    """One JSON object a row."""
    for line in _objects(rows.columns, rows.rows):
        out.write(line + b"\n")


def write_json(rows: Rows, out: BinaryIO) -> None:
    """One object: ``columns`` (names), ``rows`` (objects), ``truncated``."""
    out.write(b'{"columns":' + msgspec.json.encode(rows.columns) + b',"rows":[')
    separator = b"\n"
    for line in _objects(rows.columns, rows.rows):
        out.write(separator + line)
        separator = b",\n"
    out.write(b'],"truncated":' + (b"true" if rows.truncated else b"false") + b"}\n")


def _objects(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode(dict(zip(columns, map(_json, row), strict=True)))


def _json(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    value = presented(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
