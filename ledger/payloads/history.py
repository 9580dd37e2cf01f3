"""What a ledger says of its own history."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ledger.payloads._base import Count, Payload


class HistoryRedacted(Payload, frozen=True, kw_only=True):
    """The events after this one come from another ledger, secrets taken out and decisions left out.

    ``sequence`` and ``hash`` are that ledger's head when it was exported: whoever
    keeps it can show which history this one continues.
    """

    event_type = "history_redacted"

    sequence: Count
    hash: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

    def default_subject(self) -> str | None:
        return "fleet"
