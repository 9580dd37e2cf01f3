"""Optuna, joined from outside: its trials become events, its storage is never wrapped.

`import optuna` happens where it is used, never when this package is imported.
What is offered is listed here.
"""

from __future__ import annotations

from collectors.optuna.asktell import AskedTrial, runledger_trial
from collectors.optuna.callback import RunledgerCallback
from collectors.optuna.counting import SearchRun, completed_trials
from collectors.optuna.errors import (
    BusyStorage,
    MissingStorage,
    NoSuchStudy,
    OptunaError,
    UnusableStorage,
    VanishedStudy,
)
from collectors.optuna.importer import ImportedStudy, import_studies
from collectors.optuna.resuming import MaxTrials, OpenedStudy, open_study, trials_left
from collectors.optuna.space import InvalidSpace, StudyIdentity, identity_of
from collectors.optuna.trials import SOURCE, is_finished, trial_event
from collectors.optuna.warmstart import Seeded, seed_study

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
