"""Existing Optuna studies taken into the ledger: what they tried becomes history to judge by.

The storage is read and left as it is; the same studies again store nothing.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from ledger import Ledger, Unavailable
from runledger.errors import BadInput, Missing
from runledger.studies import (
    BusyStorage,
    ImportedStudy,
    OptunaError,
    UnknownZone,
    UnusableStorage,
    import_studies,
)

_ENDINGS = frozenset({".db", ".sqlite", ".sqlite3", ".log", ".journal"})
"""What of a folder is looked at; what SQLite keeps beside a database has other ends."""
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
    ledger: Ledger,
    places: Sequence[str],
    *,
    zone: tzinfo | None,
    studies: Sequence[str] = (),
    passed_over: Callable[[str, str], object] = lambda path, why: None,
) -> list[TakenIn]:
    """Store the finished trials of the studies (default: all) in storages.

    A place is a path or URL, a pattern or a folder; a file in the latter two that is
    no storage, or has none of the studies asked for, is passed over. ``zone`` is the
    one the studies' programs ran in. Raises `Missing` (no such file or study),
    `BadInput` (no storage that can be read) or `Unavailable` (a writer that does not
    let go; the ledger).
    """
    taken: list[TakenIn] = []
    nowhere: Exception | None = None
    for place in places:
        for storage, named in _storages(place):
            try:
                taken += _import(ledger, storage, zone, studies)
            except (BadInput, Missing) as error:
                if named or isinstance(error.__cause__, UnknownZone):
                    raise
                nowhere = error if isinstance(error, Missing) else nowhere
                passed_over(storage, str(error))
    if studies and not taken and nowhere is not None:
        raise nowhere
    return taken


def _storages(place: str) -> Iterator[tuple[str, bool]]:
    """The storages at a place; whether each was named itself, rather than found."""
    path = Path(place).expanduser()
    if path.is_dir():
        found = (each for each in path.iterdir() if each.suffix.lower() in _ENDINGS)
        files = sorted(str(each) for each in found if each.is_file())
        where = "a folder without any storage (files ending in .db, .sqlite or .log)"
    elif "://" in place or path.exists() or not glob.has_magic(place):
        yield place, True
        return
    else:
        files = sorted(each for each in glob.glob(str(path)) if Path(each).is_file())
        where = "a pattern that no file matches"
    if not files:
        raise Missing(f"{place}: {where}")
    for file in files:
        yield file, False


def _import(
    ledger: Ledger, storage: str, zone: tzinfo | None, studies: Sequence[str]
) -> list[TakenIn]:
    try:
        return [
            _store(ledger, study) for study in import_studies(storage, zone=zone, studies=studies)
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
