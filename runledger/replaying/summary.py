"""Changed decisions grouped by what changes: one line for many, where a list would be endless."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ledger.times import parse_time
from runledger.kinds import SHOWN
from runledger.replaying.whatif import Changed


class Group(msgspec.Struct, kw_only=True):
    """One change, and the decisions that have it: how many, from when to when, and the first.

    A decision with several changes is in as many groups.
    """

    kind: str
    change: str
    decisions: int
    first: str
    last: str
    example: str


def grouped(changed: Iterable[Changed]) -> list[Group]:
    """The groups, by kind; within one the largest first."""
    groups: dict[tuple[str, str], Group] = {}
    for each in sorted(changed, key=lambda each: parse_time(each.before.as_of.time)):
        kind, time = each.before.kind, each.before.as_of.time
        for change in SHOWN[kind].changes(each.before, each.after):
            group = groups.get((kind, change))
            if group is None:
                groups[kind, change] = Group(
                    kind=kind, change=change, decisions=1, first=time, last=time,
                    example=each.decision,
                )  # fmt: skip
            else:
                group.decisions += 1
                group.last = time
    return sorted(groups.values(), key=lambda each: (each.kind, -each.decisions, each.change))
