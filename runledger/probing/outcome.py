"""The outcome of a probe, as values for callers: a look at each node, and sums."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLook:
    """What one probe found on one node, or that what was known was fresh enough (``reused``).

    ``reachable`` is None where it was not asked for. ``gpus`` is the state of
    each card looked at, by PCI address; ``problems`` are sentences for a
    person; ``events`` counts what the look was turned into, by type.
    """

    node: str
    reachable: bool | None = None
    reused: bool = False
    error: str | None = None
    detail: str | None = None
    gpus: dict[str, str] = field(default_factory=dict)
    smu_reads: int = 0
    events: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedied:
    """A remedy that was run; only the look after it tells what it was worth."""

    node: str
    check: str
    command: str
    exit_code: int | None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """All looks of one probe, and what was stored."""

    looks: tuple[NodeLook, ...]
    stored: int = 0
    duplicates: int = 0
    remedies: tuple[Remedied, ...] = ()

    @property
    def smu_reads(self) -> int:
        """What the probe cost in SMU reads."""
        return sum(look.smu_reads for look in self.looks)

    @property
    def answered(self) -> bool:
        """Whether any node answered; a probe that asked none for an answer was not let down."""
        asked = [look.reachable for look in self.looks if look.reachable is not None]
        return not asked or any(asked)

    def as_json(self) -> dict[str, Any]:
        """The object that ``probe --json`` prints."""
        return {
            "nodes": [_given(look) for look in self.looks],
            "stored": self.stored,
            "duplicates": self.duplicates,
            "smu_reads": self.smu_reads,
            **({"remedies": [_given(each) for each in self.remedies]} if self.remedies else {}),
        }


def joined(first: Probed, again: Probed, remedied: tuple[Remedied, ...]) -> Probed:
    """A probe and the second look after its remedies, as one."""
    newer = {look.node: look for look in again.looks}
    return Probed(
        looks=tuple(_newest(look, newer.get(look.node)) for look in first.looks),
        stored=first.stored + again.stored + len(remedied),
        duplicates=first.duplicates + again.duplicates,
        remedies=remedied,
    )


def _newest(look: NodeLook, newer: NodeLook | None) -> NodeLook:
    """The second look, with what only the first one looked at."""
    if newer is None:
        return look
    types = {
        name: look.events.get(name, 0) + newer.events.get(name, 0)
        for name in sorted({*look.events, *newer.events})
    }
    return replace(
        newer,
        gpus=newer.gpus or look.gpus,
        smu_reads=look.smu_reads + newer.smu_reads,
        events=types,
        problems=tuple(dict.fromkeys((*look.problems, *newer.problems))),
    )


def _given(value: NodeLook | Remedied) -> dict[str, Any]:
    found = ((name, getattr(value, name)) for name in value.__slots__)
    return {
        name: list(each) if isinstance(each, tuple) else each
        for name, each in found
        if each is not None
    }
