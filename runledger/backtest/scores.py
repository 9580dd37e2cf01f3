"""What a backtest says: the scores of every policy over one history."""

from __future__ import annotations

from typing import Any

import msgspec

from runledger.backtest.cards import Sitting
from runledger.backtest.ranges import Range


class Preflights(msgspec.Struct, frozen=True, kw_only=True):
    """The score of preflights; hours are those of whole runs.

    ``knowable`` runs failed for a cause that had shown before they started. ``censored``
    runs were blocked in reality and have no outcome; runs are ``unsupported`` where no step,
    no end or no cause is on record. ``kept_off`` are failed runs that would have started, and
    without the cards that failed them; ``prevented`` are these and the failed ones that would
    have been blocked, perhaps with those blocked whose end nobody knows; ``lost`` are runs
    that succeeded and would have been blocked, perhaps with the same. ``needless`` of the
    ``blocks`` for a node's or card's sake kept work off where nothing showed after.
    """

    runs: int
    knowable: int
    blocked_failures: int
    hours_saved: float
    unforeseeable: int
    blocked_unforeseeable: int
    kept_off: Range
    prevented: Range
    successes: int
    blocked_successes: int
    hours_lost: float
    lost: Range
    blocks: int
    needless: Range
    censored: int
    unsupported: int
    unsupported_share: float


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The score of parameters, where what the policy says is what was run next.

    ``worked`` of the ``supported`` found survivors. What was never run is
    ``unsupported``: nobody knows how it would have done.
    """

    decisions: int
    supported: int
    worked: int
    unsupported: int
    unsupported_share: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's scores; ``settings`` are those of a sweep."""

    policy: str
    settings: dict[str, str]
    preflight: Preflights
    exclusions: Sitting
    parameters: Parameters


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """What would have been best: the policies that none of the others beats.

    ``sure``: one beats all others, however what nobody knows is read. ``rests_on``: the
    failures that any of this rests on; where there are none, history tells nothing.
    """

    policies: tuple[str, ...]
    sure: bool
    rests_on: int


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """All policies over one history; ``in_force`` names the one that is."""

    decisions: int
    runs: int
    since: str
    until: str
    in_force: str
    policies: list[Scores]
    best: Best

    def as_json(self) -> dict[str, Any]:
        """As `runledger backtest --json` prints it; a range is ``{"low", "high"}``."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        return shown


def share(part: int, whole: int) -> float:
    """A part of a whole, to three digits; 0 of nothing."""
    return round(part / whole, 3) if whole else 0.0
