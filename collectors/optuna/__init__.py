"""Optuna, joined from outside: its trials become events, its storage is never wrapped.

`import optuna` happens where it is used, never when this package is imported.
What is offered is listed here.
"""

from __future__ import annotations

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
from collectors.optuna.trials import SOURCE, is_finished, trial_event

__all__ = [
    "SOURCE",
    "BusyStorage",
    "ImportedStudy",
    "MissingStorage",
    "NoSuchStudy",
    "OptunaError",
    "RunledgerCallback",
    "SearchRun",
    "UnusableStorage",
    "VanishedStudy",
    "completed_trials",
    "import_studies",
    "is_finished",
    "trial_event",
]
