"""A callback for ``study.optimize`` that writes every finished trial down.

It can neither stop nor slow a study: it only hands the trial over to a thread,
and whatever fails is logged. Optuna calls no callback for a trial whose
exception ends the study, nor for one that a heartbeat declared dead: those are
looked for in the study itself at `flush` and `close`, also where another program
had begun them.
"""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from ledger.event import Event
from runledger.studies.background import Background
from runledger.studies.recording import Recorder
from runledger.studies.trials import begun_since, died_since, is_finished, trial_event
from runledger.studies.warmstart import is_carried

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

FLUSH_S = 10.0
"""How long `close`, and the end of the process, wait for the last trials to be stored."""

_log = logging.getLogger("runledger.optuna")


class RunledgerCallback:
    """Give it to ``study.optimize(…, callbacks=[…])``; one serves several studies and threads.

    ``run`` and ``step`` say which run its trials belong to; at most ``capacity``
    trials wait in memory. Best used as a context manager; otherwise what is left
    is stored when the process ends.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        run: str | None = None,
        step: str | None = None,
        capacity: int = 10_000,
    ) -> None:
        self._background = Background(recorder, capacity=capacity)
        self._run, self._step = run, step
        self._since_us = time.time_ns() // 1000
        self._studies: dict[str, optuna.Study] = {}
        self._attrs: dict[str, Mapping[str, Any]] = {}
        self._seen: dict[str, set[int]] = {}
        # Whoever passes a callback on without keeping it still gets its last trials.
        atexit.register(self.close)

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Called by Optuna after each trial, in the thread that ran it."""
        try:
            self._hand_over(study, trial)
        except Exception:
            _log.warning("trial %s could not be handed over", trial.number, exc_info=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lost(self) -> int:
        """How many trials could not be stored; the log says why."""
        return self._background.lost

    def watch(self, study: optuna.Study) -> Self:
        """Know of a study before its first trial, should an exception in that one end it."""
        self._studies.setdefault(study.study_name, study)
        return self

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Store all that has finished so far; False where that took longer than ``timeout_s``."""
        self._background.put(self._missed, even_if_full=True)
        return self._background.flush(timeout_s)

    def close(self, timeout_s: float = FLUSH_S) -> bool:
        """`flush`, and end the thread; later trials are not recorded."""
        atexit.unregister(self.close)
        done = self.flush(timeout_s)
        self._background.close()
        if not done:
            _log.warning(
                "%d hand-over(s) were not stored within %g s; "
                "`runledger import optuna` takes such trials in",
                self._background.waiting,
                timeout_s,
            )
        return done

    def _hand_over(self, study: optuna.Study, trial: FrozenTrial) -> None:
        seen = self._seen_of(study)
        if trial.number not in seen and self._background.put(lambda: [self._event(study, trial)]):
            seen.add(trial.number)

    def _seen_of(self, study: optuna.Study) -> set[int]:
        self._studies.setdefault(study.study_name, study)
        return self._seen.setdefault(study.study_name, set())

    # -- in the background -------------------------------------------------------

    def _event(self, study: optuna.Study, trial: FrozenTrial, *, ours: bool = True) -> Event:
        name = study.study_name
        if name not in self._attrs:
            try:
                self._attrs[name] = study.user_attrs
            except Exception:  # the study is gone; its trial is a fact all the same
                self._attrs[name] = {}
        return trial_event(
            trial,
            study=name,
            zone=None,
            study_attrs=self._attrs[name],
            # Of which run a trial was that somebody else began is not known here.
            runid=self._run if ours else None,
            step=self._step if ours else None,
        )

    def _missed(self) -> Iterator[Event]:
        """The finished trials since our beginning that no callback handed over."""
        for name, study in list(self._studies.items()):
            seen = self._seen_of(study)
            try:
                trials = study.get_trials(deepcopy=False)
            except Exception as error:
                _log.warning("study %r could not be looked through: %s", name, error)
                continue
            for trial in trials:
                ours = begun_since(trial, self._since_us)
                if (
                    (ours or died_since(trial, self._since_us))
                    and is_finished(trial)
                    and not is_carried(trial)
                    and trial.number not in seen
                ):
                    seen.add(trial.number)
                    yield self._event(study, trial, ours=ours)
