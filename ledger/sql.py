"""The tables as queries see them: the columns that a row has, and no more.

`ledger.tables` declares them with all that a schema says; a test holds the two
and the migrations equal. Queries use this light form because importing SQLModel
costs every command an eighth of a second.
"""

from __future__ import annotations

from typing import get_type_hints

from sqlalchemy import BigInteger, TableClause, Text, column, table

from ledger.rows import Row, StoredCheckpoint


def _light(name: str, row: type) -> TableClause:
    kinds = get_type_hints(row)
    return table(
        name,
        *(column(each, BigInteger() if kind is int else Text()) for each, kind in kinds.items()),
    )


events = _light("events", Row)
checkpoints = _light("checkpoints", StoredCheckpoint)

DECIDING_TYPES = (
    "policy_activated",
    "fleet_configured",
    "preflight_decided",
    "exclusions_decided",
    "parameters_decided",
)
"""Types looked up by type often enough for an index of their own."""

IS_DECIDING = "type IN ({})".format(", ".join(f"'{name}'" for name in DECIDING_TYPES))
"""The condition of that index. SQLite only uses it for a query that holds these very words."""
