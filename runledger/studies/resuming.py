"""Going on with a study: under its own name, with new points, and for as long as was asked.

Three traps of a resumed study are closed here. `study.optimize(n_trials=100)`
runs a hundred more however many there are; a sampler with a fixed seed proposes
the points of the first run again; and a study whose space, direction or data
changed is gone on with as if nothing had. Nothing here touches the storage but
through Optuna's own calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from ledger.event import Event, new_event
from ledger.payloads import StudyDefined
from runledger.studies.past import newest_definition
from runledger.studies.sampling import informed_sampler
from runledger.studies.space import StudyIdentity, space_json
from runledger.studies.warmstart import Seeded, is_carried, seed_study

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from ledger import Ledger

SOURCE = "collector/optuna"
_FINISHED = ("COMPLETE", "PRUNED")


class OpenedStudy(msgspec.Struct, frozen=True, kw_only=True):
    """A study that is ready to search; ``seeded`` is None where it was resumed."""

    study: Any
    resumed: bool
    seeded: Seeded | None


def study_name_for(base: str, identity: StudyIdentity) -> str:
    """The name under which Optuna keeps the study of this identity: ``base-<fingerprint>``."""
    return f"{base}-{identity.fingerprint[:12]}"


def open_study(
    base: str,
    identity: StudyIdentity,
    *,
    storage: str | BaseStorage | None,
    ledger: Ledger,
    now_us: int,
    seed: int | None = None,
    studies: Iterable[str] | None = None,
    best: int = 5,
    other_scopes: bool = False,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
) -> OpenedStudy:
    """The study of this identity: resumed where it exists, else made, defined and warm-started.

    ``now_us`` is when (microseconds since the epoch), for the definition that is
    recorded. The sampler is the author's own, else `informed_sampler`, with a seed of
    its own for every resumption where a ``seed`` is given; the ``pruner`` is the
    author's own, else Optuna's default. See `seed_study` for the rest.
    """
    import optuna

    name = study_name_for(base, identity)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=list(identity.directions),
        load_if_exists=True,
        sampler=sampler,
        pruner=pruner,
    )
    resumed = bool(study.get_trials(deepcopy=False))
    known = newest_definition(ledger, name)
    if known is None or known.fingerprint != identity.fingerprint:
        ledger.append(definition(name, identity, now_us))
    seeded = None
    if not resumed:
        study.set_user_attr("runledger:fingerprint", identity.fingerprint)
        seeded = seed_study(
            study, ledger, identity, studies=studies, best=best, other_scopes=other_scopes
        )
    if sampler is None:
        study.sampler = informed_sampler(study, seed)
    return OpenedStudy(study=study, resumed=resumed, seeded=seeded)


def definition(study: str, identity: StudyIdentity, time_us: int) -> Event:
    """The event that tells what a study searches."""
    payload = StudyDefined(
        study=study,
        space=space_json(identity.space),
        directions=identity.directions,
        fingerprint=identity.fingerprint,
        scope=identity.scope,
    )
    return new_event(payload, time_us=time_us, source=SOURCE)


def ran_here(study: Study) -> int:
    """Trials that this study ran to a result itself: COMPLETE or PRUNED, and not carried over."""
    return sum(
        trial.state.name in _FINISHED and not is_carried(trial)
        for trial in study.get_trials(deepcopy=False)
    )


def trials_left(study: Study, total: int) -> int:
    """How many trials are missing to ``total``: what to give as ``n_trials`` on resuming.

    Failed trials yielded nothing and are run again; those left RUNNING by a
    program that died are not waited for.
    """
    return max(0, total - ran_here(study))


class MaxTrials:
    """A callback that stops a study once so many *more* trials ran, however many there were.

    Optuna's `MaxTrialsCallback` counts those of earlier runs too. Failed trials
    count, as they do for ``n_trials``. Give ``n_trials=limit.left(study)`` as well
    where trials run in parallel: a stop lets those that have begun come to an end.
    """

    def __init__(self, study: Study, more: int) -> None:
        self.more = more
        self._before = self._count(study)

    def left(self, study: Study) -> int:
        """How many more may run."""
        return max(0, self.more - (self._count(study) - self._before))

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Called by Optuna after each trial."""
        if not self.left(study):
            study.stop()

    @staticmethod
    def _count(study: Study) -> int:
        return sum(
            trial.state.is_finished() and not is_carried(trial)
            for trial in study.get_trials(deepcopy=False)
        )
