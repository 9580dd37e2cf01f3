"""What witnesses are shown of a ledger, and what becomes of what they remember.

A rig or a file that remembers the newest head it saw finds out a history that
was rewritten, cut off, or replaced by an older copy, wherever the ledger is.
What it remembers is compared when it is read, and becomes an event: decisions
read that, and ask nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from collectors.probe.witness import RememberedHead
from ledger import Event, Head, Ledger, new_event
from ledger.canonical import digest
from ledger.payloads import WitnessedHead, WitnessRead
from ledger.times import format_time

_NOBODY = "-"
"""The ledger id of one that is empty: it has nothing to show."""
_TOLD = 16
_ID_DIGITS = 32


class Shown(NamedTuple):
    """Which ledger asks, by its first event and by where it is kept, and its head now."""

    ledger: str
    place: str
    head: Head
    now_us: int

    @property
    def recall(self) -> str:
        """What a witness looks for: lines of this ledger, or of one kept at this place."""
        return f"{self.ledger} {self.place}"

    @property
    def remember(self) -> str | None:
        """The line that a witness is to add; None for an empty ledger."""
        if self.ledger == _NOBODY:
            return None
        return RememberedHead(self.ledger, self.place, *self.head, self.now_us).line()


def shown_now(ledger: Ledger, place: str, now_us: int) -> Shown:
    """What witnesses are shown of a ledger; ``place`` says in words where it is kept."""
    head = ledger.head()
    first = next(ledger.read(upto=1), None)
    id = _NOBODY if first is None else digest(first.id.encode())[:_ID_DIGITS]
    return Shown(id, digest(place.encode("utf-8", "surrogateescape"))[:_ID_DIGITS], head, now_us)


class Compared(NamedTuple):
    """What a witness remembers, in the order in which it was shown it."""

    held: list[RememberedHead]
    not_held: list[RememberedHead]


def compared(ledger: Ledger, shown: Shown, remembered: Iterable[RememberedHead]) -> Compared:
    """Tell the heads that the ledger holds from those that it does not.

    A head of another ledger that was kept at the same place is not held: this one took its place.
    """
    heads = sorted(set(remembered), key=lambda each: each.noted_us)
    asked = [each for each in heads if shown.ledger == each.ledger or shown.place == each.place]
    hashes = ledger.hashes_at(each.sequence for each in asked)
    found = Compared([], [])
    for each in asked:
        same = each.ledger == shown.ledger and hashes.get(each.sequence) == each.hash
        (found.held if same else found.not_held).append(each)
    return found


def witness_read(
    ledger: Ledger,
    shown: Shown,
    witness: str,
    remembered: Iterable[RememberedHead],
    *,
    now_us: int,
    source: str,
) -> Event | None:
    """The event of what a witness remembers; None for one that was never shown this ledger."""
    found = compared(ledger, shown, remembered)
    newest = (found.not_held or found.held)[-1:]
    if not newest:
        return None
    (head,) = newest
    others = dict.fromkeys((each.sequence, each.hash) for each in found.not_held[-_TOLD:-1])
    payload = WitnessRead(
        node=witness,
        ledger=head.ledger,
        sequence=head.sequence,
        hash=head.hash,
        held=not found.not_held,
        # A clock that ran ahead must not put it beyond what is accepted now.
        noted=format_time(min(head.noted_us, now_us)),
        also=tuple(WitnessedHead(sequence=sequence, hash=hash) for sequence, hash in others),
    )
    return new_event(payload, time_us=now_us, source=source)
