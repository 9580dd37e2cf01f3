"""Batches whose events say what they are part of, and what a ledger still holds of them.

A batch is named ``NAME/SIZE``; its events have the ids ``NAME/SIZE/INDEX``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from ledger import Event, Ledger, LedgerError, broken_parts, new_event, open_ledger, verify
from ledger.payloads import SmuError

TIME_US = 1_769_277_731_000_000


def make_batch(batch: str, *, filler: int = 100) -> list[Event]:
    """The events of ``NAME/SIZE``, each with about ``filler`` characters of raw text."""
    size = int(batch.rpartition("/")[2])
    return [
        new_event(
            SmuError(
                node="rig-6600",
                pci="0000:22:00.0",
                signature="response_ff",
                raw=f"{batch} {index} ".ljust(filler, "x"),
            ),
            time_us=TIME_US + index,
            source="collector/torture@zeus",
            id=f"{batch}/{index}",
        )
        for index in range(size)
    ]


def examine(
    location: str | Path, acknowledged: Collection[str], *, touch: bool = True
) -> tuple[list[str], int]:
    """What is wrong with a ledger after a disaster, and how many batches it holds.

    Every acknowledged batch must be there, every batch whole, in its order and
    in one piece, the chain unbroken; and with ``touch``, appending must work again.
    """
    try:
        with open_ledger(location, create=touch, readonly=not touch) as ledger:
            found = _examine(ledger, acknowledged)
            found += _goes_on(ledger) if touch else []
            stored = _stored(ledger)
    except (LedgerError, DBAPIError) as error:
        return [f"cannot be used: {type(error).__name__}: {str(error).splitlines()[0]}"], 0
    return found, len(stored)


def _examine(ledger: Ledger, acknowledged: Collection[str]) -> list[str]:
    found = []
    broken = broken_parts(ledger)
    if broken:
        found.append(f"integrity_check: {'; '.join(broken)}")
    result = verify(ledger)
    if not result.ok:
        found.append(f"the chain does not verify: {result.reason}")
    if result.head != ledger.head():
        found.append(f"the head is {ledger.head()}, what verifies ends at {result.head}")
    stored = _stored(ledger)
    found += [f"half a batch: {batch}" for batch, whole in stored.items() if not whole]
    lost = set(acknowledged) - set(stored)
    return found + [f"acknowledged and lost: {batch}" for batch in sorted(lost)]


def _stored(ledger: Ledger) -> dict[str, bool]:
    """The batches of a ledger, and whether each is whole, in order and in one piece."""
    members: dict[str, list[tuple[int, int]]] = {}
    for page in ledger.pages(types=[SmuError.event_type]):
        for row in page:
            batch, _, index = row.id.rpartition("/")
            members.setdefault(batch, []).append((row.sequence, int(index)))
    return {batch: _whole(batch, places) for batch, places in members.items()}


def _whole(batch: str, places: Iterable[tuple[int, int]]) -> bool:
    places = sorted(places)
    first = places[0][0]
    size = int(batch.rpartition("/")[2])
    return places == [(first + index, index) for index in range(size)]


def _goes_on(ledger: Ledger) -> list[str]:
    """Whether the next append gets the next position."""
    head = ledger.head()
    after = ledger.append(make_batch(f"after-{head.sequence}/2")).head
    if after.sequence == head.sequence + 2 and verify(ledger).head == after:
        return []
    return [f"the append after it went from {head} to {after}"]
