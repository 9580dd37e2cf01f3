"""The ledger: typed events in an append-only, hash-chained log on SQLite or PostgreSQL.

This package knows nothing of rules, rigs or command lines. Its public surface
is what is listed here.
"""

from __future__ import annotations

from ledger.backup import backup
from ledger.checkpoints import Checkpoints
from ledger.errors import (
    AlreadyThere,
    Conflict,
    Damaged,
    HeadMoved,
    InvalidEvents,
    InvalidFilter,
    InvalidLocation,
    LedgerError,
    NotADatabase,
    NotEmpty,
    NotFound,
    NotStored,
    Problem,
    SchemaMismatch,
    Unavailable,
)
from ledger.event import Event, from_wire, new_event, parse_ndjson, to_wire
from ledger.export import export_lines
from ledger.filters import Filter, parse_filter, parse_filters
from ledger.migrate import HEAD_REVISION, upgrade
from ledger.node_locks import NodeLocks
from ledger.restore import restore
from ledger.rows import Row, StoredCheckpoint, once_each
from ledger.schema import broken_parts, not_writable, schema_differences
from ledger.store import Appended, Head, Ledger, open_ledger
from ledger.verify import Verification, verify

__all__ = [
    "HEAD_REVISION",
    "AlreadyThere",
    "Appended",
    "Checkpoints",
    "Conflict",
    "Damaged",
    "Event",
    "Filter",
    "Head",
    "HeadMoved",
    "InvalidEvents",
    "InvalidFilter",
    "InvalidLocation",
    "Ledger",
    "LedgerError",
    "NodeLocks",
    "NotADatabase",
    "NotEmpty",
    "NotFound",
    "NotStored",
    "Problem",
    "Row",
    "SchemaMismatch",
    "StoredCheckpoint",
    "Unavailable",
    "Verification",
    "backup",
    "broken_parts",
    "export_lines",
    "from_wire",
    "new_event",
    "not_writable",
    "once_each",
    "open_ledger",
    "parse_filter",
    "parse_filters",
    "parse_ndjson",
    "restore",
    "schema_differences",
    "to_wire",
    "upgrade",
    "verify",
]
