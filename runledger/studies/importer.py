"""The trials of existing Optuna storages, as events ready to be stored.

Reads a study at a time and stores nothing: appending is for the caller. Trials
that never finished are counted and named, not turned into facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import msgspec

from ledger import InvalidEvents
from ledger.event import Event
from runledger.studies.errors import NoSuchStudy, UnknownZone, UnusableStorage, VanishedStudy
from runledger.studies.storage import opened
from runledger.studies.trials import is_finished, trial_event
from runledger.studies.warmstart import is_carried

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class ImportedStudy(msgspec.Struct, frozen=True, kw_only=True):
    """One study: its finished trials as events, and the numbers of those left aside.

    ``unfinished`` maps RUNNING and WAITING to trial numbers, ``refused`` those
    of finished trials that make no event to the reason (they bear no time, say).
    ``carried`` were put there by a warm start: the ledger told the study of them.
    """

    name: str
    events: tuple[Event, ...]
    unfinished: dict[str, tuple[int, ...]]
    refused: dict[int, str]
    carried: tuple[int, ...]


def import_studies(
    location: str, *, zone: tzinfo | None, studies: Sequence[str] = ()
) -> Iterator[ImportedStudy]:
    """The studies of the storage at ``location``, one after the other (default: all of them).

    ``zone`` is where the study's program ran: Optuna writes local times without
    saying whose. None is allowed for a journal, which keeps UTC. Raises
    `NoSuchStudy` before any study is given, `UnusableStorage` and its like.
    """
    with opened(location) as (storage, naive):
        if naive and zone is None:
            raise UnknownZone(
                f"{location} holds local times that do not say of which zone",
                remedy="name the one "
                "its program ran in, for example --assume-tz America/Los_Angeles",
            )
        for id, name, attrs in _chosen(storage, studies):
            try:
                yield _read(storage, id, name, attrs, zone if naive else None)
            except VanishedStudy:
                if studies:
                    raise


def _chosen(storage: BaseStorage, names: Sequence[str]) -> list[tuple[int, str, dict[str, object]]]:
    try:
        found = {study.study_name: study for study in storage.get_all_studies()}
    except Exception as error:  # whatever a storage of odd shape makes Optuna raise
        raise UnusableStorage(f"the studies cannot be read by Optuna: {error}") from error
    for name in names:
        if name not in found:
            raise NoSuchStudy(name, sorted(found))
    wanted = dict.fromkeys(names) or found
    return [(found[name]._study_id, name, found[name].user_attrs) for name in wanted]


def _read(
    storage: BaseStorage, id: int, name: str, attrs: dict[str, object], zone: tzinfo | None
) -> ImportedStudy:
    try:
        trials = storage.get_all_trials(id, deepcopy=False)
    except KeyError:
        raise VanishedStudy(name) from None
    except Exception as error:
        raise UnusableStorage(f"study {name!r} cannot be read by Optuna: {error}") from error
    events: list[Event] = []
    unfinished: dict[str, list[int]] = {}
    refused: dict[int, str] = {}
    carried: list[int] = []
    for trial in trials:
        if not is_finished(trial):
            unfinished.setdefault(trial.state.name, []).append(trial.number)
        elif is_carried(trial):
            carried.append(trial.number)
        else:
            try:
                events.append(trial_event(trial, study=name, zone=zone, study_attrs=attrs))
            except (InvalidEvents, ValueError) as error:
                refused[trial.number] = str(error)
    return ImportedStudy(
        name=name,
        events=tuple(events),
        unfinished={state: tuple(numbers) for state, numbers in sorted(unfinished.items())},
        refused=refused,
        carried=tuple(carried),
    )
