"""Whether the database still is as the migrations made it, beside what `ledger.verify` proves.

Its guards are triggers that refuse to change what is stored. Whoever owns the
database can take them away; `verify` finds what was changed then, and this
finds that anything could be. Its indexes lead readers to events: one that
leaves some out hides them, though the chain is whole.
"""

from __future__ import annotations

from sqlalchemy import text

from ledger.store import Ledger
from ledger.translation import translated

_SQLITE = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'events'"
# 'A': fires always, for sessions that claim to be a replica, too.
_POSTGRES = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgenabled = 'A'"

_NAMED_AT_MOST = 3

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


def broken_parts(ledger: Ledger) -> list[str]:
    """What SQLite finds wrong with its file, indexes included, in its words; none: all is well.

    PostgreSQL looks after its own files.
    """
    if ledger.engine.dialect.name != "sqlite":
        return []
    with translated("looking through the file"), ledger.engine.connect() as connection:
        found = connection.execute(text(f"PRAGMA integrity_check({_NAMED_AT_MOST})")).scalars()
        return [line for line in found if line != "ok"]
