"""One trial, asked for and told, with nothing lost in between.

That it began is recorded before the work starts; an exception is recorded with
its traceback before the study or any retry hears of it. Optuna's own errors go
to the caller; what cannot be recorded is logged, and stops nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger.event import Event, new_event
from ledger.payloads import Payload, TrialStarted
from runledger.studies.json_values import json_value
from runledger.studies.recording import Recorder
from runledger.studies.trials import SOURCE, study_name, trial_event

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_log = logging.getLogger("runledger.optuna")


class AskedTrial:
    """Optuna's trial, and `tell`: what it yielded, told to the study when the block ends."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self.values: float | Sequence[float] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)

    def tell(self, values: float | Sequence[float]) -> None:
        """The trial's value, or one for each objective."""
        self.values = values


@contextmanager
def runledger_trial(
    study: optuna.Study,
    recorder: Recorder,
    *,
    run: str | None = None,
    step: str | None = None,
    node: str | None = None,
    pci: str | None = None,
    job: str | None = None,
    attempt: int = 1,
    will_retry: bool = False,
    gpu_state: Callable[[], dict[str, Any] | None] | None = None,
    distributions: Mapping[str, BaseDistribution] | None = None,
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Iterator[AskedTrial]:
    """``with runledger_trial(study, recorder) as trial:`` asks, and tells the result.

    The value given to ``trial.tell`` is told on leaving; without one the trial
    FAILs, as one whose objective returns nothing. `optuna.TrialPruned` tells
    PRUNED and ends there; any other exception, Optuna's own at the telling
    included, is recorded, tells FAIL and goes on. ``attempt`` counts from 1;
    ``will_retry`` is what the record says of a failure; ``job`` names it, by
    default after study and number; ``gpu_state`` reads the card's state for it.
    Raises `InvalidEvents` for a name that no event can bear, before anything is
    asked for.
    """
    import optuna
    from optuna.trial import TrialState

    from collectors.jobs.job import Job
    from collectors.jobs.reporter import Reporter

    name = study_name(study.study_name)
    guarded = Job(name=job or name, source=SOURCE, node=node, pci=pci, run=run, step=step)
    notes = _Notes(recorder, study, run, step, now_us)
    trial = study.ask(dict(distributions) if distributions else None)
    for key, value in (("node", node), ("pci", pci)):
        if value is not None:
            trial.set_user_attr(key, value)
    notes.started(trial, node, pci)
    asked = AskedTrial(trial)
    try:
        yield asked
        state = TrialState.FAIL if asked.values is None else None
        told = study.tell(trial, asked.values, state, skip_if_finished=True)
    except optuna.TrialPruned:
        notes.finished(study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True))
    except BaseException as error:
        if job is None:
            guarded = replace(guarded, name=f"{name}/{trial.number}")
        reporter = Reporter(recorder, guarded, gpu_state=gpu_state, clock=now_us)
        reporter.raised(error, attempt=attempt, will_retry=will_retry)
        try:
            notes.finished(study.tell(trial, state=TrialState.FAIL, skip_if_finished=True))
        except Exception:  # the storage may be what failed: what the caller hears of is `error`
            _log.warning("trial %d could not be told as failed", trial.number, exc_info=True)
        raise
    else:
        notes.finished(told)


class _Notes:
    """What is recorded of one trial; a recorder that fails is logged, and stops nothing."""

    def __init__(
        self,
        recorder: Recorder,
        study: optuna.Study,
        run: str | None,
        step: str | None,
        now_us: Callable[[], int],
    ) -> None:
        self._recorder, self._study, self._now_us = recorder, study, now_us
        self._run, self._step = run, step

    def started(self, trial: optuna.Trial, node: str | None, pci: str | None) -> None:
        payload = TrialStarted(
            study=study_name(self._study.study_name),
            number=trial.number,
            params=json_value(trial.params) or None,
            node=node,
            pci=pci,
        )
        self.note(lambda: self.event(payload))

    def finished(self, trial: FrozenTrial) -> None:
        self.note(
            lambda: trial_event(
                trial,
                study=self._study.study_name,
                zone=None,
                study_attrs=self._study.user_attrs,
                runid=self._run,
                step=self._step,
            )
        )

    def event(self, payload: Payload) -> Event:
        return new_event(
            payload, time_us=self._now_us(), source=SOURCE, runid=self._run, step=self._step
        )

    def note(self, make: Callable[[], Event]) -> None:
        try:
            self._recorder.record([make()])
        except Exception as error:
            _log.warning("an event of %r could not be stored: %s", self._study.study_name, error)
