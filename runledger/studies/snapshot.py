"""A private copy of a storage file, as it stood at one moment, with the source left as it is.

Reading an SQLite file in place would leave traces: one in WAL mode gains a
``-shm`` beside it, a hot journal is rolled back into it, and a reader's lock
held for long makes a running study fail with "database is locked". So the file
is copied, with its journal or WAL, and everything else happens to the copy.

SQLite's own locks say when copying is safe. They belong to a process, and
closing any descriptor of the file lets go of all of them, those of a study in
this very process too: so this file is run as a program of its own, and
imports nothing but the standard library.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MAGIC = b"SQLite format 3\x00"

BUSY = 75
UNREADABLE = 74

_WRITE_VERSION = 18  # offset in the header: 1 is a rollback journal, 2 a WAL
_WAL_HEADER_BYTES = 32
# The bytes that SQLite locks: a writer about to commit takes the first, readers share the rest.
_PENDING = 0x40000000
_SHARED = _PENDING + 2
_SHARED_BYTES = 510
_POLL_S = 0.02


class Busy(Exception):
    """No quiet moment came up in time."""


def copy(source: Path, target: Path, *, wait_s: float) -> None:
    """Copy ``source`` to ``target``; what belongs to an SQLite file comes along.

    Raises `Busy` where a writer did not let go within ``wait_s``, and `OSError`.
    """
    deadline = time.monotonic() + wait_s
    while True:
        with source.open("rb") as file:
            header = file.read(100)
            if not header.startswith(MAGIC):
                shutil.copyfile(source, target)
                return
            done = (
                _copy_wal(source, target)
                if header[_WRITE_VERSION] == 2
                else _copy_rollback(file, source, target, deadline)
            )
        if done:
            return
        if time.monotonic() > deadline:
            raise Busy
        time.sleep(_POLL_S)


def _copy_rollback(file: BinaryIO, source: Path, target: Path, deadline: float) -> bool:
    """While readers are locked in, nobody changes the file; a journal beside it is undone later."""
    with _readers_lock(file, deadline):
        file.seek(0)
        if file.read(100)[_WRITE_VERSION : _WRITE_VERSION + 1] != b"\x01":
            return False
        _copy_beside(source, target, "-journal")
        shutil.copyfile(source, target)
        return True


@contextmanager
def _readers_lock(file: BinaryIO, deadline: float) -> Iterator[None]:
    for start, length in ((_PENDING, 1), (_SHARED, _SHARED_BYTES)):
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, length, start)
                break
            except (BlockingIOError, PermissionError):
                if time.monotonic() > deadline:
                    raise Busy from None
                time.sleep(_POLL_S)
    fcntl.lockf(file, fcntl.LOCK_UN, 1, _PENDING)
    try:
        yield
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN, _SHARED_BYTES, _SHARED)


def _copy_wal(source: Path, target: Path) -> bool:
    """The file, then its WAL; good if the WAL was not restarted meanwhile.

    Whatever a checkpoint wrote into the file during the copy is in the same
    WAL, which was copied after it: recovery writes it over again.
    """
    before = _wal_header(source)
    shutil.copyfile(source, target)
    _copy_beside(source, target, "-wal")
    with source.open("rb") as file:
        still_wal = file.read(100)[_WRITE_VERSION : _WRITE_VERSION + 1] == b"\x02"
    return still_wal and _wal_header(source) == before


def _wal_header(source: Path) -> bytes:
    try:
        with _beside(source, "-wal").open("rb") as wal:
            return wal.read(_WAL_HEADER_BYTES)
    except FileNotFoundError:
        return b""


def _copy_beside(source: Path, target: Path, suffix: str) -> None:
    beside = _beside(target, suffix)
    beside.unlink(missing_ok=True)
    try:
        shutil.copyfile(_beside(source, suffix), beside)
    except FileNotFoundError:
        beside.unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def main() -> int:
    """``snapshot.py SOURCE TARGET WAIT_S``; an exit code that says what went wrong."""
    source, target, wait_s = sys.argv[1:]
    try:
        copy(Path(source), Path(target), wait_s=float(wait_s))
    except Busy:
        return BUSY
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        sys.stderr.write(f"{error.filename or source}: {reason}")
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
