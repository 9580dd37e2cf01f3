"""A bare ``sqlite3`` doing what the ledger does: the other yardstick of `benchmarks.ledger`.

The standard library's module writes and reads the same columns, chain hash
included, durably, with the same keys, and promises nothing else: no other
index, no guard against changes, no look for duplicates.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from ledger import Event
from ledger.canonical import GENESIS
from ledger.chain import row_hash
from ledger.rows import Row

_encode = msgspec.json.Encoder(order="sorted").encode
_INSERT = f"INSERT INTO events VALUES ({', '.join('?' * len(Row._fields))})"


@contextlib.contextmanager
def table(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a fresh file with the table in it."""
    columns = [
        f"{name} {'INTEGER' if kind is int else 'TEXT'}"
        f"{' PRIMARY KEY' if name == 'sequence' else ' UNIQUE' if name == 'id' else ''}"
        for name, kind in get_type_hints(Row).items()
    ]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"CREATE TABLE events ({', '.join(columns)})")
        yield connection


def drafts(events: Iterable[Event]) -> Iterator[Row]:
    """Rows without what the ledger sets; encodes the payloads."""
    for each in events:
        yield (
            0,
            each.id,
            each.type,
            each.source,
            each.subject,
            each.time_us,
            each.dataschemaversion,
            each.runid,
            each.step,
            each.correlationid,
            each.causationid,
            _encode(each.data).decode(),
        )


def write(path: Path, batches: Sequence[Sequence[Any]], *, encode: bool = True) -> float:
    """Seconds to write batches, a commit each: of events, or of `drafts` made before."""
    with table(path) as connection:
        sequence, prevhash = 0, GENESIS
        began = time.perf_counter()
        for batch in batches:
            recorded_us = time.time_ns() // 1000
            rows = []
            for draft in drafts(batch) if encode else batch:
                sequence += 1
                row = (sequence, *draft[1:], recorded_us, prevhash, "")
                prevhash = row_hash(row)
                rows.append((*row[:14], prevhash))
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")
        return time.perf_counter() - began


def read_and_hash(path: Path) -> int:
    """Every row read and hashed, nothing compared; how many there are."""
    count = 0
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for row in connection.execute("SELECT * FROM events ORDER BY sequence"):
            row_hash(row)
            count += 1
    return count


def read_and_hash_values(path: Path) -> int:
    """The same, but hashing the bare values: no form that anyone else could check."""
    count = 0
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for row in connection.execute("SELECT * FROM events ORDER BY sequence"):
            sha256(repr(row).encode()).hexdigest()
            count += 1
    return count
