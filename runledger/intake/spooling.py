"""The recorder of a ledger: events go there, or into a spool on disk while it is away.

A spool belongs to one ledger, so that nothing is ever delivered to another. It
is beside a SQLite ledger (``LEDGER.spool``) and beside the configuration for a
server's (``.runledger-spool``), unless ``spool`` in ``runledger.toml`` names a
folder. Where that cannot be used either, the user's state folder takes over.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from collectors.recorder import Recorder
from collectors.spool import Spool
from ledger import Event, Ledger, open_ledger
from ledger.location import locate
from runledger.config.settings import Settings
from runledger.intake.admission import admit

_HIDDEN = ".runledger-spool"


def recorder_of(ledger: Ledger, settings: Settings) -> Recorder:
    """The recorder of the open ledger that ``settings`` name."""
    return Recorder(lambda events: _append(ledger, events), *spools(settings))


def recorder_at(settings: Settings) -> OpeningRecorder:
    """The recorder of a ledger that is opened (and made) when the first event comes."""
    return OpeningRecorder(settings)


class OpeningRecorder(Recorder):
    """A recorder that opens its ledger when it needs it, again after it was closed."""

    def __init__(self, settings: Settings) -> None:
        self._location = settings.ledger
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()
        super().__init__(self._append_opening, *spools(settings))

    def close(self, timeout_s: float = 2.0) -> None:
        """Let what is under way finish, for ``timeout_s`` at most, and close the ledger."""
        if self.flush(timeout_s) and self._ledger is not None:
            self._ledger.close()

    def _append_opening(self, events: Sequence[Event]) -> object:
        with self._lock:
            if self._ledger is None:
                self._ledger = open_ledger(self._location)
        return _append(self._ledger, events)


def _append(ledger: Ledger, events: Sequence[Event]) -> object:
    """What waited in a folder may have been written there by anyone."""
    admit(ledger, events)
    return ledger.append_new(events)


def spools(settings: Settings) -> tuple[Spool, ...]:
    """Where events wait for the ledger that ``settings`` name; the first usable one takes them."""
    folders = list(dict.fromkeys(_folders(settings)))
    # Beside a ledger whose own folder is missing nothing must be made: it may be
    # a disk that is not mounted.
    beside = _beside(settings)
    return tuple(Spool(folder, parents=folder != beside) for folder in folders)


class Waiting(NamedTuple):
    """Events that wait in spools, those that the ledger refused, and the folders they are in."""

    waiting: int
    refused: int
    folders: list[str]


def waiting(settings: Settings) -> Waiting:
    """What waits for the ledger that ``settings`` name."""
    waits = refused = 0
    folders = []
    for spool in spools(settings):
        counts = spool.pending(), spool.refused()
        waits, refused = waits + counts[0], refused + counts[1]
        if any(counts):
            folders.append(str(spool.folder))
    return Waiting(waits, refused, folders)


def place_for(settings: Settings, what: str) -> Path:
    """Where to keep a note about the ledger: beside a SQLite file, else in the user's state."""
    url = locate(settings.ledger)
    if url.get_backend_name() == "sqlite":
        return Path(f"{os.path.abspath(str(url.database))}.{what}")
    return _state_folder() / what / _name(settings.ledger)


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return Path(state or Path(os.path.expanduser("~"), ".local", "state"), "runledger")


def _folders(settings: Settings) -> Iterator[Path]:
    name = _name(settings.ledger)
    beside = _beside(settings)
    if settings.spool is not None:
        yield Path(settings.spool, name)
    elif beside is not None:
        yield beside
    elif settings.config_path is not None:
        yield settings.config_path.absolute().parent / _HIDDEN / name
    if os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~") != "~":
        yield _state_folder() / "spool" / name
    else:
        yield Path.cwd() / _HIDDEN / name


def _beside(settings: Settings) -> Path | None:
    """The folder beside a SQLite ledger."""
    if settings.spool is not None:
        return None
    url = locate(settings.ledger)
    if url.get_backend_name() != "sqlite":
        return None
    return Path(os.path.abspath(str(url.database)) + ".spool")


def _name(location: str) -> str:
    """A folder name for a ledger that no other ledger has, and that shows no password."""
    url = locate(location)
    if url.get_backend_name() == "sqlite":
        whole = os.path.abspath(str(url.database))
        shown = Path(whole).name
    else:
        whole = url.set(password=None, query={}).render_as_string()
        shown = f"{url.host or 'local'}-{url.database or 'default'}"
    digest = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', shown)[:64]}-{digest}"
