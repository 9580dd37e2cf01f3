"""Events: typed facts, and their CloudEvents 1.0 form on the wire.

Nothing becomes an `Event` without passing `new_event` or `from_wire`, which
check everything the contract asks and name every problem found, so a ledger
never has to refuse half a batch. This module knows no database and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ledger.canonical import canonical
from ledger.errors import InvalidEvents, Problem
from ledger.event_checks import Wrong, check_attributes, check_text_attribute, instead
from ledger.identifiers import new_event_id, normalize_subject
from ledger.payload_checks import check_own_payload, check_payload, check_values
from ledger.payloads import Json, Payload, is_own_type
from ledger.registry import PAYLOAD_TYPES
from ledger.strict_json import BadJson, load_json
from ledger.times import InvalidTime, format_time, parse_time

MAX_PAYLOAD_BYTES = 1024 * 1024
"""Default limit for one canonical payload (1 MiB)."""
MOST_PROBLEMS = 1000
"""After so many problems the rest of a batch is not looked at."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    kept: tuple[Payload, str] | None = None
    """A payload and its canonical text, as checked or stored: true while ``data`` is that one."""

    @property
    def time(self) -> str:
        """When it happened, as canonical text."""
        return format_time(self.time_us)

    @property
    def run(self) -> str | None:
        """The run it belongs to: its ``runid``, else the run that it is about."""
        kind, _, name = self.subject.partition("/")
        return self.runid or (name if kind == "run" and name else None)

    @property
    def supersedes(self) -> str | None:
        """The id of the event of the same moment that this one reads anew; that counts no more.

        Before payloads said so, the source did, and the cause named it.
        """
        stated: str | None = getattr(self.data, "supersedes", None)
        if stated is None and self.source.startswith("reclassify/"):
            return self.causationid
        return stated


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
    try:
        moment = format_time(time_us)
    except OverflowError:
        remedy = "give microseconds since 1970 within the years 1 to 9999"
        raise InvalidEvents([Problem("time", f"{time_us} is no time", remedy)]) from None
    wire: Json = {
        "id": id,
        "type": payload.event_type,
        "source": source,
        "subject": subject,
        "time": moment,
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
    event = _from_wire(wire, line, problems, stored=stored, max_bytes=max_bytes)
    if event is None:
        raise InvalidEvents(problems)
    return event


def parse_ndjson(
    lines: Iterable[str | bytes], *, stored: bool = False, max_bytes: int = MAX_PAYLOAD_BYTES
) -> list[Event]:
    """The events of NDJSON lines; blank lines are passed over.

    Raises one `InvalidEvents` that names the problems of every line, up to the
    line at which they are more than `MOST_PROBLEMS`.
    """
    events: list[Event] = []
    problems: list[Problem] = []
    # Not `splitlines`: inside a JSON string, U+2028 and its like are no line's end.
    if isinstance(lines, str):
        lines = lines.split("\n")
    elif isinstance(lines, bytes):
        lines = lines.split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            event = parse_line(number, line, problems, stored=stored, max_bytes=max_bytes)
            if event is not None:
                events.append(event)
            elif len(problems) > MOST_PROBLEMS:
                break
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
    wire["data"] = msgspec.json.decode(payload_text(event))
    if event.sequence:
        wire["sequence"] = event.sequence
        wire["recordedtime"] = format_time(event.recorded_us)
        wire["prevhash"] = event.prevhash
        wire["hash"] = event.hash
    return wire


def parse_line(
    number: int, line: str | bytes, problems: list[Problem], *, stored: bool, max_bytes: int
) -> Event | None:
    """The event of one NDJSON line, or None with what is wrong added to ``problems``."""
    try:
        wire = load_json(line)
    except BadJson as error:
        problems.append(Problem(error.field, str(error), error.remedy, number))
        return None
    return _from_wire(wire, number, problems, stored=stored, max_bytes=max_bytes)


def _from_wire(
    wire: Any, line: int, problems: list[Problem], *, stored: bool, max_bytes: int
) -> Event | None:
    """One event, or None with what is wrong added to ``problems``."""
    if not isinstance(wire, dict):
        problems.append(Problem("(line)", "not a JSON object", "write one object an event", line))
        return None
    before = len(problems)

    def wrong(field: str, message: str, remedy: str) -> None:
        problems.append(Problem(field, message, remedy, line))

    check_attributes(wire, wrong, stored=stored)
    time_us = _time(wire, "time", wrong)
    recorded_us = _time(wire, "recordedtime", wrong) if stored else 0
    checked = _check_data(wire, wrong, stored=stored, max_bytes=max_bytes)
    if checked is None:
        return None
    payload, _ = checked
    subject = _subject(wire, payload, wrong)
    if len(problems) > before:
        return None
    return Event(
        id=wire.get("id") or new_event_id(),
        type=wire["type"],
        source=wire["source"],
        subject=subject,
        time_us=time_us,
        data=payload,
        dataschemaversion=wire.get("dataschemaversion") or 1,
        runid=wire.get("runid"),
        step=wire.get("step"),
        correlationid=wire.get("correlationid"),
        causationid=wire.get("causationid"),
        sequence=wire["sequence"] if stored else 0,
        recorded_us=recorded_us,
        prevhash=wire["prevhash"] if stored else "",
        hash=wire["hash"] if stored else "",
        kept=checked,
    )


def _time(wire: Json, name: str, wrong: Wrong) -> int:
    value = wire.get(name)
    if isinstance(value, str):
        try:
            return parse_time(value)
        except InvalidTime as error:
            wrong(name, str(error), "give a full RFC 3339 time")
    return 0


def _check_data(
    wire: Json, wrong: Wrong, *, stored: bool, max_bytes: int
) -> tuple[Payload, str] | None:
    data, event_type, version = wire.get("data"), wire.get("type"), wire.get("dataschemaversion")
    version = 1 if version is None else version
    if data is None:
        wrong("data", "missing", "give the payload as an object (it may be empty: {})")
    elif not isinstance(data, dict):
        wrong("data", instead(data, "an object"), "give the payload as an object")
    elif is_own_type(event_type) and type(version) is int:
        return check_own_payload(data, wrong, max_bytes=max_bytes)
    elif isinstance(event_type, str) and event_type in PAYLOAD_TYPES and type(version) is int:
        if version >= 1:
            return check_payload(
                event_type, version, data, wrong, max_bytes=max_bytes, stored=stored
            )
    else:  # of what type it is cannot be told: its values can still be looked at
        for problem in check_values(data):
            wrong(*problem)
    return None


def _subject(wire: Json, payload: Payload, wrong: Wrong) -> str:
    given, runid = wire.get("subject"), wire.get("runid")
    if isinstance(given, str) and given:
        subject = normalize_subject(given)
    elif given is not None:
        return ""  # named with the attributes
    else:
        subject = payload.default_subject() or (f"run/{runid}" if runid else "")
        if not subject:
            wrong(
                "subject",
                "missing",
                "say what the event is about, for example run/R1 or node/rig-6600",
            )
            return ""
        check_text_attribute("subject", subject, wrong)
    for field, message, remedy in payload.contradictions(subject):
        wrong(field, message, remedy)
    return subject


def payload_text(event: Event) -> str:
    """The canonical JSON text of an event's payload, as it is stored."""
    if event.kept is not None and event.kept[0] is event.data:
        return event.kept[1]
    return canonical(event.data.as_json()).decode()
