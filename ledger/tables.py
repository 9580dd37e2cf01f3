"""The ledger's tables, declared with SQLModel.

The declaration is what migrations are checked against (a test compares it with
the migrated schema on both databases). The triggers that keep ``events``
append-only are part of the migrations: SQLModel has no words for them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, Text
from sqlmodel import Field, Index, SQLModel, text

from ledger.sql import IS_DECIDING

# SQLite's rowid alias must be spelt INTEGER, and STRICT tables know no BIGINT.
_Integer: Any = BigInteger().with_variant(Integer(), "sqlite")

_decided = text(IS_DECIDING)


class EventRow(SQLModel, table=True):
    """One stored event. ``data`` is canonical JSON text; times are microseconds since the epoch."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_by_time", "time_us", "sequence"),
        Index(
            "events_deciding",
            "type",
            "sequence",
            sqlite_where=_decided,
            postgresql_where=_decided,
        ),
        Index(
            "events_by_run",
            "runid",
            "sequence",
            sqlite_where=text("runid IS NOT NULL"),
            postgresql_where=text("runid IS NOT NULL"),
        ),
        {"sqlite_strict": True},
    )

    sequence: int = Field(
        primary_key=True, sa_type=_Integer, sa_column_kwargs={"autoincrement": False}
    )
    id: str = Field(sa_type=Text, unique=True)
    type: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    time_us: int = Field(sa_type=_Integer)
    dataschemaversion: int = Field(sa_type=_Integer)
    runid: str | None = Field(default=None, sa_type=Text)
    step: str | None = Field(default=None, sa_type=Text)
    correlationid: str | None = Field(default=None, sa_type=Text)
    causationid: str | None = Field(default=None, sa_type=Text)
    data: str = Field(sa_type=Text)
    recorded_us: int = Field(sa_type=_Integer)
    prevhash: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)


class CheckpointRow(SQLModel, table=True):
    """A fold's state up to a position: disposable, rebuilt it is the same."""

    __tablename__ = "checkpoints"
    __table_args__ = ({"sqlite_strict": True},)

    fold: str = Field(primary_key=True, sa_type=Text)
    sequence: int = Field(
        primary_key=True, sa_type=_Integer, sa_column_kwargs={"autoincrement": False}
    )
    at_us: int = Field(sa_type=_Integer)
    newest_us: int = Field(sa_type=_Integer)
    chain_hash: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    key_id: str = Field(sa_type=Text, sa_column_kwargs={"server_default": ""})
