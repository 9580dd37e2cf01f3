"""The checks an event must pass, each problem named by field and remedy.

Separate from `ledger.event` so that what is checked can be read in one place.
Nothing here stores or repairs; payload types bring their own spelling rules
(`Payload.normalize`) and contradictions.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ledger.canonical import canonical
from ledger.payloads import Json, Payload
from ledger.registry import PAYLOAD_TYPES, decode_payload

Wrong = Callable[[str, str, str], None]
"""Reports one problem: field, what is wrong, what to do."""

LEDGER_ATTRIBUTES = ("sequence", "recordedtime", "prevhash", "hash")
ATTRIBUTES = (
    "specversion",
    "id",
    "type",
    "source",
    "subject",
    "time",
    "dataschemaversion",
    "datacontenttype",
    "runid",
    "step",
    "correlationid",
    "causationid",
    "data",
    *LEDGER_ATTRIBUTES,
)

_MAX_SAFE_INTEGER = 2**53
_MAX_DEPTH = 64
_MAX_ATTRIBUTE = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_HEX_HASH = re.compile(r"[0-9a-f]{64}\Z")
_TEXT_ATTRIBUTES = ("id", "source", "subject", "runid", "step", "correlationid", "causationid")


def nearest(word: object, known: Iterable[str]) -> str:
    """The known word that ``word`` was most likely meant to be."""
    known = sorted(known)
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.0)
    return close[0] if close else "?"


def check_attributes(wire: Json, wrong: Wrong, stored: bool) -> None:
    """The CloudEvents attributes, times and payload aside."""
    if wire.get("specversion", "1.0") != "1.0":
        wrong("specversion", f"{wire['specversion']!r} is not supported", 'write "1.0" or leave it out')
    if wire.get("datacontenttype", "application/json") != "application/json":
        wrong("datacontenttype", "only application/json is stored", "leave it out")
    for name in ("type", "source", "time"):
        if name not in wire:
            wrong(name, "missing", f"add {name!r}")
        elif not isinstance(wire[name], str):
            wrong(name, f"a {_json_type(wire[name])} instead of a string", "write it as text")
    for name in _TEXT_ATTRIBUTES:
        if name in wire:
            _check_text_attribute(name, wire[name], wrong)
    event_type = wire.get("type")
    if isinstance(event_type, str) and event_type not in PAYLOAD_TYPES:
        wrong(
            "type",
            f"unknown event type {event_type!r}",
            f"did you mean {nearest(event_type, PAYLOAD_TYPES)}?",
        )
    version = wire.get("dataschemaversion", 1)
    if type(version) is not int or version < 1:
        wrong("dataschemaversion", f"{version!r} is not a version", "write 1, or leave it out")
    elif isinstance(event_type, str) and event_type in PAYLOAD_TYPES:
        current = PAYLOAD_TYPES[event_type].version
        if version > current:
            wrong(
                "dataschemaversion",
                f"{version} is newer than this program's {current}",
                "upgrade runledger, or write the payload in the older shape",
            )
    if stored:
        _check_ledger_attributes(wire, wrong)


def _check_text_attribute(name: str, value: Any, wrong: Wrong) -> None:
    if not isinstance(value, str):
        remedy = f'write it as text, for example "{value}"' if name == "step" else "write it as text"
        if name != "source":  # `check_attributes` named that one already
            wrong(name, f"a {_json_type(value)} instead of a string", remedy)
    elif not value:
        wrong(name, "empty", "give a value, or leave the attribute out")
    elif len(value) > _MAX_ATTRIBUTE:
        wrong(name, f"{len(value)} characters long", f"keep it within {_MAX_ATTRIBUTE}")
    elif _CONTROL.search(value):
        wrong(name, "contains a control character", "remove it")
    elif _UNSTORABLE.search(value):
        wrong(name, "contains a lone surrogate", "write valid Unicode")


def _check_ledger_attributes(wire: Json, wrong: Wrong) -> None:
    sequence = wire.get("sequence")
    if type(sequence) is not int or sequence < 1:
        wrong("sequence", "missing or not a position", "restore from an unchanged export")
    if not isinstance(wire.get("recordedtime"), str):
        wrong("recordedtime", "missing or not text", "restore from an unchanged export")
    for name in ("prevhash", "hash"):
        value = wire.get(name)
        if not isinstance(value, str) or not _HEX_HASH.match(value):
            wrong(name, "missing or not a SHA-256 in hex", "restore from an unchanged export")


def check_numbers_and_text(data: Any, wrong: Wrong) -> bool:
    """Numbers that JSON readers agree on and text that every database stores."""
    found: list[tuple[str, str, str]] = []
    _walk(data, "data", 0, found)
    for field, message, remedy in found:
        wrong(field, message, remedy)
    return not found


def _walk(value: Any, path: str, depth: int, found: list[tuple[str, str, str]]) -> None:
    kind = type(value)
    if kind is str:
        if _UNSTORABLE.search(value):
            found.append((path, "contains NUL or a lone surrogate", "remove or replace it"))
    elif kind is int:
        if not -_MAX_SAFE_INTEGER <= value <= _MAX_SAFE_INTEGER:
            found.append((path, "an integer beyond 2**53", "write it as text where the field allows"))
    elif kind is float:
        if not math.isfinite(value):
            found.append((path, f"{value} is not a JSON number", "leave it out"))
    elif kind is dict:
        if depth > _MAX_DEPTH:
            found.append((path, "nested too deeply", f"keep it within {_MAX_DEPTH} levels"))
            return
        for key, item in value.items():
            if not isinstance(key, str) or _CONTROL.search(key) or _UNSTORABLE.search(key):
                found.append((f"{path}.{key!r}", "a key with a control character", "rename it"))
            _walk(item, f"{path}.{key}", depth + 1, found)
    elif kind in (list, tuple):
        if depth > _MAX_DEPTH:
            found.append((path, "nested too deeply", f"keep it within {_MAX_DEPTH} levels"))
            return
        for position, item in enumerate(value):
            _walk(item, f"{path}[{position}]", depth + 1, found)
    elif value is not None and kind is not bool:
        found.append((path, f"a {kind.__name__} is not JSON", "convert it first"))


def check_payload(
    event_type: str, version: int, data: Json, wrong: Wrong, max_bytes: int
) -> tuple[Payload, str] | None:
    """The typed payload and its canonical text as it will be stored, or None."""
    cls = PAYLOAD_TYPES[event_type]
    if version > cls.version:
        return None
    data = dict(data)
    if version == cls.version:
        data = {key: value for key, value in data.items() if value is not None}
        cls.normalize(data)
    text = canonical(data)
    if len(text) > max_bytes:
        wrong("data", f"{len(text)} bytes", f"keep a payload within {max_bytes} bytes")
        return None
    try:
        payload = decode_payload(event_type, version, text)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        if version == cls.version:
            _name_problems(cls, msgspec.json.decode(text), wrong)
        else:
            wrong("data", f"cannot be upgraded from version {version}: {error}", "check its shape")
        return None
    # Defaults such as an explicit null inside a list of objects drop out here.
    stored = canonical(payload) if version == cls.version else text
    return payload, stored.decode()


def _name_problems(cls: type[Payload], data: Json, wrong: Wrong) -> None:
    """Every field that keeps ``data`` from being a ``cls``: msgspec stops at the first."""
    fields = {field.name: field for field in msgspec.structs.fields(cls)}
    for key in data:
        if key not in fields:
            wrong(f"data.{key}", "unknown field", f"remove it, or did you mean {nearest(key, fields)}?")
    for name, field in fields.items():
        if name not in data:
            if field.required:
                wrong(f"data.{name}", "missing", "add it")
            continue
        try:
            msgspec.convert(data[name], field.type)
        except msgspec.ValidationError as error:
            message, _, inner = str(error).partition(" - at `$")
            wrong(
                f"data.{name}{inner.rstrip('`')}",
                _plain(message),
                f"see {cls.event_type} in `docs/events.md` for what goes here",
            )


def _plain(message: str) -> str:
    """msgspec's words without its notation for patterns."""
    if "matching regex" in message:
        return "not in the expected form (control characters are refused, a PCI address is dddd:bb:dd.f)"
    return message[:1].lower() + message[1:].replace("`", "")


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "list", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), type(value).__name__)
