"""Studies that persist: what is stored of them, and whether a program may go on with one.

Definitions are events; nothing is changed in any Optuna storage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ledger import Event, Ledger, Unavailable
from ledger.input_files import read_text
from ledger.payloads import StudyDefined
from runledger.errors import BadInput, Missing
from runledger.studies.comparing import Comparison, Difference, Verdict, compare
from runledger.studies.errors import BusyStorage, OptunaError, UnusableStorage
from runledger.studies.past import family, past_trials_of_family
from runledger.studies.planning import plan
from runledger.studies.resuming import definition, study_name_for
from runledger.studies.space import InvalidSpace, StudyIdentity, identity_of_study
from runledger.studies.space_reading import identity_from_definition, identity_from_json
from runledger.studies.storage import opened

_VERDICTS: tuple[Verdict, ...] = ("safe", "new_study", "refuse")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a program may go on with a study.

    ``stored`` is the study that was compared (None: none is known), ``name`` the
    one to open in Optuna: the stored one where that is safe, else the name of a
    new study. ``carried`` counts what `seed_study` would take into a new one.
    """

    study: str
    verdict: str
    stored: str | None
    name: str
    fingerprint: dict[str, str | None]
    differences: tuple[Difference, ...]
    carried: dict[str, Any]


def program_identity(path: str | Path, scope: Mapping[str, Any] | None = None) -> StudyIdentity:
    """The identity in a program's JSON file; ``scope`` adds to the one in it."""
    try:
        text = read_text(path, "utf-8")
        identity = identity_from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not a JSON file: {error}") from None
    except InvalidSpace as error:
        raise BadInput("\n".join(f"{path}: {each}" for each in error.problems)) from None
    return _within(identity, scope)


def stored_identity(
    storage: str, study: str | None, scope: Mapping[str, Any] | None = None
) -> tuple[str, StudyIdentity]:
    """Name and identity of a study in an Optuna storage; ``study`` None: the only one there."""
    import optuna

    try:
        with opened(storage) as (found, _):
            names = [each.study_name for each in optuna.get_all_study_summaries(found)]
            if study is None and len(names) == 1:
                study = names[0]
            if study is None or study not in names:
                asked = "say which study" if study is None else f"no study {study!r}"
                raise Missing(f"{asked}: {storage} holds {', '.join(sorted(names)[:10]) or 'none'}")
            identity = identity_of_study(optuna.load_study(study_name=study, storage=found))
    except BusyStorage as error:
        raise Unavailable(str(error)) from error
    except (UnusableStorage, InvalidSpace) as error:
        raise BadInput(str(error)) from error
    except OptunaError as error:
        raise Missing(str(error)) from error
    return study, _within(identity, scope)


def _within(identity: StudyIdentity, scope: Mapping[str, Any] | None) -> StudyIdentity:
    if not scope:
        return identity
    return msgspec.structs.replace(identity, scope={**(identity.scope or {}), **scope})


def define_study(ledger: Ledger, study: str, identity: StudyIdentity, now_us: int) -> Event | None:
    """Record what a study searches; None where the ledger says so already."""
    known = _definitions(ledger, study).get(study)
    if known is not None and known.fingerprint == identity.fingerprint:
        return None
    event = definition(study, identity, now_us)
    ledger.append(event)
    return event


def check_study(ledger: Ledger, study: str, program: StudyIdentity) -> Checked:
    """Compare a program's identity with what the ledger knows of a study or its family."""
    known = _definitions(ledger, study)
    stored, comparison = _closest(known, study, program)
    same = [name for name, each in known.items() if each.fingerprint == program.fingerprint]
    new_name = same[-1] if same else study_name_for(family(study), program)
    chosen = plan(past_trials_of_family(ledger, study), program)
    return Checked(
        study=study,
        verdict=comparison.verdict,
        stored=stored,
        name=stored if stored is not None and comparison.verdict == "safe" else new_name,
        fingerprint={
            "stored": None if stored is None else known[stored].fingerprint,
            "program": program.fingerprint,
        },
        differences=comparison.differences,
        carried={
            "added": len(chosen.add),
            "enqueued": len(chosen.enqueue),
            "left_out": chosen.left_out,
        },
    )


def _closest(
    known: Mapping[str, StudyDefined], study: str, program: StudyIdentity
) -> tuple[str | None, Comparison]:
    """The stored study to compare with: the very one, else the nearest of its family."""
    compared = [
        (name, compare(identity_from_definition(each), program))
        for name, each in known.items()
        if name == study or study not in known
    ]
    compared.reverse()  # of two as near, the newest
    return min(
        compared,
        key=lambda each: (_VERDICTS.index(each[1].verdict), len(each[1].differences)),
        default=(None, Comparison(verdict="new_study")),
    )


def _definitions(ledger: Ledger, study: str) -> dict[str, StudyDefined]:
    """The newest definition of each study of a family, in the order of time."""
    found: dict[str, StudyDefined] = {}
    for event in ledger.read(types=("study_defined",), order="time"):
        data = event.data
        assert isinstance(data, StudyDefined)
        if data.study == study or family(data.study) == family(study):
            found.pop(data.study, None)
            found[data.study] = data
    return found
