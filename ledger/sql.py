"""The tables as queries see them, and rows as they are hashed.

`ledger.tables` declares the same tables with SQLModel, for migrations; a test
holds the two equal. Queries use this light form because importing SQLModel
costs every command a third of a second.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any

from sqlalchemy import BigInteger, Text, column, table

from ledger.times import format_time

EVENT_COLUMNS = (
    "sequence",
    "id",
    "type",
    "source",
    "subject",
    "time_us",
    "dataschemaversion",
    "runid",
    "step",
    "correlationid",
    "causationid",
    "data",
    "recorded_us",
    "prevhash",
    "hash",
)
"""Columns of ``events`` in the order every statement here uses."""

INTEGER_COLUMNS = frozenset({"sequence", "time_us", "dataschemaversion", "recorded_us"})

events = table(
    "events",
    *(column(name, BigInteger() if name in INTEGER_COLUMNS else Text()) for name in EVENT_COLUMNS),
)

checkpoints = table(
    "checkpoints",
    column("fold", Text()),
    column("sequence", BigInteger()),
    column("at_us", BigInteger()),
    column("newest_us", BigInteger()),
    column("chain_hash", Text()),
    column("state", Text()),
    column("digest", Text()),
)

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

Row = tuple[Any, ...]

_recorded_text = lru_cache(maxsize=64)(format_time)
"""Events of a batch share the time at which they were stored."""


def hash_input(row: Row) -> bytes:
    """The bytes whose SHA-256 is the row's hash.

    They are the canonical JSON (RFC 8785) of the event as `export` writes it,
    without ``hash``.
    """
    return _canonical(row, "")


def wire_line(row: Row) -> bytes:
    """The stored event as `export` writes it, in the canonical form, without a line end."""
    return _canonical(row, f'"hash":{_quoted(row[14])},')


def _canonical(row: Row, own_hash: str) -> bytes:
    # Assembled by hand because the payload is stored in that form already. JSON
    # strings have one canonical spelling, and it is the standard library's.
    (
        sequence,
        id_,
        type_,
        source,
        subject,
        time_us,
        version,
        runid,
        step,
        correlationid,
        causationid,
        data,
        recorded_us,
        prevhash,
        _,
    ) = row
    optional = ""
    if correlationid is not None or causationid is not None:
        if causationid is not None:
            optional = f'"causationid":{_quoted(causationid)},'
        if correlationid is not None:
            optional += f'"correlationid":{_quoted(correlationid)},'
    run = "" if runid is None else f'"runid":{_quoted(runid)},'
    in_step = "" if step is None else f'"step":{_quoted(step)},'
    return (
        f'{{{optional}"data":{data},"dataschemaversion":{version},{own_hash}"id":{_quoted(id_)},'
        f'"prevhash":{_quoted(prevhash)},"recordedtime":"{_recorded_text(recorded_us)}",{run}'
        f'"sequence":{sequence},"source":{_quoted(source)},"specversion":"1.0",{in_step}'
        f'"subject":{_quoted(subject)},"time":"{format_time(time_us)}","type":{_quoted(type_)}}}'
    ).encode()


def row_hash(row: Row) -> str:
    """Lower-case hexadecimal SHA-256 of `hash_input`."""
    return hashlib.sha256(_canonical(row, "")).hexdigest()
