"""Tables of a policy file as the facts and rules they should be, as far as they are.

A table that is wrong in one key is gone on with: a stand-in takes the place of
the wrong value, so that all else that is wrong with it is found as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from rules.own.declared import OwnFact, OwnRule
from rules.toml import check

Shape = TypeVar("Shape", bound=OwnFact | OwnRule)


class Raw(NamedTuple):
    """One table of a policy file, and its place there."""

    place: str
    table: Any


class Read(msgspec.Struct, Generic[Shape], frozen=True):
    """A table as far as it could be read: ``unsure`` are the keys that stand-ins fill."""

    place: str
    shape: Shape
    unsure: frozenset[str]

    def sure(self, found: Iterable[str]) -> Iterator[str]:
        """Of some problems those that are not about a stand-in."""
        about = tuple(f"{self.place}.{key}" for key in self.unsure)
        return (problem for problem in found if not problem.startswith(about))


_STAND_INS: dict[str, Any] = {
    "name": "?", "about": "fleet", "from_": "?", "where": (), "keep": "newest", "field": "?",
    "timespan_s": 1, "decides": "preflight", "steps": (), "when": (), "severity": "info",
    "message": "?", "remedy": "?", "effect": None,
}  # fmt: skip
"""What takes the place of a value that is wrong, so that the others can be checked all the same."""

_RESTS_ON = {
    "about": {"field", "where", "message", "remedy", "when", "name", "from"},
    "from": {"about", "where", "field"},
    "keep": {"field", "timespan_s"},
    "decides": {"about", "severity", "effect", "steps", "message", "remedy"},
}
"""What else cannot be judged where a key is wrong."""


def shaped(raw: Raw, cls: type[Shape], problems: list[str]) -> Read[Shape]:
    """A table as what it should be; what is wrong with its shape is added to the problems."""
    place, table = raw
    name = table.get("name") if isinstance(table, dict) else None
    label = f"{place} ({name[:100]})" if isinstance(name, str) and name.isprintable() else place
    before = len(problems)
    check(table, cls, label, problems)
    if len(problems) == before:
        return Read(label, msgspec.convert(table, cls), frozenset())
    values: dict[str, Any] = {}
    unsure: set[str] = set()
    for key in msgspec.structs.fields(cls):
        if isinstance(table, dict) and key.encode_name in table:
            try:
                values[key.name] = msgspec.convert(table[key.encode_name], key.type)
                continue
            except (msgspec.ValidationError, ValueError):
                pass
        elif not key.required and isinstance(table, dict):
            continue
        values[key.name] = _STAND_INS[key.name]
        unsure |= {key.encode_name, *_RESTS_ON.get(key.encode_name, ())}
    return Read(label, cls(**values), frozenset(unsure or {"name"}))
