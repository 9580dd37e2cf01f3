"""A thread that stores what a search hands over, so that the search never waits for it.

Handing over costs an append to a queue; making events and storing them happens
here, some fractions of a second later and many at a time. Nothing that goes
wrong here reaches the search: it is logged, and counted.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from collectors.spool import SpoolError
from ledger import Conflict, InvalidEvents, LedgerError
from ledger.event import Event
from runledger.studies.recording import Recorder

Make = Callable[[], Iterable[Event]]
"""Makes events; called in the background."""

_BATCH = 500
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

_AWAY = (LedgerError, SpoolError, OSError)
"""What a recorder raises while it cannot store anything; all else is a fault of ours."""

_log = logging.getLogger("runledger.optuna")


class Background:
    """A bounded queue and the thread that empties it into a recorder.

    ``linger_s`` is how long the thread lets events gather. An instance that
    finds itself in a forked child starts afresh there, with nothing queued.
    """

    def __init__(
        self, recorder: Recorder, *, capacity: int = 10_000, linger_s: float = 0.25
    ) -> None:
        self.stored = 0
        self.lost = 0
        """Events that could not be stored, or made; never those refused by `put`."""
        self._recorder = recorder
        self._capacity = capacity
        self._linger_s = linger_s
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._queue: deque[Make] = deque()
        self._pending = 0
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        self._closing = False
        # Started now: at the end of a process no thread can be started any more.
        threading.Thread(target=self._work, name="runledger-optuna", daemon=True).start()

    def put(self, make: Make, *, even_if_full: bool = False) -> bool:
        """Hand over; False where the queue is full or closed, and nothing was taken."""
        if os.getpid() != self._pid:
            self._start_afresh()
        with self._changed:
            full = self._pending >= self._capacity and not even_if_full
            if self._closing or full:
                return False
            self._queue.append(make)
            self._pending += 1
            if self._pending == 1:
                self._changed.notify_all()
        return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was handed over is stored; False where that took too long."""
        if os.getpid() != self._pid:
            return True
        self._hurry.set()
        with self._changed:
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._pending, timeout_s)
        self._hurry.clear()
        return done

    def close(self) -> None:
        """End the thread once the queue is empty; what is handed over later is refused."""
        with self._changed:
            self._closing = True
            self._hurry.set()
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many are handed over and not yet stored."""
        return self._pending

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
            self._hurry.wait(self._linger_s)
            with self._changed:
                taken = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            self._store(self._made(taken))
            with self._changed:
                self._pending -= len(taken)
                self._changed.notify_all()

    def _made(self, taken: Sequence[Make]) -> list[Event]:
        events: list[Event] = []
        for make in taken:
            try:
                events.extend(make())
            except Exception as error:
                self._lose(1, error)
        return events

    def _store(self, events: list[Event]) -> None:
        """Store a batch; while the recorder cannot, wait and try again until closed."""
        pause_s = _FIRST_PAUSE_S
        while events:
            try:
                self._recorder.record(events)
            except (Conflict, InvalidEvents) as error:
                self._store_each(events, error)
                return
            except Exception as error:
                last_try = self._hurry.is_set()
                if last_try or not isinstance(error, _AWAY):
                    self._lose(len(events), error)
                    return
                _log.warning("trials cannot be stored yet (%s); trying again", error)
                self._hurry.wait(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                self.stored += len(events)
                return

    def _store_each(self, events: list[Event], cause: Exception) -> None:
        if len(events) == 1:
            # The same trial, told differently by someone before us: the first word stands.
            if not isinstance(cause, Conflict):
                self._lose(1, cause)
            return
        for event in events:
            self._store([event])

    def _lose(self, count: int, error: Exception) -> None:
        self.lost += count
        _log.warning(
            "%d trial(s) could not be stored: %s; `runledger import optuna` takes them in later",
            count,
            error,
            exc_info=not isinstance(error, _AWAY),
        )
