"""What a ledger says of its own history."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ledger.payloads._base import Count, Identifier, Payload

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
