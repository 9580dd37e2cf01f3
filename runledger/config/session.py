"""An open ledger and what is in force with it: what the rooms of this package are given.

It opens nothing and decides nothing; `runledger.api` is what programs hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from ledger import Ledger, parse_filters
from ledger.filters import Filter
from rules.decide import Judge
from rules.fleet import Fleet
from rules.policy import Policy
from runledger.config.catalog import Catalog
from runledger.config.moments import parse_moment
from runledger.config.own_types import OwnTypes
from runledger.config.settings import Settings

Time = int | str | None
"""Microseconds since the epoch, text as `runledger.config.moments` reads it, or None for now."""


class Session:
    """A ledger with its settings, and a clock (microseconds since the epoch)."""

    def __init__(self, ledger: Ledger, settings: Settings, *, clock: Callable[[], int]) -> None:
        self.ledger = ledger
        self.settings = settings
        self.catalog = Catalog(ledger)
        self.own_types = OwnTypes(ledger)
        self.now = clock

    @property
    def policy(self) -> Policy:
        """The policy in force: that of ``runledger.toml``, else the ledger's newest."""
        return self._own_policy or self.catalog.newest_policy()

    @cached_property
    def _own_policy(self) -> Policy | None:
        if self.settings.policy_file is None:
            return self.settings.read_policy()
        return self.settings.read_policy(self.own_types.types())

    @property
    def fleet(self) -> Fleet:
        """The fleet in force: that of ``runledger.toml``, else the ledger's newest."""
        return self.settings.fleet or self.catalog.newest_fleet()

    def judge(self) -> Judge:
        """The judge by the policy and fleet in force."""
        return self.catalog.in_force(self._own_policy, self.settings.fleet)

    def time(self, at: Time) -> int:
        """A time as microseconds since the epoch; now, where it is None."""
        if at is None:
            return self.now()
        return at if isinstance(at, int) else self._moment(at)

    def filters(self, texts: Iterable[str]) -> tuple[Filter, ...]:
        """Filter expressions, their times as people write them."""
        return parse_filters(texts, time=self._moment)

    def _moment(self, text: str) -> int:
        return parse_moment(text, now_us=self.now(), zone=self.settings.tz.read())
