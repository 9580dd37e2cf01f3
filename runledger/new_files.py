"""Files that take their name once they are whole, and never another file's.

An export or a report that is stopped half-way leaves nothing under the name it
was given.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import AlreadyThere
from runledger.errors import Missing


def check_free(path: Path, what: str) -> None:
    """Refuse a name that is taken, or in no folder, before any work is done."""
    if path.exists() or path.is_symlink():
        raise AlreadyThere(f"{path} exists already: name a new file for the {what}")
    if not path.parent.is_dir():
        raise Missing(f"no folder {path.parent} for the {what}: make it first")


@contextlib.contextmanager
def new_file(path: Path, what: str) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` where the context ends without an error.

    ``what`` says in messages what the file holds. Raises `AlreadyThere`,
    `Missing` for a missing folder, or ``OSError``.
    """
    check_free(path, what)
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    part.unlink(missing_ok=True)  # of a process that was killed, and had this number before
    try:
        yield part
        _sync(part)
        _publish(part, path, what)
    finally:
        part.unlink(missing_ok=True)


def write_new(path: Path, text: str, what: str) -> None:
    """Write a text to a new file, whole or not at all; raises as `new_file` does."""
    with new_file(path, what) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def _sync(part: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _publish(part: Path, path: Path, what: str) -> None:
    """Give the file its name, but never another file's."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise AlreadyThere(f"{path} exists already: name a new file for the {what}") from None
    except OSError:  # a file system without hard links
        check_free(path, what)
        part.rename(path)
