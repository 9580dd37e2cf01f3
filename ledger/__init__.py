"""The ledger: typed events in an append-only, hash-chained log on SQLite or PostgreSQL.

This package knows nothing of rules, rigs or command lines. Its public surface
is what is listed here.
"""

from __future__ import annotations

from ledger.errors import (
    Conflict,
    Damaged,
    HeadMoved,
    InvalidEvents,
    InvalidFilter,
    LedgerError,
    NotFound,
    Problem,
    SchemaMismatch,
    Unavailable,
)
from ledger.event import Event, from_wire, new_event, parse_ndjson, to_wire
from ledger.filters import Filter, parse_filter, parse_filters
from ledger.store import Appended, Head, Ledger, open_ledger
from ledger.verify import Verification, verify

__all__ = [
    "Appended",
    "Conflict",
    "Damaged",
    "Event",
    "Filter",
    "Head",
    "HeadMoved",
    "InvalidEvents",
    "InvalidFilter",
    "Ledger",
    "LedgerError",
    "NotFound",
    "Problem",
    "SchemaMismatch",
    "Unavailable",
    "Verification",
    "from_wire",
    "new_event",
    "open_ledger",
    "parse_filter",
    "parse_filters",
    "parse_ndjson",
    "to_wire",
    "verify",
]
