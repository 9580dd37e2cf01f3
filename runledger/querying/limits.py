"""How long a query may keep the database busy."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

from runledger.errors import BadInput, RunledgerError

MAX_TIMEOUT_S = 86_400.0


class OverBudget(RunledgerError):
    """A query took longer, or more memory, than it was allowed."""


class Budget:
    """Time that runs only while the database works: a slow reader of the rows costs nothing."""

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not math.isfinite(limit_s) or not 0 < limit_s <= MAX_TIMEOUT_S:
            raise BadInput(
                f"a time limit of {limit_s} s",
                remedy=f"give more than 0 and at most {MAX_TIMEOUT_S:.0f}",
            )
        self.limit_s = limit_s
        self._clock = clock
        self._spent_s = 0.0
        self._since: float | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The database works within this."""
        self._since = self._clock()
        try:
            yield
        finally:
            self._spent_s += self._clock() - self._since
            self._since = None

    @property
    def is_running(self) -> bool:
        """Whether the database works just now."""
        return self._since is not None

    @property
    def left_s(self) -> float:
        """What is left, in seconds; negative where it is overdrawn."""
        since = self._since
        running_s = 0.0 if since is None else self._clock() - since
        return self.limit_s - self._spent_s - running_s

    def exhausted(self) -> OverBudget:
        """The error for a query that is out of time."""
        return OverBudget(
            f"the query did not end within {self.limit_s:g} s and was stopped",
            remedy="narrow it (WHERE, LIMIT), or allow more with --timeout SECONDS",
        )
