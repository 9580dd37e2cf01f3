"""An open ledger and what is in force with it: what all parts of the facade share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from ledger import Ledger
from ledger.times import parse_time
from rules.fleet import Fleet
from rules.policy import Policy
from runledger.config.catalog import Catalog
from runledger.config.settings import Settings

if TYPE_CHECKING:
    from collectors.recorder import Recorder

Time = int | str | None
"""Microseconds since the epoch, RFC 3339 text, or None for now."""


class Opened:
    """A ledger with its settings, and a clock."""

    ledger: Ledger
    settings: Settings
    catalog: Catalog
    _clock: Callable[[], int]

    def now(self) -> int:
        """The time, in microseconds since the epoch."""
        return self._clock()

    @property
    def policy(self) -> Policy:
        """The policy in force: that of ``runledger.toml``, else the ledger's newest."""
        return self._own_policy or self.catalog.newest_policy()

    @cached_property
    def _own_policy(self) -> Policy | None:
        return self.settings.read_policy()

    @property
    def fleet(self) -> Fleet:
        """The fleet in force: that of ``runledger.toml``, else the ledger's newest."""
        return self.settings.fleet or self.catalog.newest_fleet()

    @cached_property
    def recorder(self) -> Recorder:
        """Stores events in this ledger or, while it is away, in the spool beside it."""
        from runledger.intake.spooling import recorder_of

        return recorder_of(self.ledger, self.settings)

    def _time(self, at: Time) -> int:
        if at is None:
            return self._clock()
        return at if isinstance(at, int) else parse_time(at)
