"""What witnesses remember of this ledger's heads, and it does not hold.

A witness speaks by its newest read. What it was shown before an operator's
acceptance is accepted for good; what it is shown later is not.
"""

from __future__ import annotations

from ledger import Event
from ledger.payloads import HeadSealed, WitnessAccepted, WitnessRead
from ledger.times import parse_time
from rules.folds.context import FoldSettings
from rules.state import State, Witness

_HEADS_KEPT = 16
_SEALED_KEPT = 256


def head_sealed(state: State, event: Event, data: HeadSealed, settings: FoldSettings) -> None:
    """A head was signed: who remembers it is believed alone."""
    state.sealed = [*state.sealed, _head(data.sequence, data.hash)][-_SEALED_KEPT:]


def witness_read(state: State, event: Event, data: WitnessRead, settings: FoldSettings) -> None:
    """A witness was asked; one that remembers nothing strange has nothing against the ledger."""
    name = settings.node(data.node)
    noted_us = event.time_us if data.noted is None else parse_time(data.noted)
    accepted_us = state.witnesses_accepted_us
    if data.held or (accepted_us is not None and noted_us <= accepted_us):
        state.witnesses.pop(name, None)
        return
    before = state.witnesses.get(name)
    heads = {} if before is None else before.heads
    told = [(data.sequence, data.hash), *((each.sequence, each.hash) for each in data.also)]
    heads |= {_head(*each): noted_us for each in told}
    newest = sorted(heads, key=lambda head: heads[head])[-_HEADS_KEPT:]
    state.witnesses[name] = Witness(event=event.id, heads={head: heads[head] for head in newest})


def witness_accepted(
    state: State, event: Event, data: WitnessAccepted, settings: FoldSettings
) -> None:
    """All that witnesses were shown until now need not be held."""
    state.witnesses_accepted_us = event.time_us
    state.witnesses.clear()


def _head(sequence: int, hash: str) -> str:
    return f"{sequence}:{hash}"
