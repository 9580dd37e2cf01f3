"""A copy of a ledger in one new SQLite file, verified before it is called a backup."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ledger.errors import AlreadyThere, Damaged, NotFound
from ledger.export import export_lines
from ledger.restore import restore
from ledger.store import Head, Ledger, open_ledger
from ledger.translation import translated
from ledger.verify import verify


def backup(ledger: Ledger, path: str | Path) -> Head:
    """Copy ``ledger`` to a new SQLite file and return the head that the copy holds.

    Writers may go on meanwhile. The file appears under its name only once it is
    complete, verified and on disk; a ledger on PostgreSQL becomes a SQLite one
    with the same positions and hashes. A SQLite file keeps its schema, so that
    a backup can be taken before an upgrade, and its mode: what only its owner
    may read stays so. Raises `AlreadyThere` rather than
    overwrite, `NotFound` where there is no such folder, `Damaged` where the
    copy does not verify.
    """
    path = Path(path)
    if path.exists() or path.is_symlink():
        raise AlreadyThere(f"{path} exists already: name a new file for the backup")
    if not path.parent.is_dir():
        raise NotFound(f"no folder {path.parent} for the backup: make it first")
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        with translated("backing up"):
            _remove(part)
            if ledger.engine.dialect.name == "sqlite":
                _copy(ledger, part)
            else:
                with open_ledger(part) as copy:
                    restore(copy, export_lines(ledger))
            head = _verified(part)
            _sync(part)
            _publish(part, path)
            _sync(path.parent)
    finally:
        _remove(part)
    return head


def _copy(ledger: Ledger, part: Path) -> None:
    from pysqlite3 import dbapi2

    # Nobody else's file, and for nobody else's eyes before it has its mode.
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    target = dbapi2.connect(str(part), isolation_level=None)
    try:
        with contextlib.closing(ledger.engine.raw_connection()) as source:
            # In one step: writers then cannot make it start over.
            source.driver_connection.backup(target, pages=-1)  # type: ignore[union-attr]
        # A copy has no writers: all of it in the one file.
        target.execute("PRAGMA journal_mode = DELETE")
    finally:
        target.close()
    shutil.copymode(str(ledger.engine.url.database), part)


def _verified(part: Path) -> Head:
    with open_ledger(part, create=False, readonly=True, older=True) as copy:
        result = verify(copy)
    if not result.ok:
        raise Damaged(
            f"the copy does not verify ({result.reason}), so there is no backup: "
            "run `runledger verify` on the ledger",
            result.first_bad,
        )
    return result.head


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(part: Path, path: Path) -> None:
    """Give the file its name, but never another file's."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise AlreadyThere(f"{path} exists already: name a new file for the backup") from None
    except OSError:  # a file system without hard links
        if path.exists():
            raise AlreadyThere(f"{path} exists already: name a new file for the backup") from None
        part.rename(path)


def _remove(part: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal", "-lock"):
        with contextlib.suppress(FileNotFoundError):
            part.with_name(part.name + suffix).unlink()
