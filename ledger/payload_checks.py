"""The rules an event's ``data`` must follow, and the words for each way it does not.

Values must survive every database and every JSON reader; fields must be those
of the type. msgspec decides whether a payload is valid, and stops at its first
problem: only then is it gone through again to name them all.
"""

from __future__ import annotations

import math
import types
import typing
from typing import Any

import msgspec
from msgspec import inspect

from ledger.canonical import canonical, written_out
from ledger.event_checks import Wrong, unknown_names
from ledger.payloads import Json, OwnPayload, Payload
from ledger.registry import PAYLOAD_TYPES, decode_payload
from ledger.strict_json import shown_key
from ledger.text.characters import CONTROL, UNSTORABLE

MAX_SAFE_INTEGER = 2**53
_MAX_DEPTH = 64

_Found = list[tuple[str, str, str]]


def check_values(data: Json) -> _Found:
    """(field, problem, remedy) of numbers and text that not everything can keep apart or store.

    Integers that the canonical form makes of great floats pass: what an export
    spells so, comes back. A field that counts refuses them by its type.
    """
    found: _Found = []
    _walk(data, "data", 0, found)
    return found


def _walk(value: Any, path: str, depth: int, found: _Found) -> None:
    kind = type(value)
    if kind is str:
        if UNSTORABLE.search(value):
            found.append((path, "contains NUL or a lone surrogate", "remove or replace it"))
    elif kind is int:
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER and written_out(value) is None:
            found.append(
                (path, "an integer beyond 2**53", "write it as text where the field allows")
            )
    elif kind is float:
        if not math.isfinite(value):
            found.append(
                (
                    path,
                    f"{value} is not a JSON number",
                    'write "nan", "inf" or "-inf" where allowed',
                )
            )
    elif kind is dict or kind is list or kind is tuple:
        if depth >= _MAX_DEPTH:
            found.append((path, "nested too deeply", f"keep it within {_MAX_DEPTH} levels"))
        elif kind is dict:
            for key, item in value.items():
                at = f"{path}.{shown_key(key)}"
                if not isinstance(key, str) or CONTROL.search(key) or UNSTORABLE.search(key):
                    found.append((at, "a key with a character that is not printable", "rename it"))
                _walk(item, at, depth + 1, found)
        else:
            for position, item in enumerate(value):
                _walk(item, f"{path}[{position}]", depth + 1, found)
    elif value is not None and kind is not bool:
        found.append((path, f"a {kind.__name__} is not JSON", "convert it first"))


def check_payload(
    event_type: str, version: int, data: Json, wrong: Wrong, *, max_bytes: int, stored: bool
) -> tuple[Payload, str] | None:
    """The typed payload and its canonical text as it is stored, or None with problems named.

    What is ``stored`` already keeps its text; anything new is brought into the
    one spelling of its type first.
    """
    cls = PAYLOAD_TYPES[event_type]
    if version > cls.version:
        return None  # named with the attributes
    current = version == cls.version
    found = check_values(data)
    if found:
        for problem in found:
            wrong(*problem)
        if current:
            named = {field for field, _, _ in found}
            name_problems(cls, data, lambda f, m, r: None if _within(f, named) else wrong(f, m, r))
        return None
    if current and not stored:
        fields = cls.__struct_fields__
        data = {key: item for key, item in data.items() if item is not None or key not in fields}
        cls.normalize(data)
    text = canonical(data)
    if len(text) > max_bytes:
        wrong("data", f"{len(text)} bytes", f"keep a payload within {max_bytes} bytes")
        return None
    try:
        payload = decode_payload(event_type, version, text)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        if current:
            name_problems(cls, msgspec.json.decode(text), wrong)
        else:
            wrong("data", f"cannot be upgraded from version {version}: {error}", "check its shape")
        return None
    # Defaults such as an explicit null inside a list of objects drop out here.
    return payload, text.decode() if stored or not current else canonical(payload).decode()


