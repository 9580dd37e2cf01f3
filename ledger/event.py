"""Events: typed facts, and their CloudEvents 1.0 form on the wire.

Nothing becomes an `Event` without passing `new_event` or `from_wire`, which
check everything the contract asks and name every problem found, so a ledger
never has to refuse half a batch. This module knows no database and no clock.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

import msgspec

from ledger.canonical import canonical
from ledger.errors import InvalidEvents, Problem
from ledger.event_checks import (
    ATTRIBUTES,
    LEDGER_ATTRIBUTES,
    check_attributes,
    check_numbers_and_text,
    check_payload,
    nearest,
)
from ledger.identifiers import new_event_id, normalize_subject
from ledger.payloads import Json, Payload
from ledger.registry import PAYLOAD_TYPES
from ledger.times import InvalidTime, format_time, parse_time

MAX_PAYLOAD_BYTES = 1024 * 1024
"""Default limit for one canonical payload (1 MiB)."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, with who saw it, what it is about, and where it stands in the ledger.

    Times are microseconds since the epoch (UTC). ``sequence``, ``recorded_us``,
    ``prevhash`` and ``hash`` are the ledger's; they are zero or empty until the
    event has been stored. ``data`` is always of the type's current version;
    ``dataschemaversion`` is the version it was stored with.
    """

    id: str
    type: str
    source: str
    subject: str
    time_us: int
    data: Payload
    dataschemaversion: int = 1
    runid: str | None = None
    step: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    sequence: int = 0
    recorded_us: int = 0
    prevhash: str = ""
    hash: str = ""
    stored_text: str | None = None
    """The payload's canonical text where it was stored in an older version."""

    @property
    def time(self) -> str:
        """When it happened, as canonical text."""
        return format_time(self.time_us)


def new_event(
    payload: Payload,
    *,
    time_us: int,
    source: str,
    subject: str | None = None,
    id: str | None = None,
    runid: str | None = None,
    step: str | None = None,
    correlationid: str | None = None,
    causationid: str | None = None,
) -> Event:
    """A checked event around ``payload``; `InvalidEvents` names all that is wrong.

    ``subject`` defaults to what the payload says it is about, ``id`` to a fresh
    UUIDv7. The payload is brought into its one spelling on the way.
    """
    wire: Json = {
        "id": id,
        "type": payload.event_type,
        "source": source,
        "subject": subject,
        "time": format_time(time_us),
        "dataschemaversion": payload.version,
        "runid": runid,
        "step": step,
        "correlationid": correlationid,
        "causationid": causationid,
        "data": msgspec.to_builtins(payload),
    }
    return from_wire(wire)


def from_wire(
    wire: Any, *, line: int = 0, stored: bool = False, max_bytes: int = MAX_PAYLOAD_BYTES
) -> Event:
    """The event in a CloudEvents JSON object, checked and completed.

    ``stored`` keeps the four attributes that the ledger sets (as `restore`
    needs); otherwise they are ignored. Raises `InvalidEvents`.
    """
    problems: list[Problem] = []
    event = _from_wire(wire, line, stored, max_bytes, problems)
    if event is None:
        raise InvalidEvents(problems)
    return event


def parse_ndjson(
    lines: Iterable[str | bytes], *, stored: bool = False, max_bytes: int = MAX_PAYLOAD_BYTES
) -> list[Event]:
    """The events of NDJSON lines; blank lines are passed over.

    Raises one `InvalidEvents` that names the problems of every line.
    """
    events: list[Event] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            wire = load_json(line)
        except ValueError as error:
            problems.append(Problem("(line)", str(error), "write one JSON object a line", number))
            continue
        event = _from_wire(wire, number, stored, max_bytes, problems)
        if event is not None:
            events.append(event)
    if problems:
        raise InvalidEvents(problems)
    return events


