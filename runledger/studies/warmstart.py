"""A new study begins with what past ones learnt, and every carried trial says where it is from.

Only Optuna's public calls are used (`add_trial`, `enqueue_trial`), on a study
that the caller opened. Seeding twice carries nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ledger.canonical import canonical
from runledger.studies.json_values import json_value
from runledger.studies.past import PastTrial, past_trials, past_trials_of_family
from runledger.studies.planning import Planned, plan
from runledger.studies.space import InvalidSpace, StudyIdentity, directions_of, to_optuna

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from ledger import Ledger

ORIGIN = "runledger:origin"
"""User attribute of carried trials: the id of the event that told of the past one."""
ORIGIN_STUDY = "runledger:origin_study"
ORIGIN_NUMBER = "runledger:origin_number"
ADJUSTED = "runledger:adjusted"
"""User attribute of enqueued trials: the parameters that did not fit as they were."""


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the past trials: see `runledger.studies.planning.Plan`."""

    added: int
    enqueued: int
    left_out: dict[str, int]


def seed_study(
    study: Study,
    ledger: Ledger,
    identity: StudyIdentity,
    *,
    studies: Iterable[str] | None = None,
    best: int = 5,
    most: int = 1000,
    other_scopes: bool = False,
) -> Seeded:
    """Carry past trials of the ledger into a study that is about to search ``identity``.

    ``studies`` are names or patterns (default: the study's family, that is its own
    name with and without a stamp or fingerprint). Raises `InvalidSpace` where the
    study goes another way than ``identity`` says: Optuna keeps the direction that
    a study was created with, whatever is asked for later.
    """
    if directions_of(study) != identity.directions:
        raise InvalidSpace(
            [
                f"study {study.study_name!r} was created to {', '.join(directions_of(study))}, not "
                f"to {', '.join(identity.directions)}: give the new study another name"
            ]
        )
    there = study.get_trials(deepcopy=False)
    past = (
        past_trials_of_family(ledger, study.study_name)
        if studies is None
        else past_trials(ledger, studies)
    )
    carried = {trial.user_attrs.get(ORIGIN) for trial in there}
    fresh = [
        trial
        for trial in past
        if trial.event not in carried and not _is_own(trial, study.study_name, there)
    ]
    chosen = plan(fresh, identity, best=best, most=most, other_scopes=other_scopes)
    for each in chosen.add:
        study.add_trial(_frozen(each, identity))
    for each in chosen.enqueue:
        attrs = {**_origin(each.past), ADJUSTED: list(each.changed)}
        study.enqueue_trial(each.params, user_attrs=attrs, skip_if_exists=True)
    return Seeded(added=len(chosen.add), enqueued=len(chosen.enqueue), left_out=chosen.left_out)


def is_carried(trial: FrozenTrial) -> bool:
    """Whether a trial was added from another study (an enqueued one is run here, and is not)."""
    return ORIGIN in trial.user_attrs and ADJUSTED not in trial.user_attrs


def _is_own(past: PastTrial, name: str, there: list[FrozenTrial]) -> bool:
    """Whether a past trial is one that the study holds itself."""
    if past.study != name or past.number >= len(there):
        return False
    own = json_value(there[past.number].params)
    return canonical(own) == canonical(json_value(past.params))


def _origin(past: PastTrial) -> dict[str, Any]:
    return {ORIGIN: past.event, ORIGIN_STUDY: past.study, ORIGIN_NUMBER: past.number}


def _frozen(each: Planned, identity: StudyIdentity) -> FrozenTrial:
    """The past trial as Optuna's own, with the time it took then."""
    from optuna.trial import TrialState, create_trial

    past = each.past
    attrs = _origin(past)
    if past.survivors is not None:
        attrs["survivors"] = past.survivors
    complete = past.state == "COMPLETE"
    assert past.values is not None or not complete
    trial = create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        params=each.params,
        distributions={name: to_optuna(each) for name, each in identity.space.items()},
        values=[float(value) for value in past.values or ()] if complete else None,
        user_attrs=attrs,
    )
    trial.datetime_complete = _local(past.time_us)
    trial.datetime_start = trial.datetime_complete - timedelta(seconds=past.duration_s or 0.0)
    return trial


def _local(time_us: int) -> datetime:
    """Local time without a zone, as Optuna keeps it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return moment.astimezone().replace(tzinfo=None)
