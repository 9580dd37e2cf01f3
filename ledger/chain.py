"""The hash chain: what of a stored row is hashed, and how an export writes it.

Pure text: neither database nor typed event takes part, so that whoever verifies
an export needs no more than `docs/event-format.md`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any

from ledger.rows import Row
from ledger.times import format_time

_recorded_text = lru_cache(maxsize=64)(format_time)
"""Events of a batch share the time at which they were stored."""


def hash_input(row: Row) -> bytes:
    """The bytes whose SHA-256 is the row's hash.

    They are the canonical JSON (RFC 8785) of the event as `export` writes it,
    without ``hash``.
    """
    return _canonical(row[:-1], "")


def row_hash(row: Row) -> str:
    """Lower-case hexadecimal SHA-256 of `hash_input`."""
    return hashlib.sha256(_canonical(row[:-1], "")).hexdigest()


def chained(draft: Row, sequence: int, recorded_us: int, prevhash: str) -> Row:
    """A draft as it is stored at its position, after the event whose hash is ``prevhash``."""
    stored = (sequence, *draft[1:12], recorded_us, prevhash)
    return Row._make((*stored, hashlib.sha256(_canonical(stored, "")).hexdigest()))


def wire_line(row: Row) -> bytes:
    """The stored event as `export` writes it, in the canonical form, without a line end."""
    return _canonical(row[:-1], f'"hash":{_quoted(row.hash)},')


def _canonical(hashed: tuple[Any, ...], own_hash: str) -> bytes:
    # Assembled by hand because the payload is stored in that form already. JSON
    # strings have one canonical spelling, and it is the standard library's.
    (
        sequence, id_, type_, source, subject, time_us, version, runid, step,
        correlationid, causationid, data, recorded_us, prevhash,
    ) = hashed  # fmt: skip
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
