"""Whether the database still refuses to change what is stored.

The guards are triggers, made by the first migration. Whoever owns the database
can take them away; `ledger.verify` finds what was changed then, and this finds
that anything could be.
"""

from __future__ import annotations

from sqlalchemy import text

from ledger.store import Ledger
from ledger.translation import translated

_SQLITE = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'events'"
# 'A': fires always, for sessions that claim to be a replica, too.
_POSTGRES = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgenabled = 'A'"

_NAMES = {
    _SQLITE: ("events_next_only", "events_no_delete", "events_no_update"),
    _POSTGRES: ("events_next_only", "events_no_change", "events_no_truncate"),
}


def missing_guards(ledger: Ledger) -> list[str]:
    """The triggers on ``events`` that are not there, or not in force; none: all is well."""
    query = _SQLITE if ledger.engine.dialect.name == "sqlite" else _POSTGRES
    with translated("looking for the guards"), ledger.engine.connect() as connection:
        there = set(connection.execute(text(query)).scalars())
    return [name for name in _NAMES[query] if name not in there]
