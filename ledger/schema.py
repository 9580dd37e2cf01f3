"""Whether the database still is as the migrations made it, beside what `ledger.verify` proves.

Its guards are triggers that refuse to change what is stored; whoever owns the
database can take them away, or make others of the same names that do nothing.
`verify` finds what was changed then, and this finds that anything could be. Its
views and indexes lead readers to events: one that leaves some out hides them,
though the chain is whole. So every part is compared by its definition with one
that the migrations make now, on the same database.
"""

from __future__ import annotations

from ledger.migrate import run_migrations
from ledger.store import Ledger
from ledger.translation import translated


def schema_differences(ledger: Ledger) -> list[str]:
    """Every trigger, function, rule, view, index and table that is not as it was made.

    Such as ``trigger events_no_delete is missing``, ``view v_runs was changed``
    or ``trigger t on events is not the ledger's``; none: all is well. Raises
    `Unavailable` where this user has no right to make the tables to compare with.
    """
    backend = ledger._backend
    with translated("comparing the schema"):
        with backend.engine.connect() as connection:
            there = backend.definitions(connection)
        made = backend.fresh_definitions(run_migrations)
    said = []
    for name in sorted({*there, *made}):
        if name not in there:
            said.append(f"{name} is missing")
        elif name not in made:
            said.append(f"{name} is not the ledger's")
        elif there[name] != made[name]:
            said.append(f"{name} was changed")
    return said


def not_writable(ledger: Ledger) -> str:
    """Why nobody can write to this ledger, such as a standby; empty where that is not so."""
    with translated("asking the server"):
        return ledger._backend.not_writable()


def broken_parts(ledger: Ledger) -> list[str]:
    """What the database finds wrong with its own files, in its words; none: all is well."""
    with translated("looking through the file"):
        return ledger._backend.broken_parts()
