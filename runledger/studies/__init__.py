"""Optuna, joined from outside: its trials become events, its storage is never wrapped.

`import optuna` happens where it is used, never when this package is imported.
What is offered is listed here.
"""

from __future__ import annotations

from runledger.studies.asktell import AskedTrial, runledger_trial
from runledger.studies.callback import RunledgerCallback
from runledger.studies.counting import SearchRun, completed_trials
from runledger.studies.errors import (
    BusyStorage,
    MissingStorage,
    NoSuchStudy,
    OptunaError,
    UnusableStorage,
    VanishedStudy,
)
from runledger.studies.importer import ImportedStudy, import_studies
from runledger.studies.resuming import MaxTrials, OpenedStudy, open_study, trials_left
from runledger.studies.space import InvalidSpace, StudyIdentity, identity_of
from runledger.studies.trials import SOURCE, is_finished, trial_event
from runledger.studies.warmstart import Seeded, seed_study

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
