"""The part of the facade that guards jobs: a failure is stored before anyone tries again.

Nothing here makes a job wait for a ledger that is away, nor fail with it.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, overload

from rules.fleet import Fleet
from runledger.api.session import Opened
from runledger.config.settings import load_settings
from runledger.intake.gpu_states import gpu_state_reader

if TYPE_CHECKING:
    from collectors.jobs import Guard, Reporter
    from collectors.recorder import Recorder
    from collectors.spool import Delivered

_DELIVERY_S = 10.0
"""How long a decision waits at most for spooled events to be delivered."""

_log = logging.getLogger("runledger.spool")

Named = str | Callable[..., str] | None
"""A name, or what makes one of a call's arguments."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Context(NamedTuple):
    """What guarding a job takes; the configuration's relative paths begin in ``folder``."""

    recorder: Recorder
    fleet: Fleet | None
    folder: Path


class Decorator(Protocol):
    """What ``guarded(…)`` returns: the function it is given keeps its type."""

    def __call__(self, function: _Function, /) -> _Function:
        """The function, guarded."""
        ...


class Guarding(Opened):
    """What `Runledger` can do for a program that runs jobs."""

    def job(self, name: str, *, attempt: int = 1, will_retry: bool = False, **about: Any) -> Guard:
        """Around one attempt at a job: ``with fleet.job("step3-0007", node=…, pci=…):``.

        ``about`` may be ``node``, ``pci``, ``index`` (of the card), ``run`` and
        ``step``. Records ``job_finished``, or ``job_failed_with_traceback`` before
        the exception goes on its way; ``async with`` works as well.
        """
        from collectors.jobs import Guard

        reporter = reporter_of(self._context(), name, **about)
        return Guard(reporter, attempt=attempt, will_retry=will_retry)

    @overload
    def guarded(self, function: _Function, /) -> _Function: ...
    @overload
    def guarded(self, job: str | None = None, /, **options: Any) -> Decorator: ...

    def guarded(self, function: Any = None, /, **options: Any) -> Any:
        """As the function `guarded`, with this ledger."""
        return _decorate(self._context, function, **options)

    def deliver_spooled(self, *, budget_s: float | None = None) -> Delivered:
        """Store what was spooled while the ledger was away; see `collectors.spool`."""
        return self.recorder.deliver(budget_s=budget_s)

    def _context(self) -> Context:
        return Context(self.recorder, self.fleet, self.settings.folder)

    def _take_in_spooled(self) -> None:
        """Before a decision, as what waits is evidence; where nothing waits it costs nothing."""
        try:
            self.deliver_spooled(budget_s=_DELIVERY_S)
        except Exception:  # a decision is due, with or without it
            _log.warning("what is spooled could not be delivered", exc_info=True)


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
def guarded(function: _Function, /) -> _Function: ...
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

    return _decorate(found, function, **options)


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


def _decorate(
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
    from collectors.jobs import Retries
    from collectors.jobs import guarded as decorated

    if isinstance(function, str):
        job, function = function, None
    retries = Retries(**retry)
    contexts: list[Context] = []

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
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

    return decorate if function is None else decorate(function)
