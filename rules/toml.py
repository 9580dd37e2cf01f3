"""TOML into frozen structs, with every problem named by key, nearest key and range."""

from __future__ import annotations

import math
import re
import tomllib
from typing import Any, Literal, get_args, get_origin

import msgspec

from ledger.event_checks import unknown_names
from ledger.strict_json import shown, shown_key

Problems = list[str]

_MOST_LEVELS = 32
MOST_PROBLEMS = 200
"""After so many problems no more are looked for."""
_LONGEST = 2 << 20
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*+"|\'[^\'\n]*+\'')
_LONG_KEY = re.compile(rf'(?<![\w-])(?:(?:[\w-]++|"")\s*+\.\s*+){{{_MOST_LEVELS},}}')
_TOO_DEEP = f"tables or lists within each other more than {_MOST_LEVELS} deep: flatten them"
_TOO_GREAT = "an integer beyond 64 bits, the most that TOML has: write a smaller one"


def parse_toml(text: str) -> dict[str, Any]:
    """The table in a TOML text; raises `ValueError` with the line that is wrong."""
    if len(text) > _LONGEST:
        raise ValueError(f"more than {_LONGEST >> 20} MiB: that is no such file")
    # The parser's time goes with the square of a dotted key's parts.
    if _LONG_KEY.search(_QUOTED.sub('""', text)):
        raise ValueError(_TOO_DEEP)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise ValueError(_TOO_GREAT) from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_bounds(table)
    return table


def _check_bounds(table: dict[str, Any]) -> None:
    """Refuse what TOML itself does not promise: integers beyond 64 bits, nesting without end."""
    level: list[Any] = [table]
    for _ in range(_MOST_LEVELS):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict | list):
                inner += value.values() if isinstance(value, dict) else value
            elif type(value) is int and not -(2**63) <= value < 2**63:
                raise ValueError(_TOO_GREAT)
        level = inner
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def check(table: Any, cls: type[msgspec.Struct], where: str, problems: Problems) -> None:
    """Name everything that keeps a table from being a ``cls``; nested tables too."""
    if not isinstance(table, dict):
        problems.append(f"{where or 'the file'}: not a table")
        return
    if len(problems) > MOST_PROBLEMS:
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    inner = {name: field.type for name, field in fields.items() if _is_table(field.type)}
    before = f"{where}." if where else ""
    for key, meant in unknown_names(table, fields):
        home = next((name for name, each in inner.items() if key in each.__struct_fields__), None)
        hint = meant if home is None else f"{home}.{key}"
        problems.append(f"{before}{shown_key(key)}: unknown key; did you mean {hint}?")
    for key, field in fields.items():
        if key not in table:
            continue
        path, value = f"{before}{key}", table[key]
        if _is_table(field.type):
            check(value, field.type, path, problems)
        elif problem := _problem(value, field.type):
            problems.append(f"{path} = {shown(value)}: {problem}")
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
    except UnicodeEncodeError:
        return "not UTF-8 text"
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at ")[0].replace("`", "")
        if message.startswith("Invalid enum value"):
            known = _choices(type_)
            wrong = [each for each in [value, *_items(value)] if isinstance(each, str)]
            _, meant = next(unknown_names(wrong, known))
            return f"no such value; did you mean {meant}? (known: {', '.join(known)})"
        if type(value) is int and message.startswith("Expected int"):
            # Where fractions are allowed, too, the limit is a fraction's.
            try:
                fraction = _problem(float(value), type_)
            except OverflowError:
                fraction = ""
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
