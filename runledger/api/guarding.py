"""Guarding jobs: a failure is stored before anyone tries again.

Nothing here makes a job wait for a ledger that is away, nor fail with it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, overload

from rules.fleet import Fleet
from runledger.config.settings import load_settings

if TYPE_CHECKING:
    from collectors.jobs import Guard, Reporter
    from collectors.recorder import Recorder

Named = str | Callable[..., str] | None
"""A name, or what makes one of a call's arguments."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Context(NamedTuple):
    """What guarding a job takes; the configuration's relative paths begin in ``folder``."""

    recorder: Recorder
    fleet: Fleet | None
    folder: Path


class Decorator(Protocol):
    """What ``guarded(…)`` returns: the function it is given keeps its type."""

    def __call__(self, function: Function, /) -> Function:
        """The function, guarded."""
        ...


def job(
    name: str,
    *,
    attempt: int = 1,
    will_retry: bool = False,
    ledger: str | Path | None = None,
    config: str | Path | None = None,
    **about: Any,
) -> Guard:
    """`Runledger.job` without opening a ledger first: the job runs even if it is away."""
    from collectors.jobs import Guard
    from runledger.intake.spooling import recorder_at

    settings = load_settings(ledger=None if ledger is None else str(ledger), config=config)
    recorder = recorder_at(settings)
    context = Context(recorder, settings.fleet, settings.folder)
    reporter = reporter_of(context, name, **about)
    return Guard(reporter, attempt=attempt, will_retry=will_retry, closing=recorder.close)


@overload
def guarded(function: Function, /) -> Function: ...
@overload
def guarded(
    job: str | None = None,
    /,
    *,
    ledger: str | Path | None = None,
    config: str | Path | None = None,
    **options: Any,
) -> Decorator: ...


def guarded(
    function: Any = None,
    /,
    *,
    ledger: str | Path | None = None,
    config: str | Path | None = None,
    **options: Any,
) -> Any:
    """A decorator: each attempt at the function is an event, stored before the next one.

    ``@guarded``, ``@guarded("step3")`` or ``@guarded(job=…, node=…, pci=…, index=…,
    run=…, step=…, attempt=…, retries=2, on=OSError, wait=5.0, stop=…)``. The job is
    named after the function unless said otherwise; ``job``, ``node`` and ``pci``
    may be functions of the call's arguments. ``on``, ``wait`` and ``stop`` take
    tenacity's objects, too: see `collectors.jobs.Retries`. For functions and
    ``async`` functions.
    """

    def found() -> Context:
        from runledger.intake.spooling import recorder_at

        settings = load_settings(ledger=None if ledger is None else str(ledger), config=config)
        return Context(recorder_at(settings), settings.fleet, settings.folder)

    return decorate(found, function, **options)


def reporter_of(
    context: Context,
    name: str,
    *,
    node: str | None = None,
    pci: str | None = None,
    index: int | None = None,
    run: str | None = None,
    step: str | int | float | None = None,
    warn: Callable[[str], object] | None = None,
) -> Reporter:
    """Who tells of a job. Raises `InvalidEvents` for names that no event can bear."""
    from collectors.jobs import Job, Reporter
    from runledger.intake.gpu_states import gpu_state_reader

    told = Job(
        name=name,
        source=f"collector/jobs@{socket.gethostname() or 'unknown'}",
        node=node,
        pci=pci,
        index=index,
        run=run,
        step=None if step is None else str(step),
    )
    state = gpu_state_reader(told.node, told.pci, context.fleet, context.folder)
    return Reporter(context.recorder, told, gpu_state=state, warn=warn)


def decorate(
    found: Callable[[], Context],
    function: Any,
    *,
    job: Named = None,
    node: Named = None,
    pci: Named = None,
    index: int | None = None,
    run: Named = None,
    step: str | None = None,
    attempt: int = 1,
    **retry: Any,
) -> Any:
    """The decorator, or the function decorated; ``found`` is asked at the first call."""
    from collectors.jobs import Retries
    from collectors.jobs import guarded as decorated

    if isinstance(function, str):
        job, function = function, None
    retries = Retries(**retry)
    contexts: list[Context] = []

    def guard(function: Callable[..., Any]) -> Callable[..., Any]:
        def reporter(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Reporter:
            def named(name: Named) -> str | None:
                return name(*args, **kwargs) if callable(name) else name

            if not contexts:
                contexts.append(found())
            return reporter_of(
                contexts[0],
                named(job) or function.__qualname__,
                node=named(node),
                pci=named(pci),
                index=index,
                run=named(run),
                step=step,
            )

        return decorated(reporter, attempt=attempt, retries=retries)(function)

    return guard if function is None else guard(function)
