"""Existing Optuna studies taken into the ledger: what they tried becomes history to judge by.

The storage is read and left as it is; the same studies again store nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from ledger import Ledger, Unavailable
from runledger.errors import BadInput, Missing
from runledger.studies import (
    BusyStorage,
    ImportedStudy,
    OptunaError,
    UnusableStorage,
    import_studies,
)

_AT_ONCE = 10_000
"""Trials stored together: a study that was stored in part goes on where it stopped."""


class TakenIn(NamedTuple):
    """What became of one study: trials stored, known already, and left out.

    ``unfinished`` maps RUNNING and WAITING to the numbers of such trials,
    ``refused`` the numbers of finished ones that make no event to the reason.
    ``carried`` came from this or another ledger by a warm start and are no news.
    """

    study: str
    stored: int
    duplicates: int
    unfinished: dict[str, tuple[int, ...]]
    refused: dict[int, str]
    carried: tuple[int, ...]


def import_optuna(
    ledger: Ledger, storage: str, *, zone: tzinfo | None, studies: Sequence[str] = ()
) -> list[TakenIn]:
    """Store the finished trials of the studies in ``storage``, a path or URL (default: all).

    ``zone`` is the one the studies' programs ran in. Raises `Missing` (no such
    file or study), `BadInput` (no storage that can be read) or `Unavailable`
    (a writer that does not let go; the ledger).
    """
    try:
        return [
            _store(ledger, study)
            for study in import_studies(str(storage), zone=zone, studies=studies)
        ]
    except BusyStorage as error:
        raise Unavailable(str(error)) from error
    except UnusableStorage as error:
        raise BadInput(str(error)) from error
    except OptunaError as error:
        raise Missing(str(error)) from error


def _store(ledger: Ledger, study: ImportedStudy) -> TakenIn:
    stored = duplicates = 0
    for start in range(0, len(study.events), _AT_ONCE):
        done = ledger.append_new(study.events[start : start + _AT_ONCE])
        stored += done.stored
        duplicates += done.duplicates
    return TakenIn(study.name, stored, duplicates, study.unfinished, study.refused, study.carried)
