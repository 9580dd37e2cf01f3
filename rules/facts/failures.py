"""Facts about failed jobs, and which of them weigh on a card."""

from __future__ import annotations

from collections.abc import Sequence

from rules.causes import WEIGHING, features_of
from rules.folds.context import Context
from rules.folds.jobs import is_common
from rules.folds.standing_out import standing_out
from rules.ruleset import Fact
from rules.state import Failure, State


def failure_facts(state: State, context: Context, at_us: int) -> list[tuple[Failure, Fact]]:
    """A fact for each failure within the window that happened on a known card."""
    oldest = at_us - context.window_us
    return [
        (
            failure,
            Fact(
                kind="failure",
                subject=failure.card,
                features=features_of(failure.says, failure.near),
                show={"job": failure.event},
                evidence=(failure.event,),
            ),
        )
        for failure in state.failures
        if failure.card and failure.time_us > oldest
    ]


class Weighing:
    """The failures that are the cards' own: of their cause, and not of all the code's users.

    A fingerprint seen on many nodes is the code's, but on a card that stands out in it.
    """

    def __init__(
        self,
        state: State,
        context: Context,
        at_us: int,
        causes: Sequence[tuple[Failure, str]],
    ) -> None:
        own = [failure for failure, cause in causes if cause in WEIGHING and not failure.alike]
        oldest = at_us - context.harmless_window_us
        counts: dict[str, dict[str, int]] = {}
        for failure in own:
            of = counts.setdefault(failure.fingerprint, {})
            of[failure.card] = of.get(failure.card, 0) + (failure.time_us > oldest)
        common = {
            fingerprint: standing_out(state, cards, at_us, context)
            for fingerprint, cards in counts.items()
            if is_common(state, fingerprint, at_us, context)
        }
        self._by_card: dict[str, list[Failure]] = {}
        for failure in own:
            if failure.card in common.get(failure.fingerprint, (failure.card,)):
                self._by_card.setdefault(failure.card, []).append(failure)

    def of(self, key: str) -> list[Failure]:
        """Those of one card, oldest first."""
        return self._by_card.get(key, [])
