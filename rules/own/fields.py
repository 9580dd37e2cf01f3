"""What own facts can read of events: the fields of each type, and what events are about.

Only single values are read: numbers, texts, booleans. A card's look in a
`gpu_probe` has its own fields, and those of the whole probe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from msgspec import inspect

from ledger.payloads import (
    DecisionPayload,
    GpuProbe,
    Payload,
    ProbedGpu,
)
from ledger.registry import PAYLOAD_TYPES
from rules.features import Feature, Type
from rules.own.declared import About

LOOKS = GpuProbe.event_type
"""The event type that shows many cards: a fact about cards takes each of them as one look."""

_BY_SUBJECT = frozenset({"override_set", "repair_done"})
"""Types that say what they are about in their subject alone."""

Fields = Mapping[str, Feature]


class Declared(NamedTuple):
    """An event type that a ledger declares: what its events are about, and their fields."""

    about: About
    fields: Fields


Types = Mapping[str, Declared]
"""The event types that a ledger declares."""


def readable_types(types: Types) -> list[str]:
    """Every event type that a fact can be made from: decisions are never evidence."""
    known = [name for name, cls in PAYLOAD_TYPES.items() if not issubclass(cls, DecisionPayload)]
    return sorted([*known, *types])


def fields_of(event_type: str, about: About) -> Fields:
    """The fields of a built-in type that conditions can ask about."""
    fields = _single_values(PAYLOAD_TYPES[event_type])
    if event_type == LOOKS and about == "card":
        return {**fields, **_single_values(ProbedGpu)}
    return fields


def abouts_of(event_type: str) -> list[About]:
    """What facts from a built-in type can be about."""
    if event_type in _BY_SUBJECT:
        return ["card", "node", "run", "study", "fleet"]
    fields = PAYLOAD_TYPES[event_type].__struct_fields__
    found: list[About] = []
    if "pci" in fields or event_type == LOOKS:
        found.append("card")
    if "node" in fields:
        found.append("node")
    found.append("run")
    if "study" in fields:
        found.append("study")
    return [*found, "fleet"]


ABOUT_OF_OWN: Mapping[About, tuple[About, ...]] = {
    "card": ("card", "node", "run", "fleet"),
    "node": ("node", "run", "fleet"),
    "run": ("run", "fleet"),
    "study": ("study", "run", "fleet"),
    "fleet": ("fleet", "run"),
}
"""What facts from a declared type can be about, by what its events are about."""


@cache
def _single_values(cls: type[Payload] | type[ProbedGpu]) -> Fields:
    found = {}
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        feature = _feature(field.encode_name, list(_alternatives(field.type)))
        if feature is not None:
            found[field.encode_name] = feature
    return found


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _alternatives(each)
    elif isinstance(kind, inspect.Metadata):
        yield from _alternatives(kind.type)
    elif not isinstance(kind, inspect.NoneType):
        yield kind


_TYPES: tuple[tuple[type[inspect.Type], Type], ...] = (
    (inspect.BoolType, "boolean"),
    (inspect.IntType, "integer"),
    (inspect.FloatType, "number"),
    (inspect.StrType, "text"),
)


def _feature(name: str, kinds: list[inspect.Type]) -> Feature | None:
    says = f"As the event says it in {name!r}."
    if len(kinds) == 1 and isinstance(kinds[0], inspect.LiteralType):
        words = kinds[0].values
        if all(isinstance(each, str) for each in words):
            return Feature("text", says, words=tuple(map(str, words)))
    types: set[Type] = set()
    for kind in kinds:
        named = next((type_ for cls, type_ in _TYPES if isinstance(kind, cls)), None)
        if named is None:
            return None
        types.add(named)
    if types <= {"integer", "number"}:
        return Feature("number" if "number" in types else "integer", says)
    return Feature(types.pop(), says) if len(types) == 1 else None
