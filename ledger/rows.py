"""What is stored, row by row; rows as typed events, and events as rows about to be stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ledger.errors import Conflict, Damaged
from ledger.event import Event, payload_text
from ledger.payloads import OwnPayload
from ledger.registry import PAYLOAD_TYPES, decode_payload
from ledger.times import FIRST_US, LAST_US


class Row(NamedTuple):
    """One stored event, the columns of ``events`` in their order.

    ``data`` is the canonical payload; times are microseconds since the epoch.
    """

    sequence: int
    id: str
    type: str
    source: str
    subject: str
    time_us: int
    dataschemaversion: int
    runid: str | None
    step: str | None
    correlationid: str | None
    causationid: str | None
    data: str
    recorded_us: int
    prevhash: str
    hash: str

    @property
    def content(self) -> tuple[object, ...]:
        """What makes up the event without its id and what the ledger sets: type to data."""
        return self[2:12]


class StoredCheckpoint(NamedTuple):
    """A fold's state up to a position, the columns of ``checkpoints`` in their order.

    Whether it can be trusted is for its owner to say, who knows what ``digest``
    is of, and has the key that ``key_id`` names.
    """

    fold: str
    sequence: int
    at_us: int
    newest_us: int
    chain_hash: str
    state: str
    digest: str
    key_id: str


def to_event(row: Row | tuple[Any, ...]) -> Event:
    """The typed event in a row, or in its bare values; raises `Damaged`."""
    (
        sequence, id_, type_, source, subject, time_us, version, runid, step,
        correlationid, causationid, data, recorded_us, prevhash, hash_,
    ) = row  # fmt: skip
    if not (FIRST_US <= time_us <= LAST_US and FIRST_US <= recorded_us <= LAST_US):
        raise Damaged(f"position {sequence} has a time beyond the years 1 to 9999", sequence)
    try:
        payload = decode_payload(type_, version, data)
        current = version == payload.version and not isinstance(payload, OwnPayload)
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
        kept=None if current else (payload, data),
    )


def to_row(event: Event) -> Row:
    """The row of an event, with what it carries of the ledger's own attributes."""
    return Row(
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


def same_content(one: Event, other: Event) -> bool:
    """Whether two events with one id are one event: equal but for what the ledger sets."""
    return to_row(one).content == to_row(other).content


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
