"""What this package asks of whoever stores its events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ledger.event import Event


class Recorder(Protocol):
    """Stores events durably before it returns, in the ledger or, while that is away, in a spool."""

    def record(self, events: Sequence[Event], /) -> object:
        """Store all of them. An id that is stored already is left alone."""
