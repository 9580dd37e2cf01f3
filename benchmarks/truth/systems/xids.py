"""Xids out of kernel lines, as every monitor of NVIDIA cards reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.truth.judging import KernelLine
from benchmarks.truth.layout import Place
from benchmarks.truth.systems.simple import place_of

_XID = re.compile(r"NVRM: Xid \([^)]*\): (\d+),")


class Xid(NamedTuple):
    """One line with an Xid."""

    at_us: int
    place: Place
    code: int


def xids(lines: list[KernelLine]) -> Iterator[Xid]:
    """The Xids in the order of time."""
    for line in sorted(lines):
        match = _XID.match(line.text)
        place = place_of(line.node, line.text) if match else None
        if match is not None and place is not None:
            yield Xid(line.at_us, place, int(match[1]))