def to_wire(event: Event) -> Json:
    """The CloudEvents JSON object of an event, ledger attributes included once stored."""
    wire: Json = {
        "specversion": "1.0",
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "time": format_time(event.time_us),
        "dataschemaversion": event.dataschemaversion,
    }
    for name in ("runid", "step", "correlationid", "causationid"):
        value = getattr(event, name)
        if value is not None:
            wire[name] = value
    wire["data"] = (
        msgspec.to_builtins(event.data)
        if event.stored_text is None
        else msgspec.json.decode(event.stored_text)
    )
    if event.sequence:
        wire["sequence"] = event.sequence
        wire["recordedtime"] = format_time(event.recorded_us)
        wire["prevhash"] = event.prevhash
        wire["hash"] = event.hash
    return wire


def load_json(text: str | bytes) -> Any:
    """JSON as strict as an append-only log needs it.

    Duplicate keys, NaN, infinities (also ``1e999``) and invalid UTF-8 raise
    `ValueError`, as does nesting too deep to parse.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 (byte {error.start})") from None
    try:
        return json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is not JSON; write "nan", "inf" or "-inf" as text where allowed')


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is too large")
    return value


def _from_wire(
    wire: Any, line: int, stored: bool, max_bytes: int, problems: list[Problem]
) -> Event | None:
    """One event, or None with what is wrong added to ``problems``."""
    if not isinstance(wire, dict):
        problems.append(Problem("(line)", "not a JSON object", "write one object an event", line))
        return None
    before = len(problems)
    wire = {key: value for key, value in wire.items() if value is not None}

    def wrong(field: str, message: str, remedy: str) -> None:
        problems.append(Problem(field, message, remedy, line))

    for name in wire:
        if name not in ATTRIBUTES:
            wrong(str(name), "unknown attribute", f"remove it, or did you mean {nearest(name, ATTRIBUTES)}?")
    check_attributes(wire, wrong, stored)

    time_us = recorded_us = 0
    for name in ("time", "recordedtime") if stored else ("time",):
        value = wire.get(name)
        if isinstance(value, str):
            try:
                parsed = parse_time(value)
            except InvalidTime as error:
                wrong(name, str(error), "give a full RFC 3339 time")
            else:
                time_us, recorded_us = (parsed, recorded_us) if name == "time" else (time_us, parsed)

    checked: tuple[Payload, str] | None = None
    data, event_type, version = wire.get("data"), wire.get("type"), wire.get("dataschemaversion", 1)
    known = isinstance(event_type, str) and event_type in PAYLOAD_TYPES
    if "data" not in wire:
        wrong("data", "missing", "give the payload as an object (it may be empty: {})")
    elif not isinstance(data, dict):
        wrong("data", "not an object", "give the payload as a JSON object")
    elif check_numbers_and_text(data, wrong) and known and type(version) is int:
        checked = check_payload(str(event_type), version, data, wrong, max_bytes)
    if checked is None or len(problems) > before:
        return None

    payload, text = checked
    subject = wire.get("subject")
    subject = normalize_subject(subject) if subject else payload.default_subject()
    runid = wire.get("runid")
    subject = subject or (f"run/{runid}" if runid else None)
    if subject is None:
        wrong("subject", "missing", "say what the event is about, for example run/R1 or node/rig-6600")
        return None
    for field, message, remedy in payload.contradictions(subject):
        wrong(field, message, remedy)
    if len(problems) > before:
        return None
    ledgers = {name: wire[name] for name in LEDGER_ATTRIBUTES if stored and name in wire}
    return Event(
        id=wire.get("id") or new_event_id(),
        type=str(event_type),
        source=wire["source"],
        subject=subject,
        time_us=time_us,
        data=payload,
        dataschemaversion=version,
        runid=runid,
        step=wire.get("step"),
        correlationid=wire.get("correlationid"),
        causationid=wire.get("causationid"),
        sequence=ledgers.get("sequence", 0),
        recorded_us=recorded_us,
        prevhash=ledgers.get("prevhash", ""),
        hash=ledgers.get("hash", ""),
        stored_text=text if version != payload.version else None,
    )


def payload_text(event: Event) -> str:
    """The canonical JSON text of an event's payload, as it is stored."""
    return event.stored_text or canonical(event.data).decode()
