"""A spool on disk for events that the ledger could not take.

One file a batch: NDJSON, as `runledger record` reads it. A batch is in the spool
when `Spool.put` returns, whatever happens to the machine then; it leaves the
spool only after the ledger has acknowledged it. Dying in between sends it again,
and the ledger stores an id once: so nothing is lost and nothing counts twice.

It refuses to grow without bound, and never throws a batch away: what the ledger
will never take is set aside in ``refused/`` with the reason beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ledger.errors import Conflict, InvalidEvents, LedgerError, RunledgerError
from ledger.event import Event, parse_ndjson, to_wire
from ledger.redaction import redacted

MAX_BYTES = 256 * 1024 * 1024
"""Default limit for everything in a spool, refused batches included (256 MiB)."""

REFUSED = "refused"
"""The folder, within the spool, of batches that the ledger will never take."""

_LOCK = ".lock"
_TEMPORARY = ".new-"
_ABANDONED_S = 86400
"""A temporary file this old belongs to nobody who still lives."""
# When it was put there (nanoseconds), something unique, how many events.
_NAME = re.compile(r"[0-9]{20}-[0-9a-f]+\.([0-9]+)\.ndjson\Z")

_log = logging.getLogger("runledger.spool")


class SpoolError(RunledgerError):
    """Events could not be put into a spool; ``folder`` is where."""

    def __init__(self, folder: Path, message: str) -> None:
        self.folder = folder
        super().__init__(f"spool {folder}: {message}")


class SpoolFull(SpoolError):
    """The spool holds ``held`` bytes of at most ``limit``; nothing was added."""

    def __init__(self, folder: Path, held: int, limit: int) -> None:
        self.held, self.limit = held, limit
        super().__init__(
            folder,
            f"full ({held} of at most {limit} bytes); bring the ledger back and run "
            f"`runledger doctor`, and look at what is in {REFUSED}/",
        )


class Delivered(NamedTuple):
    """What a delivery did, in events: stored now, still waiting, set aside for good."""

    delivered: int
    kept: int
    refused: int


class Spool:
    """A folder of waiting batches. Any number of processes may use it at once.

    The folder is made by the first `put`, for its owner alone; the folders
    above it only with ``parents``.
    """

    def __init__(
        self, folder: str | Path, *, max_bytes: int = MAX_BYTES, parents: bool = True
    ) -> None:
        self.folder = Path(folder)
        self._max_bytes = max_bytes
        self._parents = parents

    def put(self, events: Sequence[Event]) -> None:
        """Add a batch, durably before returning. Raises `SpoolFull` or `SpoolError`."""
        if not events:
            return
        content = "".join(json.dumps(to_wire(event)) + "\n" for event in events).encode()
        name = f"{time.time_ns():020d}-{secrets.token_hex(8)}.{len(events)}.ndjson"
        try:
            self._make_folder(self.folder)
            held = self._held()
            if held + len(content) > self._max_bytes:
                raise SpoolFull(self.folder, held, self._max_bytes)
            _write_durably(self.folder, name, content)
        except OSError as error:
            raise SpoolError(self.folder, error.strerror or str(error)) from error

    def pending(self) -> int:
        """How many events wait to be delivered; 0 where there is no folder."""
        return sum(_count(name) for name in self._waiting())

    def refused(self) -> int:
        """How many events were set aside for good, for a person to look at."""
        try:
            return sum(_count(name) for name in os.listdir(self.folder / REFUSED))
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def deliver(
        self, append: Callable[[Sequence[Event]], object], *, budget_s: float | None = None
    ) -> Delivered:
        """Hand every waiting batch to ``append``, oldest first, and forget what it took.

        Ends where the ledger cannot be reached, or after ``budget_s``: the rest
        is kept. While another process delivers, nothing is done here. Raises
        nothing that ``append`` raises for want of a ledger; ``append`` must
        store an id only once.
        """
        ends = None if budget_s is None else time.monotonic() + budget_s
        if not self._waiting():
            return Delivered(0, 0, 0)
        with self._locked() as mine:
            # Listed again: another process may have delivered until just now.
            waiting = self._waiting() if mine else []
            if not mine:
                return Delivered(0, self.pending(), 0)
            self._sweep()
            done = refused = 0
            for name in waiting:
                if ends is not None and time.monotonic() > ends:
                    break
                try:
                    outcome = self._deliver_one(name, append)
                except (LedgerError, OSError) as error:
                    _log.info("the ledger cannot be reached, %s stays spooled: %s", name, error)
                    break
                done += _count(name) if outcome == "delivered" else 0
                refused += _count(name) if outcome == "refused" else 0
            return Delivered(done, self.pending(), refused)

    # -- one batch ------------------------------------------------------------------

    def _deliver_one(self, name: str, append: Callable[[Sequence[Event]], object]) -> str:
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            # Taken away by someone, or not readable: no reason to hold up the others.
            _log.warning("%s cannot be read: %s", path, error)
            return "passed over"
        try:
            append([redacted(event) for event in parse_ndjson(content.split(b"\n"))])
        except (Conflict, InvalidEvents) as error:
            self._refuse(name, error)
            return "refused"
        except (LedgerError, OSError):
            raise
        except Exception:
            _log.warning("%s could not be delivered and stays spooled", path, exc_info=True)
            return "passed over"
        path.unlink(missing_ok=True)
        _sync_folder(self.folder)
        return "delivered"

    def _refuse(self, name: str, error: Exception) -> None:
        aside = self.folder / REFUSED
        self._make_folder(aside)
        _write_durably(aside, f"{name}.reason", f"{type(error).__name__}: {error}\n".encode())
        os.replace(self.folder / name, aside / name)
        _sync_folder(aside)
        _sync_folder(self.folder)
        _log.warning("a spooled batch was refused and set aside as %s: %s", aside / name, error)

    # -- the folder -----------------------------------------------------------------

    def _waiting(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.folder) if _NAME.match(name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _held(self) -> int:
        """Bytes of all files here and set aside."""
        held = 0
        for folder in (self.folder, self.folder / REFUSED):
            with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        if entry.is_file(follow_symlinks=False):
                            held += entry.stat(follow_symlinks=False).st_size
        return held

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        folder.mkdir(mode=0o700, parents=self._parents, exist_ok=True)
        _sync_folder(folder.parent)

    def _sweep(self) -> None:
        """Remove what writers left behind who died before their batch was whole."""
        oldest = time.time() - _ABANDONED_S
        for name in os.listdir(self.folder):
            if name.startswith(_TEMPORARY):
                path = self.folder / name
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Whether this process delivers; the lock goes with the process, however it ends."""
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _log.warning("spool %s cannot be locked: %s", self.folder, error)
            yield False
            return
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def _count(name: str) -> int:
    match = _NAME.match(name)
    return int(match[1]) if match else 0


def _write_durably(folder: Path, name: str, content: bytes) -> None:
    """A whole file under its name, on disk, or none; raises `OSError`."""
    temporary = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
