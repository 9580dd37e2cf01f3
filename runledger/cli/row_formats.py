"""Rows of a query as a table or blocks for people, or as CSV, JSON or NDJSON for programs.

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


def print_table(rows: Rows, out: TextIO, columns: int | None = None) -> None:
    """Aligned columns, as wide as the first rows need; longer cells end with an ellipsis.

    Where they are wider than a terminal of so many ``columns``, each row is a block.
    """
    shown = (tuple(_shown(value) for value in row) for row in rows.rows)
    sample = list(itertools.islice(shown, _SAMPLE))
    headings = tuple(plain(name) for name in rows.columns)
    most = [_WIDEST] * (len(headings) - 1) + [_WIDEST_LAST]
    widths = [
        min(limit, max(map(width_of, column)))
        for limit, column in zip(most, zip(headings, *sample, strict=True), strict=True)
    ]
    if columns is not None and sample and sum(widths) + 2 * (len(widths) - 1) > columns:
        _blocks(headings, itertools.chain(sample, shown), out)
        return
    total = 0
    for row in itertools.chain([headings], sample, shown):
        cells = [
            padded(shortened(cell, width), width) for cell, width in zip(row, widths, strict=True)
        ]
        out.write("  ".join(cells).rstrip() + "\n")
        total += 1
    if total == 1:
        out.write("(no rows)\n")


def print_vertical(rows: Rows, out: TextIO) -> None:
    """A block a row, a line a column; nothing is cut but what is longer than a page."""
    shown = (tuple(_shown(value) for value in row) for row in rows.rows)
    _blocks(tuple(plain(name) for name in rows.columns), shown, out)


def _blocks(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], out: TextIO) -> None:
    width = max(map(width_of, headings))
    number = 0
    for number, row in enumerate(rows, 1):
        out.write(f"-- row {number}\n")
        for heading, cell in zip(headings, row, strict=True):
            out.write(f"{padded(heading, width)}  {cell}".rstrip() + "\n")
    if number == 0:
        out.write("(no rows)\n")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | bytes) and len(value) > _LOOKED_AT:
        return f"{plain(presented(value[:_LOOKED_AT]))}…"
    value = presented(value)
    return _rounded(value) if isinstance(value, float) else plain(value)


def _rounded(value: float) -> str:
    """A number to a digit that people look at; CSV and JSON have all of them.

    >>> [_rounded(each) for each in (0.1 + 0.2, 1234.56789, 50.0, 0.000123456, 1e-9, 1e300)]
    ['0.3', '1234.568', '50', '0.0001235', '1e-09', '1e+300']
    """
    if not math.isfinite(value) or abs(value) >= 1e15:
        return str(value)
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.3f}".rstrip("0").rstrip(".")


def write_csv(rows: Rows, out: BinaryIO) -> None:
    """CSV with a heading; text that a spreadsheet would run is prefixed with ``'``.

    Lines end as a shell has them.
    """
    writer = csv_writer(out, ends="\n")
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
