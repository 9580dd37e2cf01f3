"""Stores what becomes of a job, and never stands in the job's way.

Whatever goes wrong in here is logged; the job's own exception is the one that
its caller sees.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from collectors.jobs.capture import Captured, capture
from collectors.jobs.job import Job
from ledger.event import Event
from ledger.text.secrets import environment_secrets, redact, redact_value


class Recorder(Protocol):
    """Stores events durably before it returns, and says where; see `collectors.recorder`."""

    def record(self, events: Sequence[Event], /) -> object:
        """Store all of them."""


GpuState = Callable[[], dict[str, Any] | None]
"""The state of the job's card at this moment, within a bounded time; None: not known."""

_log = logging.getLogger("runledger.jobs")


def now_us() -> int:
    """The time, in microseconds since the epoch."""
    return time.time_ns() // 1000


class Reporter:
    """Tells the story of one job.

    ``warn`` is told, in a sentence, where the ledger did not take it (default:
    the log). ``clock`` gives microseconds since the epoch.
    """

    def __init__(
        self,
        recorder: Recorder,
        job: Job,
        *,
        gpu_state: GpuState | None = None,
        warn: Callable[[str], object] | None = None,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self.job = job
        self.stored_in: object = None
        """Where the last event went: ``ledger``, ``spool``, or None where it was lost."""
        self._recorder = recorder
        self._gpu_state = gpu_state
        self._warn = _log.warning if warn is None else warn
        self._clock = clock
        self._secrets = environment_secrets(os.environ)

    def raised(self, error: BaseException, *, attempt: int, will_retry: bool) -> None:
        """The job ended in an exception."""
        try:
            captured = capture(error, secrets=self._secrets, names=self.job.names)
        except Exception:
            _log.warning("a failure could not be described in full", exc_info=True)
            captured = Captured(type(error).__name__, "", "", "unknown")
        self.failed(captured, attempt=attempt, will_retry=will_retry)

    def failed(self, captured: Captured, *, attempt: int, will_retry: bool) -> None:
        """The job failed: stored before this returns."""
        moment = self._clock()
        self._record(
            lambda: self.job.failed(
                captured,
                attempt=attempt,
                will_retry=will_retry,
                gpu_state=self._state(),
                time_us=moment,
            )
        )

    def finished(self, *, attempt: int, duration_s: float) -> None:
        """The job ended well."""
        moment = self._clock()
        self._record(
            lambda: self.job.finished(attempt=attempt, duration_s=duration_s, time_us=moment)
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must not be stored."""
        return self._secrets

    def _state(self) -> dict[str, Any] | None:
        if self._gpu_state is None:
            return None
        try:
            state = self._gpu_state()
        except Exception:
            _log.warning("the state of the card could not be read", exc_info=True)
            return None
        return None if state is None else redact_value(state, self._secrets)

    def _record(self, make: Callable[[], Event]) -> None:
        self.stored_in = None
        try:
            self.stored_in = self._recorder.record([make()])
        except Exception as error:
            self._warn(self._sentence("could not be stored", error))
            return
        if self.stored_in == "spool":
            reason = getattr(self._recorder, "last_error", None)
            self._warn(self._sentence("is spooled, to be stored later", reason))

    def _sentence(self, what: str, reason: object) -> str:
        text = f"what became of job {self.job.name} {what}: {reason or 'the ledger is away'}"
        return redact(text, self._secrets)
