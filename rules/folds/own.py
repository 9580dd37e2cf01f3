"""Own facts folded: for each subject the events that its window holds, and no more.

What an event is worth is read when it is folded, so that nothing of it has to be
read again; how windows are bounded is `rules.folds.kept`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ledger import Event
from ledger.canonical import canonical, digest
from ledger.payloads import OwnPayload
from ledger.times import SECOND_US
from rules.conditions import Condition, Scalar, parse_condition
from rules.engine.plain import holds
from rules.folds.context import FoldSettings
from rules.folds.identity import place_key
from rules.folds.kept import keep
from rules.own.declared import About, Keep, OwnFact
from rules.own.fields import LOOKS
from rules.state import Kept, State

_MOST_SUBJECTS = 10_000
"""Runs and studies come and go: beyond so many, those that were quiet for longest are dropped."""

_MOST_TEXT = 1_000

Read = Callable[[str], Any]
"""Reads a field of what an event says; None where it is absent."""


class _Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, ready to take events: all limits are values."""

    name: str
    about: About
    keep: Keep
    field: str | None
    span_us: int | None
    when: tuple[Condition, ...]


class OwnFolds:
    """The own facts of a policy. ``limits`` gives the value of a policy key."""

    def __init__(self, facts: Iterable[OwnFact], limits: Callable[[Condition], Condition]) -> None:
        feeds: dict[str, list[_Feed]] = {}
        for fact in facts:
            feeds.setdefault(fact.from_, []).append(_feed(fact, limits))
        self._groups = {type_: _Group(each, type_) for type_, each in feeds.items()}
        self.key = digest(canonical(feeds)) if feeds else ""

    @property
    def types(self) -> frozenset[str]:
        """The event types that they are made from."""
        return frozenset(self._groups)

    def take(self, state: State, event: Event, settings: FoldSettings) -> None:
        """Take an event of one of these types, after whatever else is folded of it."""
        self._groups[event.type].take(state, event, settings)


def _feed(fact: OwnFact, limits: Callable[[Condition], Condition]) -> _Feed:
    span = fact.timespan_s
    return _Feed(
        name=fact.name,
        about=fact.about,
        keep=fact.keep,
        field=fact.field,
        span_us=None if span is None else round(span * SECOND_US),
        when=tuple(limits(parse_condition(text)) for text in fact.where),
    )


class _Group:
    """The facts made from one event type."""

    def __init__(self, feeds: Sequence[_Feed], type_: str) -> None:
        looks = [each for each in feeds if type_ == LOOKS and each.about == "card"]
        self._looks = _Sieve(looks) if looks else None
        whole = [each for each in feeds if each not in looks]
        self._whole = _Sieve(whole) if whole else None

    def take(self, state: State, event: Event, settings: FoldSettings) -> None:
        data: Any = event.data
        if self._whole is not None:
            keys: dict[About, str | None] = {}
            read = _reader(data)
            for feed in self._whole.passing(read):
                if feed.about not in keys:
                    keys[feed.about] = _subject(feed.about, state, event, settings)
                key = keys[feed.about]
                if key is not None:
                    _add(state, feed, key, event, read)
        if self._looks is not None:
            name = settings.node(data.node)
            for gpu in data.gpus:
                read = _reader(gpu, data)
                key = None
                for feed in self._looks.passing(read):
                    if key is None:
                        key = _card(state, name, gpu.pci)
                    _add(state, feed, key, event, read)


def _reader(data: Any, around: Any = None) -> Read:
    if isinstance(data, OwnPayload):
        return data.values.get
    if around is None:
        return lambda field: getattr(data, field, None)
    return lambda field: getattr(data, field, getattr(around, field, None))


