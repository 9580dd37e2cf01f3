"""The recorder of a ledger: events go there, or into a spool beside it while it is away.

A spool belongs to one ledger, so that nothing is ever delivered to another.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from collectors.recorder import Recorder
from collectors.spool import Spool
from ledger import Event, Ledger, open_ledger
from ledger.database import locate
from runledger.appending import append_new


def recorder_of(ledger: Ledger, location: str) -> Recorder:
    """The recorder of an open ledger, found at ``location``."""
    return Recorder(lambda events: append_new(ledger, events), Spool(spool_folder(location)))


def recorder_at(location: str) -> Recorder:
    """The recorder of a ledger that is opened (and made) when the first event comes."""
    return Recorder(_Opening(lambda: open_ledger(location)), Spool(spool_folder(location)))


def spool_folder(location: str) -> Path:
    """Beside a SQLite ledger, ``<ledger>.spool``; a server's is in the user's state folder."""
    url = locate(location)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(os.path.abspath(url.database) + ".spool")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    named = url.set(password=None).render_as_string()
    name = f"{url.host or 'local'}-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
    return Path(state, "runledger", "spool", name)


class _Opening:
    """Appends to a ledger that is opened by the first append that gets through to it."""

    def __init__(self, open_: Callable[[], Ledger]) -> None:
        self._open = open_
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()

    def __call__(self, events: Sequence[Event]) -> object:
        with self._lock:
            if self._ledger is None:
                self._ledger = self._open()
        return append_new(self._ledger, events)
