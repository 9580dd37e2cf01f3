"""The fields that a declared event type has, read off its JSON Schemas.

Only the properties at the top of a schema are read, and of them those that are
single values; a field that two versions describe differently may be anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.features import Feature, Type
from rules.own.fields import Fields

_TYPES: Mapping[str, Type] = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "boolean",
}


def schema_fields(schemas: Iterable[Mapping[str, Any]]) -> Fields:
    """The fields of all versions of a type, by name."""
    found: dict[str, Feature] = {}
    for schema in schemas:
        properties = schema.get("properties")
        for name, described in (properties if isinstance(properties, dict) else {}).items():
            feature = _feature(name, described)
            if feature is not None:
                found[name] = _joined(found.get(name), feature)
    return found


def _feature(name: str, described: Any) -> Feature | None:
    says = f"As the event says it in {name!r}."
    if not isinstance(described, dict):
        return Feature("any", says) if described is True else None
    if isinstance(described.get("description"), str):
        says = described["description"]
    words = described.get("enum")
    if isinstance(words, list) and words and all(isinstance(each, str) for each in words):
        return Feature("text", says, words=tuple(words))
    named = described.get("type")
    kinds = set(named if isinstance(named, list) else [named]) - {"null"}
    if kinds and kinds <= {"object", "array"}:
        return None
    types = {_TYPES.get(str(kind)) for kind in kinds}
    if types == {"integer", "number"}:
        return Feature("number", says)
    type_ = types.pop() if len(types) == 1 else None
    return Feature(type_ or "any", says)


def _joined(one: Feature | None, other: Feature) -> Feature:
    if one is None or one == other:
        return other
    if {one.type, other.type} <= {"integer", "number"}:
        return Feature("integer" if one.type == other.type == "integer" else "number", other.says)
    return Feature(one.type if one.type == other.type else "any", other.says)
