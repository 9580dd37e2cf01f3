"""Folding a ledger up to a position and a time, at the cost of the news.

A fold resumes from a checkpoint when the events it has not seen all come after
those it has, in the order of (time, position); otherwise from an older one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from ledger import Event, Ledger
from rules.fold import Fold
from rules.state import State, dump_state, load_state
from runledger.deciding.checkpoints import (
    Checkpoint,
    checked_checkpoints,
    load_checkpoints,
    save_checkpoint,
    thinned,
)

CHECKPOINT_EVERY = 2_000
"""News, in positions, after which a live decision leaves a checkpoint behind."""

_KEPT = 12
_KEPT_IN_MEMORY = 32
_END_OF_TIME = 2**62
_ADDED = 2**62
"""Positions from here on are those of added events."""


class Folded(NamedTuple):
    """A state and what it was folded from: positions up to ``sequence``, times up to ``at_us``."""

    state: State
    sequence: int
    at_us: int


class History:
    """One ledger folded by one fold, resumable; not safe to share between threads.

    With ``persist``, checkpoints are read from the ledger and left there (without
    ``save``, only read); a replay does without, so that it rests on the events alone.
    """

    def __init__(
        self,
        ledger: Ledger,
        fold: Fold,
        *,
        persist: bool,
        save: bool = True,
        edit: Edit | None = None,
    ) -> None:
        self._ledger = ledger
        self._fold = fold
        self._persist = persist and edit is None
        self._save = save
        self._edit = edit
        self._current: Folded | None = None
        self._saved: list[Checkpoint] = []
        self._loaded = False

    def state_at(self, sequence: int, at_us: int) -> State:
        """The state of all events up to a position whose time is not after ``at_us``.

        The state belongs to this history and changes with the next call.
        """
        base = self._base(sequence, at_us)
        news = self._news(base, sequence, at_us)
        state = self._fold.run(news, base.state)
        self._current = Folded(state, sequence, at_us)
        if self._persist:
            self._checkpoint(state, base.sequence, sequence, at_us)
        elif not self._saved or sequence - self._saved[-1].sequence >= CHECKPOINT_EVERY:
            self.remember(state, sequence, at_us)
        return state

    def remember(self, state: State, sequence: int, at_us: int) -> None:
        """Keep a copy of a state, folded elsewhere, to start from later; in memory only."""
        self._saved.append(Checkpoint(sequence, at_us, state.newest_us, dump_state(state)))
        if len(self._saved) > 2 * _KEPT_IN_MEMORY:
            self._saved = thinned(self._saved, _KEPT_IN_MEMORY)

    def release(self) -> None:
        """Forget the state given out last: whoever has it may change it."""
        self._current = None

    # -- where to start ------------------------------------------------------

    def _base(self, sequence: int, at_us: int) -> Folded:
        current, self._current = self._current, None
        if current is not None and self._extends(
            current.sequence, current.state.newest_us, sequence, at_us
        ):
            return current
        self._load_checkpoints()
        for saved in sorted(self._saved, reverse=True):
            if self._extends(saved.sequence, saved.newest_us, sequence, at_us):
                return Folded(load_state(saved.state), saved.sequence, saved.at_us)
        return Folded(State(), 0, -_END_OF_TIME)

    def _extends(self, from_sequence: int, newest_us: int, sequence: int, at_us: int) -> bool:
        """Whether all that (sequence, at) adds comes after what was folded already."""
        if from_sequence > sequence or newest_us > at_us:
            return False  # something folded lies beyond the question's cut
        if from_sequence == sequence:
            return True
        news: dict[str, Any] = {"after": from_sequence, "upto": sequence, "types": self._fold.types}
        if self._ledger.exists(**news, until_us=min(newest_us - 1, at_us)):
            return False
        # One that supersedes another comes at the time of that one, which must then not
        # have been folded; and added events come after all others of their time.
        tied = self._ledger.read(**news, since_us=newest_us, until_us=newest_us)
        return not any(self._edit is not None or event.supersedes for event in tied)

    # -- what is new -----------------------------------------------------------

    def _news(self, base: Folded, sequence: int, at_us: int) -> Iterator[Event]:
        """Events that ``base`` has not seen, in the order of (time, position)."""
        later = self._ledger.read(
            after=base.sequence, upto=sequence, until_us=at_us, types=self._fold.types, order="time"
        )
        skipped: Iterable[Event] = ()
        if base.sequence and base.at_us < at_us:
            # Stored before, but not yet to be considered at the earlier time.
            skipped = self._ledger.read(
                upto=base.sequence,
                since_us=base.at_us + 1,
                until_us=at_us,
                types=self._fold.types,
                order="time",
            )
        streams: list[Iterable[Event]] = [later, skipped]
        if self._edit is not None:
            streams = [filter(self._edit.keeps, stream) for stream in streams]
            streams.append(self._edit.added_in(base.at_us, at_us))
        return heapq.merge(*streams, key=order)

    # -- checkpoints ---------------------------------------------------------

    def _load_checkpoints(self) -> None:
        if self._persist and not self._loaded:
            self._loaded = True
            self._saved += load_checkpoints(self._ledger, self._fold.key)

    def _checkpoint(self, state: State, since: int, sequence: int, at_us: int) -> None:
        if not self._save or sequence - since < CHECKPOINT_EVERY:
            return
        checkpoint = Checkpoint(sequence, at_us, state.newest_us, dump_state(state))
        self._saved = thinned([*self._saved, checkpoint], _KEPT)
        kept = [each.sequence for each in self._saved]
        save_checkpoint(self._ledger, self._fold.key, checkpoint, keep=kept)


class Edit:
    """A counterfactual: some events left out, others added.

    Added events without a position come after all others of their time.
    """

    def __init__(self, keeps: Callable[[Event], bool], added: list[Event]) -> None:
        self.keeps = keeps
        placed = (
            event if event.sequence else msgspec.structs.replace(event, sequence=_ADDED + number)
            for number, event in enumerate(added)
        )
        self._added = sorted(placed, key=order)

    def added_in(self, after_us: int, at_us: int) -> list[Event]:
        """Added events with after < time <= at."""
        return [each for each in self._added if after_us < each.time_us <= at_us]


def order(event: Event) -> tuple[int, int]:
    """What folds go by."""
    return event.time_us, event.sequence


def check_checkpoints(ledger: Ledger, fold: Fold) -> tuple[int, int]:
    """Rebuild this user's checkpoints of a fold from the events: how many differ, of how many."""
    whole, changed = checked_checkpoints(ledger, fold.key)
    rebuilt = History(ledger, fold, persist=False)
    differ = sum(
        dump_state(rebuilt.state_at(each.sequence, each.at_us)) != each.state for each in whole
    )
    return changed + differ, len(whole) + changed
