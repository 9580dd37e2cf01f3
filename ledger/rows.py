"""Stored rows as typed events, and events as rows about to be stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.errors import Conflict, Damaged
from ledger.event import Event, payload_text
from ledger.registry import PAYLOAD_TYPES, decode_payload
from ledger.sql import Row
from ledger.times import FIRST_US, LAST_US

CONTENT = slice(2, 12)
"""The columns of a row that make up an event's content (type to data), without its id."""


def to_event(row: Sequence[Any]) -> Event:
    """The typed event in a row of `EVENT_COLUMNS`; raises `Damaged`."""
    (
        sequence, id_, type_, source, subject, time_us, version, runid, step,
        correlationid, causationid, data, recorded_us, prevhash, hash_,
    ) = row  # fmt: skip
    if not (FIRST_US <= time_us <= LAST_US and FIRST_US <= recorded_us <= LAST_US):
        raise Damaged(f"position {sequence} has a time beyond the years 1 to 9999", sequence)
    try:
        payload = decode_payload(type_, version, data)
        current = version == payload.version
    except (KeyError, ValueError, TypeError) as error:
        if type_ not in PAYLOAD_TYPES:
            raise Damaged(f"position {sequence} has the unknown type {type_!r}", sequence) from None
        raise Damaged(
            f"position {sequence} cannot be read as {type_}: {error}", sequence
        ) from error
    return Event(
        id=id_,
        type=type_,
        source=source,
        subject=subject,
        time_us=time_us,
        data=payload,
        dataschemaversion=version,
        runid=runid,
        step=step,
        correlationid=correlationid,
        causationid=causationid,
        sequence=sequence,
        recorded_us=recorded_us,
        prevhash=prevhash,
        hash=hash_,
        stored_text=None if current else data,
    )


def same_content(one: Event, other: Event) -> bool:
    """Whether two events with one id are one event: equal but for what the ledger sets."""
    return to_row(one)[CONTENT] == to_row(other)[CONTENT]


def once_each(events: Iterable[Event]) -> list[Event]:
    """Events as an append would take them: the first of each id.

    Raises `Conflict` where two with one id differ.
    """
    found: dict[str, Event] = {}
    conflicts: dict[str, None] = {}
    for event in events:
        first = found.setdefault(event.id, event)
        if not same_content(first, event):
            conflicts[event.id] = None
    if conflicts:
        raise Conflict(list(conflicts))
    return list(found.values())


def to_row(event: Event) -> Row:
    """The row of an event, with what it carries of the ledger's own attributes."""
    return (
        event.sequence,
        event.id,
        event.type,
        event.source,
        event.subject,
        event.time_us,
        event.dataschemaversion,
        event.runid,
        event.step,
        event.correlationid,
        event.causationid,
        payload_text(event),
        event.recorded_us,
        event.prevhash,
        event.hash,
    )
