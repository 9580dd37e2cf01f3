"""Files that take their name once they are whole, and never another file's.

An export, a report or a backup that is stopped half-way leaves nothing under
the name it was given.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import AlreadyThere, NotFound
from ledger.input_files import check_path


def check_free(path: Path, what: str) -> None:
    """Refuse a name that is taken, or in no folder, before any work is done.

    ``what`` says in messages what the file is to hold. Raises `AlreadyThere`,
    or `NotFound` for a missing folder.
    """
    check_path(path)
    if path.exists() or path.is_symlink():
        raise AlreadyThere(f"{path} exists already", remedy=f"name a new file for the {what}")
    if not path.parent.is_dir():
        raise NotFound(f"no folder {path.parent} for the {what}", remedy="make it first")


def part_of(path: Path) -> Path:
    """Where to write what is to be published as ``path``: beside it, and hidden."""
    return path.with_name(f".{path.name}.part-{os.getpid()}")


def remove_database(part: Path) -> None:
    """Take away an unfinished SQLite file, with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        part.with_name(part.name + suffix).unlink(missing_ok=True)


def publish(part: Path, path: Path, what: str) -> None:
    """Bring a file to the disk and give it its name, but never another file's.

    Raises as `check_free`, or ``OSError``.
    """
    try:
        if not linked(part, path):
            check_free(path, what)
            part.rename(path)
            _sync(path.parent)
    except FileExistsError:
        raise AlreadyThere(
            f"{path} exists already", remedy=f"name a new file for the {what}"
        ) from None


def linked(part: Path, path: Path) -> bool:
    """Bring a file to the disk and give it another name; False where links cannot be made.

    Of several who do so at once, one has the name, and ``FileExistsError`` tells the others.
    """
    _sync(part)
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        return False
    _sync(path.parent)
    return True


@contextlib.contextmanager
def new_file(path: Path, what: str) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` where the context ends without an error.

    Raises as `publish` does.
    """
    check_free(path, what)
    part = part_of(path)
    part.unlink(missing_ok=True)  # of a process that was killed, and had this number before
    try:
        yield part
        publish(part, path, what)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` where the context ends well."""
    part = part_of(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_new(path: Path, text: str, what: str) -> None:
    """Write a text to a new file, whole or not at all; raises as `publish` does."""
    with new_file(path, what) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_over(path: Path, text: str, what: str) -> None:
    """Write a text to a file, whole or not at all, in the place of one that may be there."""
    if path.is_dir():
        raise AlreadyThere(f"{path} is a folder", remedy=f"name a file for the {what}")
    if not path.parent.is_dir():
        raise NotFound(f"no folder {path.parent} for the {what}", remedy="make it first")
    part = part_of(path)
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what some network file systems say of a folder
            raise
    finally:
        os.close(descriptor)
