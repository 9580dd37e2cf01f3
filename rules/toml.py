"""TOML into frozen structs, with every problem named by key, nearest key and range."""

from __future__ import annotations

import math
import tomllib
from typing import Any, Literal, get_args, get_origin

import msgspec

from ledger.event_checks import nearest

Problems = list[str]


def parse_toml(text: str) -> dict[str, Any]:
    """The table in a TOML text; raises `ValueError` with the line that is wrong."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None


def check(table: Any, cls: type[msgspec.Struct], where: str, problems: Problems) -> None:
    """Name everything that keeps a table from being a ``cls``; nested tables too."""
    if not isinstance(table, dict):
        problems.append(f"{where or 'the file'}: not a table")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    inner = {name: field.type for name, field in fields.items() if _is_table(field.type)}
    for key, value in table.items():
        path = f"{where}.{key}" if where else key
        field = fields.get(key)
        if field is None:
            homes = [name for name, each in inner.items() if key in each.__struct_fields__]
            meant = f"{homes[0]}.{key}" if homes else nearest(key, fields)
            problems.append(f"{path}: unknown key; did you mean {meant}?")
        elif _is_table(field.type):
            check(value, field.type, path, problems)
        elif problem := _problem(value, field.type):
            problems.append(f"{path} = {value!r}: {problem}")
    for name, field in fields.items():
        if field.required and name not in table:
            problems.append(f"{where}.{name}: missing" if where else f"{name}: missing")


def _is_table(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def _problem(value: Any, type_: Any) -> str:
    """What keeps a value from being of a type; nothing where it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at ")[0].replace("`", "")
        if message.startswith("Invalid enum value"):
            known = _choices(type_)
            wrong = [each for each in [value, *_items(value)] if isinstance(each, str)]
            meant = [nearest(each, known) for each in wrong if each not in known]
            return f"no such value; did you mean {meant[0]}? (known: {', '.join(known)})"
        if type(value) is int and message.startswith("Expected int"):
            # Where fractions are allowed, too, the limit is a fraction's.
            fraction = _problem(float(value), type_)
            message = fraction if fraction.startswith("expected float") else message
        if "matching regex" in message:
            message = f"expected {' or '.join(dict.fromkeys(_descriptions(type_)))}"
        return (message[:1].lower() + message[1:]).replace(" | null", "")
    return ""


def _descriptions(type_: Any) -> list[str]:
    """What the texts of a type must look like, in words: its patterns' descriptions."""
    metas = [each for each in getattr(type_, "__metadata__", ()) if isinstance(each, msgspec.Meta)]
    own = [meta.description for meta in metas if meta.description]
    return own + [found for each in get_args(type_) for found in _descriptions(each)]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _choices(type_: Any) -> list[str]:
    """The words that a type allows, alone or in a list."""
    if get_origin(type_) is Literal:
        return list(get_args(type_))
    return [word for each in get_args(type_) for word in _choices(each)]
