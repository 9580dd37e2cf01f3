"""Seals: heads of a ledger that someone signed, kept in the ledger itself.

Whoever can write the database can rewrite history and chain it anew; they
cannot sign it. So a seal proves that what stands up to its position is what its
signer saw. What came after the newest seal, and seals that were removed, it
cannot speak of: note one elsewhere now and then.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ledger import Event, Head, Ledger, new_event
from ledger.payloads import HeadSealed
from ledger.times import format_time
from runledger.errors import BadInput, Missing
from runledger.sealing import openssh

SOURCE = "runledger"


class SealCheck(NamedTuple):
    """What the seals of a ledger are worth: how many are good, and what is wrong with the others.

    ``newest`` is the newest good one's head, ``signer`` the name that the
    allowed-signers file gives its key. ``not_held`` are the heads that were
    sealed and are not in this ledger: it is not the one that was sealed.
    """

    good: tuple[Head, ...]
    bad: tuple[str, ...]
    newest: Head | None
    signer: str | None
    not_held: tuple[Head, ...]

    def trouble(self, must_be_there: Head | None = None) -> str:
        """Why this ledger is not the one that was sealed; empty where all is well."""
        if self.not_held:
            head = self.not_held[0]
            return f"position {head.sequence} was sealed with another hash than it has here"
        if not self.good:
            return "no seal of an allowed signer is in this ledger"
        if must_be_there is not None and must_be_there not in self.good:
            return f"there is no good seal of {must_be_there.sequence}:{must_be_there.hash}"
        return ""


def seal(ledger: Ledger, key: Path | None, *, now_us: int) -> Event:
    """Sign the head with the key in a file (None: the agent's first) and append the seal.

    Raises `BadInput` for an empty ledger and for what OpenSSH refuses.
    """
    head = ledger.head()
    if not head.sequence:
        raise BadInput("the ledger is empty: there is nothing to seal yet")
    signature = openssh.sign(signed_bytes(head), key)
    payload = HeadSealed(
        sequence=head.sequence,
        hash=head.hash,
        signature=signature.armoured,
        signer=signature.signer,
    )
    event = new_event(payload, time_us=now_us, source=SOURCE)
    ledger.append(event)
    return event


def check_seals(ledger: Ledger, allowed: Path) -> SealCheck:
    """Check every seal against a file of allowed signers, as of the time of each seal.

    Raises `Missing` where there is no such file, `BadInput` where OpenSSH is missing.
    """
    if not allowed.is_file():
        raise Missing(f"{allowed}: no such file of allowed signers")
    good: list[tuple[Head, str]] = []
    bad: list[str] = []
    not_held: list[Head] = []
    sealed = list(ledger.read(types=["head_sealed"]))
    hashes = ledger.hashes_at(_head(event).sequence for event in sealed)
    for event in sealed:
        head = _head(event)
        if hashes.get(head.sequence) != head.hash or head.sequence >= event.sequence:
            not_held.append(head)
            bad.append(f"position {event.sequence}: this ledger does not hold what it seals")
            continue
        signer = _signer(event, allowed)
        if signer is None:
            bad.append(f"position {event.sequence}: not signed by one of {allowed}")
        else:
            good.append((head, signer))
    newest, signer = max(good, default=(None, None), key=lambda each: each[0].sequence)
    return SealCheck(tuple(head for head, _ in good), tuple(bad), newest, signer, tuple(not_held))


def signed_bytes(head: Head) -> bytes:
    """What is signed: documented, so that others can check it with OpenSSH alone."""
    return f"{head.sequence}:{head.hash}\n".encode()


def _head(event: Event) -> Head:
    data = event.data
    assert isinstance(data, HeadSealed)
    return Head(data.sequence, data.hash)


def _signer(event: Event, allowed: Path) -> str | None:
    data = event.data
    assert isinstance(data, HeadSealed)
    at = format_time(event.time_us)[:19].translate({ord(mark): None for mark in "-:T"}) + "Z"
    return openssh.signed_by(signed_bytes(_head(event)), data.signature, allowed, at=at)
