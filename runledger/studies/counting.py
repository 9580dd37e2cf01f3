"""A search run in two lines: that it began, what it yielded, how it ended.

A trial counts as completed when it ran to a result: COMPLETE, or PRUNED because
it had no survivor. One that FAILed says nothing about the space.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from collectors.spool import SpoolError
from ledger import LedgerError
from ledger.event import new_event
from ledger.payloads import Payload, RunFinished, RunStarted, SurvivorsCounted
from ledger.text.secrets import environment_secrets, redact
from runledger.studies.json_values import json_value
from runledger.studies.recording import Recorder
from runledger.studies.trials import SOURCE, begun_since, study_name, whole_count

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

SurvivorsOf = Callable[["FrozenTrial"], "int | None"]
"""How many survivors a trial had; None where it does not say."""

_MAX_REASON = 1000

_log = logging.getLogger("runledger.optuna")


def survivors_attribute(trial: FrozenTrial) -> int | None:
    """The trial's user attribute ``survivors``, where it is a count."""
    return whole_count(trial.user_attrs.get("survivors"))


def is_completed(trial: FrozenTrial, survivors: SurvivorsOf = survivors_attribute) -> bool:
    """Whether a trial ran to a result: COMPLETE, or PRUNED with zero survivors."""
    state = trial.state.name
    return state == "COMPLETE" or (state == "PRUNED" and survivors(trial) == 0)


def completed_trials(
    trials: Iterable[FrozenTrial], survivors: SurvivorsOf = survivors_attribute
) -> int:
    """How many of ``trials`` ran to a result."""
    return sum(is_completed(trial, survivors) for trial in trials)


class SearchRun:
    """A context manager around one run of a search program.

    Records ``run_started`` on entry and ``run_finished`` on exit; `count`
    records what was found. An exception ends the run as failed (or aborted,
    where a person or a signal ended it) with the exception as its reason, and
    goes on its way. A run that ends without `count` has an unknown outcome,
    which is not the same as no survivors.
    """

    def __init__(
        self,
        recorder: Recorder,
        run: str,
        *,
        study: optuna.Study | str | None = None,
        scope: Mapping[str, Any] | None = None,
        trials: int | None = None,
        seed_count: int | None = None,
        pipeline: str | None = None,
        step: str | None = None,
        nodes: Sequence[str] | None = None,
        timeout_s: float | None = None,
        requested: Mapping[str, Any] | None = None,
        effective: Mapping[str, Any] | None = None,
        source: str = SOURCE,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._recorder, self._run, self._step = recorder, run, step
        self._source, self._now_us = source, now_us
        self._study = None if study is None or isinstance(study, str) else study
        name = study if isinstance(study, str) or study is None else study.study_name
        self._started = RunStarted(
            pipeline=pipeline,
            study=None if name is None else study_name(name),
            scope=None if scope is None else json_value(scope),
            trials=whole_count(trials),
            seed_count=whole_count(seed_count),
            nodes=None if nodes is None else tuple(nodes),
            timeout_s=timeout_s,
            requested=None if requested is None else json_value(requested),
            effective=None if effective is None else json_value(effective),
        )
        self._began_s = 0.0
        self._began_us = 0

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._began_us = time.time_ns() // 1000  # compared to Optuna's own times
        self._record(self._started)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        outcome, reason = "succeeded", None
        if kind is not None:
            outcome = "failed" if issubclass(kind, Exception) else "aborted"
            reason = _reason(kind, error)
        self._record(
            RunFinished(
                outcome=outcome,  # type: ignore[arg-type]  # one of the three
                reason=reason,
                duration_s=round(time.monotonic() - self._began_s, 6),
            )
        )

    def count(
        self,
        *,
        survivors: int,
        completed_trials: int | None = None,
        study: optuna.Study | None = None,
        trials: int | None = None,
        seed_count: int | None = None,
        unique_survivors: int | None = None,
        seed_start: int | None = None,
        seeds_covered: int | None = None,
        jobs_expected: int | None = None,
        jobs_ok: int | None = None,
    ) -> None:
        """Record what the run yielded; the newest count of a run speaks.

        Without ``completed_trials``, the trials of ``study`` (or of the run's)
        that began since the run did are counted. ``trials`` and ``seed_count``
        default to those the run was started with. Raises `ValueError` for a
        number that is missing or is none.
        """
        if completed_trials is None:
            completed_trials = self._completed(study or self._study)
        self._record(
            SurvivorsCounted(
                trials=_needed("trials", trials, self._started.trials),
                completed_trials=_needed("completed_trials", completed_trials),
                seed_count=_needed("seed_count", seed_count, self._started.seed_count),
                survivors=_needed("survivors", survivors),
                study=self._started.study,
                scope=self._started.scope,
                unique_survivors=_optional("unique_survivors", unique_survivors),
                seed_start=None if seed_start is None else int(seed_start),
                seeds_covered=_optional("seeds_covered", seeds_covered),
                jobs_expected=_optional("jobs_expected", jobs_expected),
                jobs_ok=_optional("jobs_ok", jobs_ok),
            )
        )

    def _completed(self, study: optuna.Study | None) -> int:
        if study is None:
            raise ValueError("how many trials completed? give completed_trials=… or study=…")
        return completed_trials(
            trial
            for trial in study.get_trials(deepcopy=False)
            if begun_since(trial, self._began_us)
        )

    def _record(self, payload: Payload) -> None:
        event = new_event(
            payload,
            time_us=self._now_us(),
            source=self._source,
            runid=self._run,
            step=self._step,
        )
        try:
            self._recorder.record([event])
        except (LedgerError, SpoolError, OSError) as error:
            # Hours of search are worth more than the note about them.
            _log.warning("%s of run %s could not be stored: %s", event.type, self._run, error)


def _reason(kind: type[BaseException], error: BaseException | None) -> str:
    """The exception in a line, without the secrets that messages of drivers and shells hold."""
    try:
        text = f"{kind.__name__}: {error}".removesuffix(": ")
    except Exception:  # one that cannot be written out is an exception all the same
        text = kind.__name__
    return str(json_value(redact(text, environment_secrets(os.environ))))[:_MAX_REASON]


def _needed(name: str, *values: Any) -> int:
    """The first value given, as a count."""
    given = next((value for value in values if value is not None), None)
    count = whole_count(given)
    if count is None:
        raise ValueError(f"{name}={given!r} is no count: give a whole number, 0 or more")
    return count


def _optional(name: str, value: Any) -> int | None:
    return None if value is None else _needed(name, value)
