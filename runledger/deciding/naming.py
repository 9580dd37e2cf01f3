"""Which recorded decision is meant: by id, by a part of it, by position, or the last one.

What could mean two is refused, never guessed.
"""

from __future__ import annotations

from ledger import Event, Ledger, NotFound
from ledger.payloads import DecisionPayload
from rules.kinds import DECIDED_TYPES
from runledger.errors import BadInput, Missing

LAST = "last"
SHORTEST = 8
"""Characters of a beginning: fewer would mean another decision tomorrow."""

_SHOWN = 5
_SEE = "see `runledger decisions`"


def find_decision(ledger: Ledger, name: str) -> Event:
    """The decision that is meant; raises `Missing`, and `BadInput` where it is not clear.

    ``name`` is an id, a beginning of one or of its last group, a position, or ``last``.
    """
    try:
        return _decision(ledger.get(name), name)
    except NotFound:
        pass
    if name == LAST:
        newest = ledger.newest(1, types=DECIDED_TYPES)
        if not newest:
            raise Missing("no decision is recorded yet", remedy="ask for one first")
        return newest[0]
    found = _by_beginning(ledger, name) if len(name) >= SHORTEST else []
    if name.isascii() and name.isdigit() and len(name) <= 18:
        found += _at(ledger, int(name), refuse=not found)
    by_id = {event.id: event for event in found}
    if len(by_id) > 1:
        shown = ", ".join(list(by_id)[:_SHOWN])
        more = f" and {len(by_id) - _SHOWN} more" if len(by_id) > _SHOWN else ""
        raise BadInput(f"{name!r} may be any of {shown}{more}", remedy="give more of its id")
    if not by_id:
        raise _no(name)
    return next(iter(by_id.values()))


def _by_beginning(ledger: Ledger, beginning: str) -> list[Event]:
    lowered = beginning.lower()
    ids = [
        id
        for id in ledger.ids_like(beginning, DECIDED_TYPES)
        if id.lower().startswith(lowered) or id.rpartition("-")[2].lower().startswith(lowered)
    ]
    return [_decision(event, beginning) for event in ledger.get_many(ids).values()]


def _at(ledger: Ledger, position: int, *, refuse: bool) -> list[Event]:
    event = next(ledger.read(after=position - 1, upto=position), None) if position else None
    if event is not None and isinstance(event.data, DecisionPayload):
        return [event]
    if event is not None and refuse:
        raise Missing(f"position {position} holds {event.type}, no decision", remedy=_SEE)
    return []


def _decision(event: Event, name: str) -> Event:
    if not isinstance(event.data, DecisionPayload):
        raise _no(name)
    return event


def _no(name: str) -> Missing:
    short = f"; a part of an id has {SHORTEST} characters or more" if len(name) < SHORTEST else ""
    return Missing(f"no decision {name!r} in this ledger{short}", remedy=_SEE)
