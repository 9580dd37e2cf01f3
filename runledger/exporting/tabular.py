"""Events as tables: CSV and Parquet, streamed, one row an event.

Columns are the attributes of the wire format; the payload stays one JSON text,
because every type has fields of its own (the views take them apart). A Parquet
file appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import csv
import gc
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from ledger import Filter, Ledger, Row
from ledger.canonical import CANONICAL_FORM
from ledger.new_files import new_file
from ledger.times import format_time
from runledger.errors import MissingExtra

__all__ = ["COLUMNS", "csv_writer", "safe_cell", "write_csv", "write_parquet"]

_WIRE_NAMES = {"time_us": "time", "recorded_us": "recordedtime"}
COLUMNS = tuple(_WIRE_NAMES.get(name, name) for name in Row._fields)
"""The wire format's names for the columns of a row, in the same order."""

_TIME, _RECORDED = COLUMNS.index("time"), COLUMNS.index("recordedtime")
_BATCH_ROWS = 16_384
_BATCH_BYTES = 16 << 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: Any) -> Any:
    """The value, with ``'`` before text that a spreadsheet would run as a formula.

    >>> safe_cell('=HYPERLINK("http://x")'), safe_cell(-1), safe_cell("rig-6600")
    ('\\'=HYPERLINK("http://x")', -1, 'rig-6600')
    """
    return f"'{value}" if type(value) is str and value.startswith(_FORMULA) else value


def write_csv(
    ledger: Ledger,
    where: Iterable[Filter],
    out: BinaryIO,
    advance: Callable[[int], None],
    *,
    types: Iterable[str] | None = None,
) -> int:
    """Events as RFC 4180 CSV with a heading, in UTF-8; returns how many.

    Made for spreadsheets: see `safe_cell`. NDJSON and Parquet keep every text
    as it is.
    """
    writer = csv_writer(out)
    writer.writerow(COLUMNS)
    rows = itertools.chain.from_iterable(_pages(ledger, tuple(where), types))
    count = 0
    for count, row in enumerate(rows, 1):
        cells = [safe_cell(cell) for cell in row]
        cells[_TIME], cells[_RECORDED] = format_time(row.time_us), format_time(row.recorded_us)
        writer.writerow(cells)
        if count % 1000 == 0:
            advance(count)
    return count


class _Utf8:
    """Takes text for a stream of bytes. A text wrapper would close the stream with itself."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text.encode())


def csv_writer(out: BinaryIO, ends: str = "\r\n") -> Any:
    """A `csv.writer` of RFC 4180 in UTF-8 on ``out``, which stays open whatever happens.

    ``ends`` is what ends a line: what a shell reads has no carriage return there, which
    it would take for a part of the last cell; spreadsheets take either.
    """
    return csv.writer(_Utf8(out), lineterminator=ends)


def write_parquet(
    ledger: Ledger,
    where: Iterable[Filter],
    path: Path,
    advance: Callable[[int], None],
    *,
    types: Iterable[str] | None = None,
) -> int:
    """Events as a Parquet file; returns how many.

    Integers, UTC time stamps in microseconds, texts.

    Raises `AlreadyThere` rather than overwrite, `NotFound` where the folder is
    not there, `MissingExtra` where pyarrow is not.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise MissingExtra("Parquet", "pyarrow", "analysis") from None
    schema = _schema(pa)
    with (
        _no_cycles(),
        new_file(path, "export") as unfinished,
        pq.ParquetWriter(unfinished, schema) as writer,
        ThreadPoolExecutor(1) as packing,
    ):
        count = 0
        packed: Future[None] | None = None
        for batch in _batches(_pages(ledger, tuple(where), types)):
            columns = zip(*batch, strict=True)
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)
            ]
            table = pa.Table.from_arrays(arrays, schema=schema)
            if packed is not None:
                packed.result()
            # Compressing needs no Python: the next rows are read meanwhile.
            packed = packing.submit(writer.write_table, table)
            count += len(batch)
            advance(count)
        if packed is not None:
            packed.result()
    return count


@contextlib.contextmanager
def _no_cycles() -> Iterator[None]:
    """Rows hold no cycles, and looking for some in every batch costs a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _schema(pa: Any) -> Any:
    kinds = {
        "sequence": pa.int64(),
        "dataschemaversion": pa.int64(),
        "time": pa.timestamp("us", "UTC"),
        "recordedtime": pa.timestamp("us", "UTC"),
    }
    optional = {"runid", "step", "correlationid", "causationid"}
    return pa.schema(
        [pa.field(name, kinds.get(name, pa.string()), name in optional) for name in COLUMNS],
        {"canonicalform": str(CANONICAL_FORM)},
    )


def _pages(
    ledger: Ledger, where: tuple[Filter, ...], types: Iterable[str] | None
) -> Iterator[list[Row]]:
    """Rows that match, up to where the head is now: a writer cannot keep an export going."""
    return ledger.pages(upto=ledger.head().sequence, where=where, types=types)


def _batches(pages: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """Pages joined until they make a good row group, in memory or on disk."""
    batch: list[Row] = []
    size = 0
    for page in pages:
        batch += page
        size += sum(len(row.data) for row in page)
        if len(batch) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
