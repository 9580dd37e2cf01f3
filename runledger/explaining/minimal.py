"""Smallest sets of events whose absence flips a decision.

A decision flips when what it says is another: the verdict of a preflight or of
a proposal, the cards and states of exclusions, the numbers of the next run.
The search asks the judge itself, with events left out; it guesses nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Sequence
from itertools import combinations
from typing import Any

import msgspec

from ledger import Event, Filter, Ledger
from rules.decide import Draft
from rules.explain import Account, Watched
from rules.kinds import KINDS
from rules.ruleset import SEVERITIES
from rules.state import State, dump_state, load_state
from runledger.deciding.folding import History

_SUBSETS_UP_TO = 10
"""Sets this large are searched for a smaller part exhaustively; larger ones event by event."""

_AT_MOST_ASKED = 5_000
_AT_MOST_REFOLDED = 3_000_000
"""Events to fold again, over all questions: half a minute of work or so."""

_BASES_KEPT = 64

Flips = Callable[[frozenset[str]], bool]


class Minimal(msgspec.Struct, frozen=True):
    """The set found, and what the decision is without it.

    ``events`` is empty where no set was found. ``exhaustive``: no part of the
    set flips the decision; otherwise no part with one event less does. A search
    that was ``cut_short`` gives the smallest set it came across, if any.
    """

    events: tuple[str, ...]
    without: Draft | None
    exhaustive: bool
    asked: int
    cut_short: bool = False


class _Enough(Exception):
    """The search has asked as often as it may."""


def smallest_part(flips: Flips, flipping: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """A smallest part of a flipping set that flips, and whether every part was looked at.

    ``flips`` need not be monotone. Raises nothing of its own.
    """
    left, before = list(flipping), 0
    while len(left) != before:  # what could not be spared may be, once others are
        before = len(left)
        for event in tuple(left):
            rest = [each for each in left if each != event]
            if rest and flips(frozenset(rest)):
                left = rest
    if len(left) > _SUBSETS_UP_TO:
        return tuple(left), False
    for size in range(1, len(left)):
        for part in combinations(left, size):
            if flips(frozenset(part)):
                return part, True
    return tuple(left), True


class Search:
    """One decision of one ledger, made again and again without some events."""

    def __init__(
        self,
        ledger: Ledger,
        watched: Watched,
        kind: str,
        question: dict[str, Any],
        sequence: int,
        at_us: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._progress = progress
        self._ledger = ledger
        self._watched = watched
        self._kind, self._question = kind, question
        self._sequence, self._at_us = sequence, at_us
        self._fold = watched.judge.fold
        self._bases: list[tuple[int, str]] = []
        self._refolded = 0
        self._tail: list[Event] = []
        self._asked: dict[frozenset[str], bool] = {}
        self._known: dict[str, Event] = {}
        self._whole = self._judged(History(ledger, self._fold, persist=False))

    @property
    def account(self) -> Account:
        """The decision with nothing left out."""
        return self._whole

    def minimal(self) -> Minimal:
        """Search for a smallest set."""
        best: tuple[str, ...] = ()
        exhaustive = cut_short = False
        try:
            candidates = self._candidates(self._whole)
            single = next((id for id in candidates if self._flips(frozenset([id]))), None)
            if single is not None:
                best, exhaustive = (single,), True
            else:
                best = self._peeled()
                if best:
                    best, exhaustive = smallest_part(self._flips, best)
        except _Enough:  # the smallest found until here; it may have a smaller part that flips
            flipping = [asked for asked, flips in self._asked.items() if flips]
            best = tuple(sorted(min(flipping, key=len, default=())))
            cut_short = True
        without = self._without(frozenset(best)).draft if best else None
        return Minimal(best, without, exhaustive, len(self._asked), cut_short)

    def _peeled(self) -> tuple[str, ...]:
        """Take away what the decision rests on until it flips; () if it never does."""
        removed: dict[str, None] = {}
        account = self._whole
        while True:
            news = [id for id in self._candidates(account) if id not in removed]
            if not news:
                return ()
            deciding = [id for id in self._deciding(account) if id not in removed]
            removed |= dict.fromkeys(deciding or news)
            if self._flips(frozenset(removed)):
                return tuple(removed)
            account = self._without(frozenset(removed))

    def _candidates(self, account: Account) -> list[str]:
        """Events that the decision rests on, those that decided it first."""
        found = dict.fromkeys([*self._deciding(account), *account.evidence])
        return [event.id for event in self._folded(found)]

    def _deciding(self, account: Account) -> list[str]:
        severity = KINDS[self._kind].deciding(account.draft.verdict)
        findings = sorted(account.draft.findings, key=lambda each: SEVERITIES.index(each.severity))
        return list(
            dict.fromkeys(
                id
                for finding in findings
                if severity is None or finding.severity == severity
                for id in finding.evidence
            )
        )

    def _folded(self, ids: Collection[str]) -> list[Event]:
        for id in ids:
            if id not in self._known:
                self._known[id] = self._ledger.get(id)
        found = (self._known[id] for id in ids)
        return [event for event in found if event.type in self._fold.types]

    # -- asking ------------------------------------------------------------------

    def _flips(self, removed: frozenset[str]) -> bool:
        known = self._asked.get(removed)
        if known is None:
            if len(self._asked) >= _AT_MOST_ASKED or self._refolded >= _AT_MOST_REFOLDED:
                raise _Enough
            self._progress(len(self._asked) + 1)
            draft = self._without(removed).draft
            known = self._said(draft) != self._said(self._whole.draft)
            self._asked[removed] = known
        return known

    def _said(self, draft: Draft) -> Any:
        return KINDS[self._kind].answer(draft)

    def _without(self, removed: frozenset[str]) -> Account:
        oldest_us = min((event.time_us for event in self._folded(removed)), default=self._at_us)
        start, base = self._before(oldest_us)
        kept = [event for event in self._tail[start:] if event.id not in removed]
        self._refolded += len(kept)
        return self._decided(self._fold.run(kept, load_state(base)))

    def _before(self, us: int) -> tuple[int, str]:
        """The state before a time, and where in the tail the events from then on begin."""
        if not self._bases or us < self._bases[0][0]:
            self._reach_back(us)
        from_us, base = self._bases[bisect_right(self._bases, us, key=lambda each: each[0]) - 1]
        start = self._first_at(us)
        if from_us < us:  # go on from an earlier one, and keep what comes of it
            between = self._tail[self._first_at(from_us) : start]
            self._refolded += len(between)
            base = dump_state(self._fold.run(between, load_state(base)))
            if len(self._bases) < _BASES_KEPT:
                insort(self._bases, (us, base))
        return start, base

    def _first_at(self, us: int) -> int:
        return bisect_left(self._tail, us, key=lambda event: event.time_us)

    def _reach_back(self, us: int) -> None:
        """Hold the state before a time, and every event from then on."""
        history = History(self._ledger, self._fold, persist=False)
        insort(self._bases, (us, dump_state(history.state_at(self._sequence, us - 1))))
        self._tail = list(
            self._ledger.read(
                upto=self._sequence,
                until_us=self._at_us,
                types=self._fold.types,
                where=(Filter("", since_us=us),),
                order="time",
            )
        )

    def _judged(self, history: History) -> Account:
        return self._decided(history.state_at(self._sequence, self._at_us))

    def _decided(self, state: State) -> Account:
        return self._watched.decide(self._kind, self._question, state, self._at_us)
