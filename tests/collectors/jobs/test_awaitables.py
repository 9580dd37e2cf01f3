"""A guarded function that gives something to be awaited ends when that ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from collectors.jobs import Job, Reporter, Retries, guarded
from ledger import Event


class Kept:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, events: Sequence[Event], /) -> None:
        self.events += events

    @property
    def told(self) -> list[tuple[str, int]]:
        """Type and attempt of each event."""
        return [(event.type, event.data.attempt) for event in self.events]  # type: ignore[attr-defined]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def under_guard(
    kept: Kept, function: Callable[..., Any], retries: Retries | None = None
) -> Callable[..., Any]:
    made = Reporter(kept, Job(name="job", source="test"))
    return guarded(lambda args, kwargs: made, retries=retries)(function)


async def fails_later() -> None:
    await asyncio.sleep(0)
    raise RuntimeError("later")


def test_a_failure_while_awaiting_is_a_failure(kept: Kept) -> None:
    call = under_guard(kept, lambda: fails_later())
    with pytest.raises(RuntimeError, match="later"):
        asyncio.run(call())
    assert kept.told == [("job_failed_with_traceback", 1)]


def test_what_is_awaited_is_given_on(kept: Kept) -> None:
    async def gives() -> int:
        return 7

    assert asyncio.run(under_guard(kept, lambda: gives())()) == 7
    assert kept.told == [("job_finished", 1)]


def test_a_failure_while_awaiting_is_tried_again(kept: Kept) -> None:
    outcomes = [RuntimeError("once"), None]

    async def attempt() -> None:
        error = outcomes.pop(0)
        if error is not None:
            raise error

    asyncio.run(under_guard(kept, lambda: attempt(), Retries(retries=1, wait=0))())
    assert kept.told == [("job_failed_with_traceback", 1), ("job_finished", 2)]


def test_a_call_that_failed_before_it_gave_anything_counts_as_an_attempt(kept: Kept) -> None:
    calls = []

    def job() -> Awaitable[None]:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("at once")
        return fails_later()

    call = under_guard(kept, job, Retries(retries=1, wait=0))
    with pytest.raises(RuntimeError, match="later"):
        asyncio.run(call())
    assert kept.told == [("job_failed_with_traceback", 1), ("job_failed_with_traceback", 2)]


def test_a_task_stays_the_callers_task(kept: Kept) -> None:
    async def main() -> None:
        task = under_guard(kept, lambda: asyncio.ensure_future(fails_later()))()
        assert isinstance(task, asyncio.Task)
        with pytest.raises(RuntimeError, match="later"):
            await task
        await asyncio.sleep(0)

    asyncio.run(main())
    assert kept.told == [("job_failed_with_traceback", 1)]


def test_a_future_of_a_pool_ends_the_job_when_it_is_done(kept: Kept) -> None:
    def fails() -> None:
        raise RuntimeError("in the pool")

    with ThreadPoolExecutor(1) as pool:
        future: Future[None] = under_guard(kept, lambda: pool.submit(fails))()
        assert isinstance(future.exception(), RuntimeError)
    assert kept.told == [("job_failed_with_traceback", 1)]
