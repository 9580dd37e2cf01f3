"""Optuna, joined from outside: its trials become events, its storage is never wrapped.

What is offered is listed here, and loaded when it is first used; `import optuna`
happens later still, where it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runledger.lazy import loaded

if TYPE_CHECKING:
    from runledger.studies.asktell import AskedTrial, runledger_trial
    from runledger.studies.callback import RunledgerCallback
    from runledger.studies.counting import SearchRun, completed_trials
    from runledger.studies.errors import (
        BusyStorage,
        MissingStorage,
        NoSuchStudy,
        OptunaError,
        UnknownZone,
        UnusableStorage,
        VanishedStudy,
    )
    from runledger.studies.importer import ImportedStudy, import_studies
    from runledger.studies.resuming import MaxTrials, OpenedStudy, open_study, trials_left
    from runledger.studies.space import InvalidSpace, StudyIdentity, identity_of
    from runledger.studies.trials import SOURCE, is_finished, trial_event
    from runledger.studies.warmstart import Seeded, seed_study

_HOMES = {
    "SOURCE": "trials",
    "AskedTrial": "asktell",
    "BusyStorage": "errors",
    "ImportedStudy": "importer",
    "InvalidSpace": "space",
    "MaxTrials": "resuming",
    "MissingStorage": "errors",
    "NoSuchStudy": "errors",
    "OpenedStudy": "resuming",
    "OptunaError": "errors",
    "RunledgerCallback": "callback",
    "SearchRun": "counting",
    "Seeded": "warmstart",
    "StudyIdentity": "space",
    "UnknownZone": "errors",
    "UnusableStorage": "errors",
    "VanishedStudy": "errors",
    "completed_trials": "counting",
    "identity_of": "space",
    "import_studies": "importer",
    "is_finished": "trials",
    "open_study": "resuming",
    "runledger_trial": "asktell",
    "seed_study": "warmstart",
    "trial_event": "trials",
    "trials_left": "resuming",
}

__all__ = [
    "SOURCE",
    "AskedTrial",
    "BusyStorage",
    "ImportedStudy",
    "InvalidSpace",
    "MaxTrials",
    "MissingStorage",
    "NoSuchStudy",
    "OpenedStudy",
    "OptunaError",
    "RunledgerCallback",
    "SearchRun",
    "Seeded",
    "StudyIdentity",
    "UnknownZone",
    "UnusableStorage",
    "VanishedStudy",
    "completed_trials",
    "identity_of",
    "import_studies",
    "is_finished",
    "open_study",
    "runledger_trial",
    "seed_study",
    "trial_event",
    "trials_left",
]


def __getattr__(name: str) -> Any:
    return loaded(globals(), name, f"runledger.studies.{_HOMES[name]}" if name in _HOMES else None)
