"""TOML into frozen structs, with every problem named by key, nearest key and range."""

from __future__ import annotations

import tomllib
from typing import Any

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
    fields = {field.name: field for field in msgspec.structs.fields(cls)}
    for key, value in table.items():
        path = f"{where}.{key}" if where else key
        field = fields.get(key)
        if field is None:
            problems.append(f"{path}: unknown key; did you mean {nearest(key, fields)}?")
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            check(value, field.type, path, problems)
        else:
            try:
                msgspec.convert(value, field.type)
            except msgspec.ValidationError as error:
                message = str(error).replace("`", "")
                problems.append(f"{path} = {value!r}: {message[:1].lower()}{message[1:]}")
    for name, field in fields.items():
        if field.required and name not in table:
            problems.append(f"{where}.{name}: missing" if where else f"{name}: missing")
