"""Filters over events: ``type=smu_error,node=rig-6600,since=2026-01-24T00:00:00Z``.

A filter is a comma-joined list of ``key=value``, all of which must hold; several
filters widen one another. Values may hold ``*``. What an index can narrow goes
to the database; `matches` is the one truth, applied to every event read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, true

from ledger.errors import InvalidFilter
from ledger.event import Event
from ledger.event_checks import nearest
from ledger.identifiers import normalize_pci, normalize_subject
from ledger.sql import events
from ledger.text.characters import UNSTORABLE
from ledger.times import InvalidTime, parse_time

KEYS = ("id", "type", "subject", "source", "run", "step", "node", "pci", "since", "until", "seq")
_COLUMNS = {
    "id": "id",
    "type": "type",
    "subject": "subject",
    "source": "source",
    "run": "runid",
    "step": "step",
}

_Range = tuple[int, int | None]
"""The first and the last position; None: without end."""


@dataclass(frozen=True)
class Filter:
    """One parsed filter expression: texts to match by key, and ranges.

    ``since_us`` and ``until_us`` are inclusive, as is the ``sequence`` range.
    """

    text: str
    patterns: tuple[tuple[str, str], ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    sequence: _Range | None = None

    def matches(self, event: Event) -> bool:
        """Whether ``event`` satisfies every term."""
        if self.since_us is not None and event.time_us < self.since_us:
            return False
        if self.until_us is not None and event.time_us > self.until_us:
            return False
        if self.sequence is not None:
            first, last = self.sequence
            if event.sequence < first or (last is not None and event.sequence > last):
                return False
        return all(_matches(value, _values(event, key)) for key, value in self.patterns)

    @property
    def decided_by_database(self) -> bool:
        """Whether `clause` says it all, so that no typed event is needed."""
        return all(key in _COLUMNS and "*" not in value for key, value in self.patterns)

    def clause(self) -> ColumnElement[bool]:
        """A condition that holds for every matching row, and for few others."""
        terms: list[ColumnElement[bool]] = []
        if self.since_us is not None:
            terms.append(events.c.time_us >= self.since_us)
        if self.until_us is not None:
            terms.append(events.c.time_us <= self.until_us)
        if self.sequence is not None:
            terms.append(events.c.sequence >= self.sequence[0])
            if self.sequence[1] is not None:
                terms.append(events.c.sequence <= self.sequence[1])
        for key, value in self.patterns:
            if key in _COLUMNS:
                terms.append(_equal(key, value) if "*" not in value else _begins(key, value))
        return and_(true(), *terms)


def parse_filter(text: str, *, time: Callable[[str], int] = parse_time) -> Filter:
    """The filter in ``text``; raises `InvalidFilter` naming the term that is wrong.

    ``time`` reads the values of ``since`` and ``until``, and raises `InvalidTime`.
    """
    if UNSTORABLE.search(text):
        raise InvalidFilter(f"filter {text!a} holds what no event can: NUL, or no UTF-8 text")
    patterns: list[tuple[str, str]] = []
    bounds: dict[str, list[int]] = {"since": [], "until": []}
    ranges: list[_Range] = []
    for term in text.split(","):
        key, equals, value = (part.strip() for part in term.partition("="))
        if not key or not equals or not value:
            raise InvalidFilter(f"{term.strip()!r} in filter {text!r} is not KEY=VALUE")
        if key not in KEYS:
            raise InvalidFilter(
                f"unknown key {key!r} in filter {text!r}",
                remedy=f"did you mean {nearest(key, KEYS)}? (keys: {', '.join(KEYS)})",
            )
        if key in ("since", "until"):
            try:
                bounds[key].append(time(value))
            except InvalidTime as error:
                raise InvalidFilter(
                    f"{key} in filter {text!r}: {error.what}", remedy=error.remedy
                ) from None
        elif key == "seq":
            ranges.append(_parse_range(value, text))
        else:
            if key == "pci":
                value = normalize_pci(value) or value.lower()
            patterns.append((key, normalize_subject(value) if key == "subject" else value))
    return Filter(
        text,
        tuple(patterns),
        since_us=max(bounds["since"], default=None),
        until_us=min(bounds["until"], default=None),
        sequence=_common(ranges),
    )


def parse_filters(
    texts: Iterable[str], *, time: Callable[[str], int] = parse_time
) -> tuple[Filter, ...]:
    """Several expressions; an event matches when any of them does. As `parse_filter`."""
    return tuple(parse_filter(text, time=time) for text in texts)


def any_matches(filters: Iterable[Filter], event: Event) -> bool:
    """Whether any of the filters matches; none given matches everything."""
    filters = tuple(filters)
    return not filters or any(each.matches(event) for each in filters)


def any_clause(filters: Iterable[Filter]) -> ColumnElement[bool]:
    """The database's part of `any_matches`."""
    clauses = [each.clause() for each in filters]
    return or_(*clauses) if clauses else true()


def any_decided(filters: Iterable[Filter]) -> bool:
    """Whether `any_clause` says all that `any_matches` does."""
    return all(each.decided_by_database for each in filters)


def _common(ranges: list[_Range]) -> _Range | None:
    """The positions that lie in every range; an empty one where they share none."""
    if not ranges:
        return None
    lasts = [last for _, last in ranges if last is not None]
    return max(first for first, _ in ranges), min(lasts, default=None)


def _parse_range(value: str, text: str) -> _Range:
    match = re.fullmatch(r"(\d{1,18})(?:(\.\.)(\d{1,18})?)?", value)
    if match is None:
        raise InvalidFilter(
            f"seq in filter {text!r}", remedy="write a position (812) or a range (1..812)"
        )
    first, dots, last = match.groups()
    if dots is None:
        return int(first), int(first)
    if last is not None and int(last) < int(first):
        raise InvalidFilter(f"seq in filter {text!r}: {last} comes before {first}")
    return int(first), None if last is None else int(last)


def _equal(key: str, value: str) -> ColumnElement[bool]:
    column = events.c[_COLUMNS[key]]
    if key != "run":
        return column == value
    return or_(column == value, and_(column.is_(None), events.c.subject == f"run/{value}"))


def _begins(key: str, pattern: str) -> ColumnElement[bool]:
    """A row that begins as a pattern does; a run may also be named by the subject."""
    beginning = pattern.partition("*")[0]
    if key == "run" or not beginning:
        return true()
    return events.c[_COLUMNS[key]].startswith(beginning, autoescape=True)


def _values(event: Event, key: str) -> tuple[Any, ...]:
    if key == "run":
        return (event.run,)
    column = _COLUMNS.get(key)
    if column is not None:
        return (getattr(event, column),)
    kind, _, rest = event.subject.partition("/")
    node, _, pci = rest.partition("/")
    if key == "node":
        named = node if kind in ("node", "gpu") else None
        return (getattr(event.data, "node", None) or named,)
    own = getattr(event.data, "pci", None) or (pci if kind == "gpu" else None)
    listed = getattr(event.data, "gpus", None) or ()
    return (own, *(gpu.pci for gpu in listed))


def _matches(pattern: str, values: Iterable[Any]) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern in values
    return any(isinstance(value, str) and _fits(first, rest, value) for value in values)


def _fits(first: str, rest: list[str], value: str) -> bool:
    """Whether the texts between the stars follow one another in ``value``, the outer at its ends.

    No regular expression: one with many stars takes ages on a long text.
    """
    *middle, last = rest
    if not value.startswith(first):
        return False
    at = len(first)
    for part in middle:
        at = value.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(value) - len(last) >= at and value.endswith(last)
