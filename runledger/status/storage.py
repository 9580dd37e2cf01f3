"""The ledger as something stored: its size, its growth, and how long the disk will do."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from ledger import Head
from ledger.growth import recorded_us, size_bytes, stored_since
from ledger.location import locate
from ledger.times import SECOND_US, InvalidTime, format_time, parse_time
from runledger.config.session import Session
from runledger.status.backups import last_backup

_DAY_US = 86_400 * SECOND_US
_WINDOW_US = 7 * _DAY_US
_SHORTEST_US = _DAY_US
"""A ledger of an hour says nothing of its days."""


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """The last backup that verified; ``present`` is whether its file is still there."""

    file: str
    time: str
    age_s: float
    sequence: int
    behind: int
    """Events stored since."""
    present: bool


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's head, size and growth; None where it cannot be known.

    Growth is that of the last seven days, of as many as there are, by the mean
    size of an event; it is not told of a ledger younger than a day. The free
    space of a server's disk is not ours to see.
    """

    location: str
    database: str
    sequence: int
    hash: str
    recorded: str | None
    """When the newest event was stored."""
    size_bytes: int
    bytes_per_day: float | None
    events_per_day: float | None
    free_bytes: int | None
    days_until_full: float | None
    backup: Backup | None


def storage_of(session: Session, head: Head, now_us: int) -> Storage:
    """How the ledger is stored."""
    ledger = session.ledger
    size = size_bytes(ledger)
    newest_us = recorded_us(ledger, head.sequence) if head.sequence else None
    per_day = _events_per_day(session, head.sequence, now_us)
    growth = None if per_day is None else per_day * size / head.sequence
    free = _free(session)
    return Storage(
        location=session.settings.shown_ledger,
        database=ledger.database,
        sequence=head.sequence,
        hash=head.hash,
        recorded=None if newest_us is None else format_time(newest_us),
        size_bytes=size,
        bytes_per_day=growth,
        events_per_day=per_day,
        free_bytes=free,
        days_until_full=free / growth if free is not None and growth else None,
        backup=_backup(session, head, now_us),
    )


def _events_per_day(session: Session, sequence: int, now_us: int) -> float | None:
    if not sequence:
        return None
    oldest_us = recorded_us(session.ledger, 1)
    since_us = max(now_us - _WINDOW_US, oldest_us)
    span_us = now_us - since_us
    if span_us < _SHORTEST_US:
        return None
    return stored_since(session.ledger, sequence, since_us) * _DAY_US / span_us


def _free(session: Session) -> int | None:
    if session.ledger.database != "sqlite":
        return None
    try:
        return shutil.disk_usage(Path(str(locate(session.settings.ledger).database)).parent).free
    except OSError:
        return None


def _backup(session: Session, head: Head, now_us: int) -> Backup | None:
    note = last_backup(session.settings)
    if note is None:
        return None
    try:
        age_us = now_us - parse_time(note.time)
    except InvalidTime:
        return None
    return Backup(
        file=note.file,
        time=note.time,
        age_s=age_us / SECOND_US,
        sequence=note.sequence,
        behind=max(0, head.sequence - note.sequence),
        present=Path(note.file).is_file(),
    )