class _Sieve:
    """Finds the facts whose conditions an event meets without asking every one of them.

    Each fact is filed under one of its conditions, where there is one with a
    lower limit or an equal value: what fails that one is not looked at.
    """

    def __init__(self, feeds: Sequence[_Feed]) -> None:
        self._others: list[_Feed] = []
        self._equal: dict[str, dict[Scalar, list[_Feed]]] = {}
        above: dict[str, list[tuple[tuple[float, int], _Feed]]] = {}
        for feed in feeds:
            for each in feed.when:
                if each.operator == "==" and each.limit is not None:
                    same = self._equal.setdefault(each.feature, {})
                    same.setdefault(each.limit, []).append(feed)
                    break
                if each.operator in (">", ">=") and isinstance(each.limit, int | float):
                    place = (each.limit, 1 if each.operator == ">" else 0)
                    above.setdefault(each.feature, []).append((place, feed))
                    break
            else:
                self._others.append(feed)
        self._above = {
            field: ([place for place, _ in found], [feed for _, feed in found])
            for field, each in above.items()
            for found in [sorted(each, key=lambda pair: pair[0])]
        }

    def passing(self, read: Read) -> Iterable[_Feed]:
        """The facts all of whose conditions hold."""
        found = list(self._others)
        for field, (limits, feeds) in self._above.items():
            value = read(field)
            if isinstance(value, int | float):
                found += feeds[: bisect_right(limits, (value, 0))]
        for field, same in self._equal.items():
            value = read(field)
            if isinstance(value, str | int | float):
                found += same.get(value, ())
        return [feed for feed in found if _holds(feed.when, read)]


def _holds(when: tuple[Condition, ...], read: Read) -> bool:
    for condition in when:
        value = read(condition.feature)
        single = isinstance(value, str | int | float)
        if not holds({condition.feature: value} if single else {}, condition):
            return False
    return True


def _subject(about: About, state: State, event: Event, settings: FoldSettings) -> str | None:
    """What an event is about, as own facts are kept by it; None where it is about no such thing."""
    data: Any = event.data
    kind, _, rest = settings.subject(event.subject).partition("/")
    of, _, place = rest.partition("/")
    if about == "fleet":
        return ""
    if about == "run":
        return event.run
    if about == "study":
        return getattr(data, "study", None) or (rest if kind == "study" else None)
    named = getattr(data, "node", None)
    node = settings.node(named) if named else (of if kind in ("node", "gpu") and of else None)
    if about == "node" or node is None:
        return node
    pci = getattr(data, "pci", None) or (place if kind == "gpu" else None)
    return None if pci is None else _card(state, node, pci)


def _card(state: State, node: str, pci: str) -> str:
    """The key of the card at a place; one that nothing else is known of goes by its place."""
    place = place_key(node, pci)
    return state.places.get(place, place)


def _add(state: State, feed: _Feed, key: str, event: Event, read: Read) -> None:
    value: Scalar | None = None
    if feed.field is not None:
        value = _kept_value(feed.keep, read(feed.field))
        if value is None:
            return
    kept_of = state.own.get(feed.name)
    if kept_of is None:
        kept_of = state.own[feed.name] = {}
    kept = kept_of.get(key)
    if kept is None:
        if len(kept_of) >= 2 * _MOST_SUBJECTS:
            _forget_quiet(kept_of)
        kept = kept_of[key] = Kept()
    if feed.keep == "newest":
        kept.times, kept.events = [event.time_us], [event.id]
        kept.values = [] if value is None else [value]
        return
    assert feed.span_us is not None
    keep(kept, event, feed.span_us, value)


def _kept_value(how: Keep, value: Any) -> Scalar | None:
    """A field's value as it is kept; None where there is none to keep."""
    if how in ("max", "min", "sum"):
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if isinstance(value, str) and len(value) > _MOST_TEXT:
        return digest(value.encode()) if how == "distinct" else value[:_MOST_TEXT]
    return value if isinstance(value, str | int | float) else None


def _forget_quiet(kept_of: dict[str, Kept]) -> None:
    newest_first = sorted(kept_of, key=lambda key: (-kept_of[key].times[-1], key))
    for key in newest_first[_MOST_SUBJECTS:]:
        del kept_of[key]
