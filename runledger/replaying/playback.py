"""The states that many decisions were made on, in one pass over the events.

Where cuts and events come in the order of time, as they do in a ledger that is
written while things happen, every event is read and folded once, whatever the
number of decisions; and policies that fold alike share the fold. What comes
late is left to `runledger.deciding.folding`, and playback goes on from there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger import Event, Ledger
from rules.fold import Fold
from rules.state import State
from runledger.deciding.folding import Edit, History, order

_REMEMBER_EVERY = 50_000
"""Positions after which a state is kept, to start from when something comes late."""

_END_OF_TIME = 2**62
_NOTHING = (-_END_OF_TIME, 0)


class Cut(NamedTuple):
    """Events up to a position, with times up to ``at_us``."""

    sequence: int
    at_us: int


class _Lane:
    """One fold's state as playback goes on."""

    def __init__(self, ledger: Ledger, fold: Fold, edit: Edit | None) -> None:
        self.fold = fold
        self.state = State()
        self.history = History(ledger, fold, persist=False, edit=edit)
        self.remembered = 0


class Playback:
    """States at one cut after the other; cheap while cuts do not go back."""

    def __init__(
        self, ledger: Ledger, folds: Iterable[Fold], *, upto: int, edit: Edit | None = None
    ) -> None:
        self._lanes = {fold.key: _Lane(ledger, fold, edit) for fold in folds}
        self._types = frozenset[str]().union(*(lane.fold.types for lane in self._lanes.values()))
        self._edit = edit
        self._unread = self._kept(ledger, upto)
        self._read: Event | None = next(self._unread, None)
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, int, Event]] = []
        self._newest = _NOTHING
        self._reached = Cut(0, -_END_OF_TIME)
        if edit is not None:
            for event in edit.added_in(-_END_OF_TIME, _END_OF_TIME):
                self._wait(event)

    def states(self, cut: Cut) -> dict[str, State]:
        """The state of each fold, by its key, at a cut.

        They belong to playback, and change with the next call.
        """
        while self._read is not None and self._read.sequence <= cut.sequence:
            self._wait(self._read)
            self._read = next(self._unread, None)
        if cut.sequence < self._reached.sequence or cut.at_us < self._newest[0]:
            # Something beyond the cut is folded already: this one is answered on the side.
            return {key: lane.history.state_at(*cut) for key, lane in self._lanes.items()}
        news: list[Event] = []
        while self._waiting and self._waiting[0][0] <= cut.at_us:
            news.append(heapq.heappop(self._waiting)[-1])
        if any(map(self._late, news)):
            self._fold_again(cut)
        else:
            self._fold(news)
        self._newest = max([self._newest, *map(order, news)])
        self._reached = cut
        return {key: lane.state for key, lane in self._lanes.items()}

    def _kept(self, ledger: Ledger, upto: int) -> Iterator[Event]:
        stored = ledger.read(upto=upto, types=self._types)
        return stored if self._edit is None else filter(self._edit.keeps, stored)

    def _wait(self, event: Event) -> None:
        heapq.heappush(self._waiting, (*order(event), next(self._numbers), event))

    def _late(self, event: Event) -> bool:
        """Whether an event should have been folded before others that were."""
        if event.supersedes is not None:  # that one must not be folded
            return event.time_us <= self._newest[0]
        return order(event) < self._newest

    def _fold(self, news: list[Event]) -> None:
        for lane in self._lanes.values():
            if self._reached.sequence - lane.remembered >= _REMEMBER_EVERY:
                lane.history.remember(lane.state, *self._reached)
                lane.remembered = self._reached.sequence
            lane.state = lane.fold.run(news, lane.state)

    def _fold_again(self, cut: Cut) -> None:
        for lane in self._lanes.values():
            lane.state = lane.history.state_at(*cut)
            lane.history.release()
