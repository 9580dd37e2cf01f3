"""A disk that loses its power: what may be on it then, given what was done to it before.

What was synced is there. Of everything else, any part may be there: a write
whole, torn at sectors, or not at all; later ones without earlier ones; a file
longer, but without the data; a name without its file's data, or data whose
name is gone. Names are as durable as syncs of their folder made them, no more.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.torture.shim import Change

SECTOR = 512


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)


Keeps = Callable[[Change, int], bool]
"""Whether a sector (counted within the change) of an unsynced change reached the disk."""


class Disk:
    """One folder on a disk, change by change."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}

    def apply(self, change: Change) -> None:
        """Take one change; a sync makes what it covers durable."""
        if change.kind == "C":
            self._names[change.path] = _File()
        elif change.kind == "L":
            self._names[change.path] = self._names[change.data.decode()]
        elif change.kind == "U":
            self._names.pop(change.path, None)
        elif change.kind != "S":
            self._names[change.path].pending.append(change)
        elif change.path == "":
            self._durable_names = dict(self._names)
        else:
            file = self._names[change.path]
            file.durable = _content(file, lambda _change, _sector: True)
            file.pending.clear()

    def images(self, chance: random.Random, extra: int) -> Iterator[dict[str, bytes]]:
        """What may be on the disk if the power goes now: the extremes, and ``extra`` others."""
        everything: Keeps = lambda _change, _sector: True  # noqa: E731
        nothing: Keeps = lambda _change, _sector: False  # noqa: E731
        yield self._image(self._names, everything)
        yield self._image(self._durable_names, nothing)
        yield self._image(self._durable_names, everything)
        yield self._image(self._names, nothing)
        yield self._image(self._names, nothing, grown=True)
        for number in range(extra):
            yield self._image(
                self._some_names(chance),
                _STRATEGIES[number % len(_STRATEGIES)](self._pending(), chance),
                grown=chance.random() < 0.5,
            )

    def _pending(self) -> list[Change]:
        files = {id(file): file for file in (*self._names.values(), *self._durable_names.values())}
        return [change for file in files.values() for change in file.pending]

    def _some_names(self, chance: random.Random) -> dict[str, _File]:
        """Each name as it was last synced, or as it is."""
        found = {}
        for name in sorted({*self._names, *self._durable_names}):
            file = chance.choice((self._names, self._durable_names)).get(name)
            if file is not None:
                found[name] = file
        return found

    @staticmethod
    def _image(names: dict[str, _File], keeps: Keeps, *, grown: bool = False) -> dict[str, bytes]:
        return {name: bytes(_content(file, keeps, grown)) for name, file in names.items()}


def _content(file: _File, keeps: Keeps, grown: bool = False) -> bytearray:
    content = bytearray(file.durable)
    for change in file.pending:
        if change.kind == "T":
            if keeps(change, 0):
                _resize(content, change.offset)
            continue
        end = change.offset + len(change.data)
        if grown and len(content) < end:
            _resize(content, end)
        at = change.offset
        while at < end:
            stop = min(end, (at // SECTOR + 1) * SECTOR)
            if keeps(change, at // SECTOR - change.offset // SECTOR):
                if len(content) < at:
                    _resize(content, at)
                content[at:stop] = change.data[at - change.offset : stop - change.offset]
            at = stop
    return content


def _resize(content: bytearray, length: int) -> None:
    if length < len(content):
        del content[length:]
    else:
        content.extend(bytes(length - len(content)))


# -- which unsynced changes survive ------------------------------------------------


def _up_to_a_torn_one(pending: list[Change], chance: random.Random) -> Keeps:
    """Those before some change, and the beginning of that one."""
    order = {id(change): number for number, change in enumerate(pending)}
    last = chance.randrange(len(pending) + 1)
    sectors = chance.randrange(9)

    def keeps(change: Change, sector: int) -> bool:
        number = order[id(change)]
        return number < last or (number == last and sector < sectors)

    return keeps


def _some(pending: list[Change], chance: random.Random) -> Keeps:
    """Each change whole, or not at all."""
    share = chance.random()
    kept = {id(change) for change in pending if chance.random() < share}
    return lambda change, _sector: id(change) in kept


def _scattered(pending: list[Change], chance: random.Random) -> Keeps:
    """Each sector by itself."""
    share = chance.random()
    return lambda _change, _sector: chance.random() < share


def _late_ones(pending: list[Change], chance: random.Random) -> Keeps:
    """Those from some change on, without what came before."""
    first = chance.randrange(len(pending) + 1)
    kept = {id(change) for change in pending[first:]}
    return lambda change, _sector: id(change) in kept


_STRATEGIES = (_up_to_a_torn_one, _some, _scattered, _late_ones)
