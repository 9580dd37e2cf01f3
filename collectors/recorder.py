"""Recording that never holds up the work it reports on.

A `Recorder` appends to the ledger; where that fails or takes too long, the
events go to the spool, and from there to the ledger once it is back. It refuses
only what the ledger would refuse for good: a conflict, an invalid event.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from collectors.spool import Delivered, Spool, SpoolError
from ledger.errors import Conflict, InvalidEvents
from ledger.event import Event
from ledger.redaction import redacted
from ledger.text.secrets import environment_secrets

Append = Callable[[Sequence[Event]], object]
"""Stores events in the ledger, each id once; may open the ledger first."""

Where = Literal["ledger", "spool"]

PATIENCE_S = 5.0
"""How long a caller waits for the ledger before its events go to the spool."""

PAUSE_S = 15.0
"""After a failure the ledger is left alone this long; events go to the spool at once."""

_log = logging.getLogger("runledger.recorder")


class Recorder:
    """Stores events durably before it returns: in the ledger, else in the spool.

    Safe to share between threads; a forked child starts afresh. ``patience_s``
    bounds how long a call waits for the ledger, ``pause_s`` how long it is left
    alone after a failure. The first of the spools that can take events takes
    them. An append that took too long may still succeed: its
    events are in the spool as well then, and are stored once.
    """

    def __init__(
        self,
        append: Append,
        spool: Spool,
        *others: Spool,
        patience_s: float = PATIENCE_S,
        pause_s: float = PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spool = spool
        self.spools = (spool, *others)
        self.last_error: Exception | None = None
        """Why events went to the spool the last time they did."""
        self._append = append
        self._patience_s = patience_s
        self._pause_s = pause_s
        self._clock = clock
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._threads: set[threading.Thread] = set()
        self._leave_alone_until: float | None = None

    def record(self, events: Sequence[Event], /) -> Where:
        """Store all of them, without secrets; says where. An id that is stored is left alone.

        Raises `Conflict` and `InvalidEvents` as an append does, and `SpoolError`
        where neither ledger nor spool could take them: for nothing else.
        """
        secrets = environment_secrets(os.environ)
        batch = [redacted(event, secrets) for event in events]
        if os.getpid() != self._pid:
            self._start_afresh()
        attempt = self._begin(batch)
        if attempt is not None and attempt.wait(self._patience_s):
            error = attempt.error
            if error is None:
                return "ledger"
            if isinstance(error, Conflict | InvalidEvents):
                raise error
            self.last_error = error
        elif attempt is not None:
            self.last_error = TimeoutError(f"no answer from the ledger in {self._patience_s:g} s")
            self._leave_alone_until = self._clock() + self._pause_s
        self._put(batch)
        return "spool"

    def pending(self) -> int:
        """How many events wait in the spools."""
        return sum(spool.pending() for spool in self.spools)

    def deliver(self, *, budget_s: float | None = None) -> Delivered:
        """Deliver what is spooled, now and in this thread; see `Spool.deliver`."""
        done = [spool.deliver(self._append, budget_s=budget_s) for spool in self.spools]
        return Delivered(*(sum(counts) for counts in zip(*done, strict=True)))

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing is being stored or delivered; False where that took too long."""
        until = time.monotonic() + timeout_s
        threads = list(self._threads) if os.getpid() == self._pid else []
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _put(self, batch: list[Event]) -> None:
        for spool in self.spools[:-1]:
            try:
                spool.put(batch)
            except SpoolError as error:
                _log.debug("%s", error)
            else:
                return
        self.spools[-1].put(batch)

    def _begin(self, batch: list[Event]) -> _Attempt | None:
        """Append in a thread of its own; None where the ledger is to be left alone."""
        until = self._leave_alone_until
        if until is not None and self._clock() < until:
            return None
        attempt = _Attempt()
        thread = threading.Thread(
            target=self._work, args=(batch, attempt), name="runledger-recorder", daemon=True
        )
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the process ends, or may have no more threads
            self._threads.discard(thread)
            attempt.finish(error)
        return attempt

    def _work(self, batch: list[Event], attempt: _Attempt) -> None:
        try:
            self._append_and_deliver(batch, attempt)
        finally:
            self._threads.discard(threading.current_thread())

    def _append_and_deliver(self, batch: list[Event], attempt: _Attempt) -> None:
        try:
            self._append(batch)
        except Exception as error:
            if not isinstance(error, Conflict | InvalidEvents):
                self._leave_alone_until = self._clock() + self._pause_s
            attempt.finish(error)
            return
        self._leave_alone_until = None
        attempt.finish(None)
        try:
            self.deliver()
        except Exception:
            _log.warning("what is spooled could not be delivered", exc_info=True)


class _Attempt:
    """One append under way in another thread."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._done = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        return self._done.wait(timeout_s)

    def finish(self, error: Exception | None) -> None:
        self.error = error
        self._done.set()


__all__ = ["Append", "Recorder", "SpoolError", "Where"]
