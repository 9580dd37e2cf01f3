"""JSON Schemas of declared event types: which are taken, and what they say of a payload.

Checked by jsonschema-rs: offline, and with an engine for patterns whose time
goes with the length of a text and nothing else. Schemas are bounded in size, and
in what they come to once every reference is followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ledger.canonical import canonical
from ledger.payloads import Json

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

MOST_BYTES = 64 * 1024
MOST_PARTS = 5_000
"""Parts of a schema, counted as often as they are referred to."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MOST_DEEP = 32
_PATTERN_BYTES = 200_000
"""What one compiled pattern may take up."""
_MOST_NAMED = 20
_LOCAL = re.compile(r"#(?:/\$defs/[A-Za-z0-9_.-]+)?\Z")
_REFUSED = (
    "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary",
)  # fmt: skip
_DATA = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are data, and no schemas."""


def schema_problems(schema: Json) -> list[str]:
    """Everything that keeps a JSON value from being the schema of a declared type."""
    if len(canonical(schema)) > MOST_BYTES:
        return [f"schema: more than {MOST_BYTES // 1024} KiB: say less"]
    problems = []
    if schema.get("$schema", _DRAFT) != _DRAFT:
        problems.append(f'schema.$schema: write "{_DRAFT}", or leave it out')
    if schema.get("type") != "object":
        problems.append('schema.type: an event\'s data is an object: write "type": "object"')
    problems += _walk(schema, "schema", 0)
    if problems:
        return problems
    parts = _Parts(schema)
    if parts.problem:
        return [parts.problem]
    try:
        _validator(canonical(schema)).is_valid({})
    except Exception as error:  # whatever the library says of a schema that is none
        at = "".join(f".{each}" for each in getattr(error, "instance_path", ()))
        said = getattr(error, "message", None) or str(error)
        if '"regex"' in said:
            said += "; look-around and back-references are not taken"
        return [f"schema{at}: {said.splitlines()[0][:300]}"]
    return []


def payload_problems(schema: Json, data: Json) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) of a payload that is not as its schema says; the first few."""
    errors = _validator(canonical(schema)).iter_errors(data)
    for error in islice(errors, _MOST_NAMED):
        path = "".join(
            f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.instance_path
        )
        yield f"data{path}"[:300], _shortened(error.message)


def _shortened(message: str) -> str:
    """A message that may quote a whole value, without the middle of it."""
    return message if len(message) <= 300 else f"{message[:100]} … {message[-200:]}"


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft202012Validator:
    import msgspec
    from jsonschema_rs import Draft202012Validator, RegexOptions

    return Draft202012Validator(
        msgspec.json.decode(schema),
        pattern_options=RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES),
        validate_formats=False,
        offline=True,
    )


def _walk(value: Any, path: str, depth: int) -> Iterator[str]:
    """What no schema of ours may hold, wherever it stands."""
    if depth > _MOST_DEEP:
        yield f"{path[:100]}…: nested too deeply: keep it within {_MOST_DEEP} levels"
        return
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    for key, item in items:
        at = f"{path}.{key}"
        if key in _REFUSED and not path.endswith((".properties", ".$defs")):
            yield f"{at}: not taken: refer to parts of the same schema, as #/$defs/NAME"
        elif key == "$ref" and not (isinstance(item, str) and _LOCAL.match(item)):
            yield f"{at}: {str(item)[:100]!r}: only #/$defs/NAME: nothing is fetched"
        elif key not in _DATA:
            yield from _walk(item, at, depth + 1)


class _Parts:
    """Counts the parts of a schema with every reference followed; ``problem`` where too many."""

    def __init__(self, schema: Json) -> None:
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})
        self._known: dict[str, int] = {}
        self._within: set[str] = set()
        self.problem = ""
        if self._count({key: item for key, item in schema.items() if key != "$defs"}) > MOST_PARTS:
            self.problem = self.problem or f"schema: more than {MOST_PARTS:,} parts: say less"

    def _count(self, value: Any) -> int:
        if isinstance(value, list):
            return sum(map(self._count, value))
        if not isinstance(value, dict):
            return 0
        total = 1
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                total += self._referred(item)
            elif key not in _DATA:
                total += self._count(item)
        return min(total, MOST_PARTS + 1)

    def _referred(self, name: str) -> int:
        if name in self._within or name == "#":
            self.problem = f"schema: {name} refers to itself: write what it holds"
            return 0
        if name not in self._known:
            self._within.add(name)
            self._known[name] = self._count(self._definitions.get(name.removeprefix("#/$defs/")))
            self._within.discard(name)
        return self._known[name]
