"""What a ledger says of its own history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from ledger.payloads._base import Count, Identifier, Part, Payload
from ledger.times import InvalidTime, parse_time

_ARMOURED = r"^-----BEGIN SSH SIGNATURE-----\n[A-Za-z0-9+/=\n]+-----END SSH SIGNATURE-----\n?\Z"

Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class HeadSealed(Payload, frozen=True, kw_only=True):
    """A head of this ledger that someone signed with an SSH key.

    ``signature`` is OpenSSH's armoured text, namespace ``runledger``, over
    ``SEQUENCE:HASH`` and one newline; ``signer`` is what the signing program was
    told of the key, a hint: who signed is for an allowed-signers file to say.
    """

    event_type = "head_sealed"

    sequence: Count
    hash: Hash
    signature: Annotated[str, Meta(max_length=65_536, pattern=_ARMOURED)]
    signer: Identifier

    def default_subject(self) -> str | None:
        return "fleet"


class WitnessedHead(Part, frozen=True, kw_only=True):
    """A position and the hash that it had."""

    sequence: Count
    hash: Hash


class WitnessRead(Payload, frozen=True, kw_only=True):
    """What a witness remembers of this ledger: a head that it was shown when it was probed.

    ``held``: whether the ledger held that head as this was recorded. Where it did
    not hold one, ``sequence`` and ``hash`` are the newest such, and ``also`` others;
    ``noted`` is when the witness was shown it. ``node`` is the witness, a node or a
    file; ``ledger`` is opaque.
    """

    event_type = "witness_read"

    node: Identifier
    ledger: Identifier
    sequence: Count
    hash: Hash
    held: bool
    noted: Identifier | None = None
    also: tuple[WitnessedHead, ...] = ()

    def default_subject(self) -> str | None:
        return "fleet"

    def contradictions(self, subject: str) -> Iterator[tuple[str, str, str]]:
        try:
            parse_time(self.noted or "1970-01-01T00:00:00Z")
        except InvalidTime as error:
            yield "data.noted", str(error), "write RFC 3339 with an offset"


class WitnessAccepted(Payload, frozen=True, kw_only=True):
    """An operator's word that heads which witnesses remember are not to be held (a restore)."""

    event_type = "witness_accepted"

    reason: str
    by: Identifier

    def default_subject(self) -> str | None:
        return "fleet"


class HistoryRedacted(Payload, frozen=True, kw_only=True):
    """The events after this one come from another ledger, secrets taken out and decisions left out.

    ``sequence`` and ``hash`` are that ledger's head when it was exported: whoever
    keeps it can show which history this one continues.
    """

    event_type = "history_redacted"

    sequence: Count
    hash: Hash

    def default_subject(self) -> str | None:
        return "fleet"
