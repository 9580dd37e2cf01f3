"""A decorator around a job: each attempt is an event, and a failure is stored before the next one.

The policy of retrying is tenacity's; what is here is only the order of things:
a failed attempt is recorded, then waited for, then tried again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_base,
    retry_if_exception_type,
    stop_after_attempt,
    wait_fixed,
)
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from collectors.jobs.guard import in_thread, is_success
from collectors.jobs.reporter import Reporter

P = ParamSpec("P")
R = TypeVar("R")

MakeReporter = Callable[[tuple[Any, ...], dict[str, Any]], Reporter]
"""Who tells of a call, by its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """When to try again.

    ``retries`` is how often after the first attempt. ``on``: exception types, or
    tenacity's ``retry_…``; ``wait``: seconds, or tenacity's ``wait_…``; ``stop``:
    tenacity's ``stop_…``, which holds beside ``retries``. What is no `Exception`
    (Ctrl-C, ``sys.exit``) is never tried again.
    """

    retries: int = 0
    on: type[Exception] | tuple[type[Exception], ...] | retry_base = Exception
    wait: float | wait_base = 1.0
    stop: stop_base | None = None

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise ValueError(f"retries={self.retries}: give 0 or more")

    def options(self) -> dict[str, Any]:
        """tenacity's arguments."""
        on = self.on if isinstance(self.on, retry_base) else retry_if_exception_type(self.on)

        def wanted(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome is not None else None
            return (error is None or isinstance(error, Exception)) and bool(on(state))

        stop: stop_base = stop_after_attempt(self.retries + 1)
        if self.stop is not None:
            # A stop of the caller's without a number of retries is the only limit.
            stop = self.stop | stop if self.retries else self.stop
        return {
            "retry": wanted,
            "stop": stop,
            "wait": self.wait if isinstance(self.wait, wait_base) else wait_fixed(self.wait),
            "reraise": True,
        }


def guarded(
    reporter: MakeReporter, *, attempt: int = 1, retries: Retries | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, ``async`` or not; ``attempt`` is the number of its first attempt.

    A plain function that gives something to be awaited ends as that ends, and is
    tried again with it; one that gives a future ends as that does, and is not.
    """
    policy = Retries() if retries is None else retries

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__qualname__} is a generator: guard the function that runs it"
            )
        if inspect.iscoroutinefunction(function):
            return cast(
                "Callable[P, R]",
                _decorate_async(
                    cast("Callable[..., Awaitable[Any]]", function), reporter, attempt, policy
                ),
            )

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            course = _Course(reporter(args, kwargs), attempt)
            retrying = Retrying(
                before=course.begin,
                before_sleep=course.will_retry,
                **policy.options(),
            )
            try:
                result = retrying(function, *args, **kwargs)
            except BaseException as error:
                course.end(error)
                raise
            if isinstance(result, asyncio.Future | concurrent.futures.Future):
                result.add_done_callback(course.end_of)
            elif inspect.isawaitable(result):
                return cast(
                    "R",
                    _awaited(result, functools.partial(function, *args, **kwargs), course, policy),
                )
            else:
                course.end(None)
            return result

        return call

    return decorate


def _decorate_async(
    function: Callable[..., Awaitable[Any]],
    reporter: MakeReporter,
    attempt: int,
    policy: Retries,
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        course = _Course(reporter(args, kwargs), attempt)
        return await _run(functools.partial(function, *args, **kwargs), course, policy)

    return call


async def _run(function: Callable[[], Awaitable[Any]], course: _Course, policy: Retries) -> Any:
    async def before_sleep(state: RetryCallState) -> None:
        await in_thread(lambda: course.will_retry(state), None)

    retrying = AsyncRetrying(before=course.begin, before_sleep=before_sleep, **policy.options())
    try:
        result: Any = await retrying(function)
    except BaseException as raised:
        error = raised  # the name of an except clause does not outlive it
        await in_thread(lambda: course.end(error), error)
        raise
    await in_thread(lambda: course.end(None), None)
    return result


async def _awaited(
    first: Awaitable[Any], again: Callable[[], Any], course: _Course, policy: Retries
) -> Any:
    """What a plain function gave to be awaited: the job ends with that, not with the call."""
    waiting = [first]

    async def attempt() -> Any:
        return await (waiting.pop() if waiting else again())

    left = dataclasses.replace(policy, retries=max(0, policy.retries - course.failures))
    return await _run(attempt, course.goes_on(), left)


class _Course:
    """The attempts of one call."""

    def __init__(self, reporter: Reporter, first: int) -> None:
        self._reporter = reporter
        self._first = first
        self.attempt = first
        self._began = time.monotonic()

    @property
    def failures(self) -> int:
        """How many attempts came before the present one."""
        return self.attempt - self._first

    def goes_on(self) -> _Course:
        """The same course, whose next attempt is the present one still."""
        return _Course(self._reporter, self.attempt)

    def end_of(self, future: asyncio.Future[Any] | concurrent.futures.Future[Any]) -> None:
        """A future that the job had given is done; whoever waits for it is told by itself."""
        if future.cancelled():
            self.end(asyncio.CancelledError())
        else:
            self.end(future.exception())

    def begin(self, state: RetryCallState) -> None:
        self.attempt = self._first + state.attempt_number - 1
        self._began = time.monotonic()

    def will_retry(self, state: RetryCallState) -> None:
        """tenacity has decided to try again, and not begun to wait."""
        error = state.outcome.exception() if state.outcome is not None else None
        if error is not None:
            self._reporter.raised(error, attempt=self.attempt, will_retry=True)

    def end(self, error: BaseException | None) -> None:
        if error is None or is_success(error):
            duration_s = time.monotonic() - self._began
            self._reporter.finished(attempt=self.attempt, duration_s=duration_s)
        else:
            self._reporter.raised(error, attempt=self.attempt, will_retry=False)