def check_own_payload(data: Json, wrong: Wrong, *, max_bytes: int) -> tuple[OwnPayload, str] | None:
    """As `check_payload`, of a type that a ledger declares: whether it may is not known here."""
    found = check_values(data)
    for problem in found:
        wrong(*problem)
    if found:
        return None
    text = canonical(data)
    if len(text) > max_bytes:
        wrong("data", f"{len(text)} bytes", f"keep a payload within {max_bytes} bytes")
        return None
    return OwnPayload(values=msgspec.json.decode(text)), text.decode()


def _within(field: str, named: set[str]) -> bool:
    """Whether a field, or one that it is part of, is among those ``named`` already."""
    return any(field == other or field.startswith((f"{other}.", f"{other}[")) for other in named)


def name_problems(cls: Any, data: Json, wrong: Wrong, path: str = "data") -> None:
    """Report every field that keeps ``data`` from being a ``cls``."""
    fields = {field.name: field for field in msgspec.structs.fields(cls)}
    for key, meant in unknown_names(data, fields):
        wrong(f"{path}.{shown_key(key)}", "unknown field", f"remove it, or did you mean {meant}?")
    for name, field in fields.items():
        if name not in data or (data[name] is None and path == "data"):
            if field.required:
                wrong(f"{path}.{name}", "missing", f"add it: {_expected(field.type)}")
        else:
            _name_in(field.type, data[name], f"{path}.{name}", wrong)


def _name_in(kind: Any, value: Any, path: str, wrong: Wrong) -> None:
    for option in _options(kind):
        if isinstance(value, list) and typing.get_origin(option) is tuple:
            for position, item in enumerate(value):
                _name_in(typing.get_args(option)[0], item, f"{path}[{position}]", wrong)
            return
        if (
            isinstance(value, dict)
            and isinstance(option, type)
            and issubclass(option, msgspec.Struct)
        ):
            name_problems(option, value, wrong, path)
            return
        if isinstance(value, dict) and typing.get_origin(option) is dict:
            key_kind, item_kind = typing.get_args(option)
            for key, item in value.items():
                _name_in(key_kind, key, f"{path}.{shown_key(key)}", wrong)
                _name_in(item_kind, item, f"{path}.{shown_key(key)}", wrong)
            return
    if type(value) is float and value.is_integer():
        value = int(value)  # the canonical form makes no difference between 5.0 and 5
    try:
        msgspec.convert(value, kind)
    except UnicodeEncodeError:
        return  # a lone surrogate, named with the values
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at `")[0]
        wrong(path, _plain(message), f"write {_expected(kind)}")


def _options(kind: Any) -> tuple[Any, ...]:
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


def _plain(message: str) -> str:
    """msgspec's words without its notation for patterns."""
    if "matching regex" in message:
        return "not in the expected form, or with a control character"
    return message[:1].lower() + message[1:].replace("`", "")


def _expected(kind: Any) -> str:
    return " or ".join(dict.fromkeys(_describe(inspect.type_info(kind))))


def _describe(kind: inspect.Type) -> list[str]:
    """What may be written for a field of this type, in words."""
    match kind:
        case inspect.UnionType(types=options):
            return [
                words
                for option in options
                if not isinstance(option, inspect.NoneType)
                for words in _describe(option)
            ]
        case inspect.Metadata(type=inner):
            return _describe(inner)
        case inspect.LiteralType(values=values):
            return [", ".join(f'"{value}"' for value in values)]
        case inspect.BoolType():
            return ["true or false"]
        case inspect.IntType(ge=0):
            return ["an integer of at least 0"]
        case inspect.IntType():
            return ["an integer"]
        case inspect.FloatType(ge=bound):
            return ["a number" if bound is None else "a number of at least 0"]
        case inspect.StrType(pattern=pattern) if pattern and pattern.startswith("^[0-9a-f]{4}:"):
            return ["a PCI address such as 0000:0f:00.0"]
        case inspect.StrType(pattern=pattern):
            return ["text without control characters" if pattern else "text"]
        case inspect.VarTupleType(item_type=item):
            return [f"a list, each item {' or '.join(_describe(item))}"]
        case inspect.StructType(fields=fields):
            names = ", ".join(field.name for field in fields if field.required)
            return [f"an object with {names}"]
        case inspect.AnyType():
            return ["any JSON value"]
        case _:
            return ["an object"]
