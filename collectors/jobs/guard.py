"""A context manager around one attempt at a job.

What ends the job is written down and goes on its way: an exception is never
swallowed, replaced or held up longer than recording may take.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from collectors.jobs.capture import describe
from collectors.jobs.reporter import Reporter
from collectors.jobs.stderr import cleaned, last_python_error


class Guard:
    """``with Guard(reporter): …``, or ``async with``.

    A failure that raises nothing (a result that says so, an exit code, a lost
    connection) is told with `fail`; the job is over then, and did not end well.

    ``will_retry`` says that the caller tries again after a failure. ``closing``
    is called at the end, when all is stored.
    """

    def __init__(
        self,
        reporter: Reporter,
        *,
        attempt: int = 1,
        will_retry: bool = False,
        closing: Callable[[], object] = lambda: None,
    ) -> None:
        self.attempt = attempt
        self.will_retry = will_retry
        self._reporter = reporter
        self._closing = closing
        self._began = time.monotonic()
        self._failed = False

    def fail(self, kind: str, message: str, *, stderr: str | bytes | None = None) -> None:
        """The job failed: stored before this returns.

        ``kind`` is what the caller calls it (``SSH_ERROR``, ``TIMEOUT``, …) and is
        recorded as the exception; ``stderr`` is what the job said at its end. What
        raises afterwards, within the block, is no second failure.
        """
        self._failed = True
        text = cleaned(stderr) if isinstance(stderr, bytes) else str(stderr or "")
        raised = last_python_error(text)
        if raised is not None and raised[0] not in message:
            message = f"{message} ({raised[0]}: {raised[1]})"
        captured = describe(
            str(kind),
            str(message),
            text,
            secrets=self._reporter.secrets,
            names=self._reporter.job.names,
        )
        self._reporter.failed(captured, attempt=self.attempt, will_retry=self.will_retry)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._failed = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._failed:
                return
            if error is None or is_success(error):
                duration_s = time.monotonic() - self._began
                self._reporter.finished(attempt=self.attempt, duration_s=duration_s)
            else:
                self._reporter.raised(error, attempt=self.attempt, will_retry=self.will_retry)
        finally:
            self._closing()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await in_thread(lambda: self.__exit__(kind, error, trace), error)


def is_success(error: BaseException) -> bool:
    """Whether an exception ends a job well: ``sys.exit()`` and ``sys.exit(0)`` do."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


async def in_thread(work: Callable[[], None], error: BaseException | None) -> None:
    """Do blocking work beside the event loop; within it where a coroutine may not wait any more."""
    if isinstance(error, GeneratorExit):
        work()
        return
    try:
        running = asyncio.get_running_loop().run_in_executor(None, work)
    except RuntimeError:  # no asyncio, or it is shutting down
        work()
        return
    # Shielded: who cancels the job does not cancel what is written about it.
    await asyncio.shield(running)
