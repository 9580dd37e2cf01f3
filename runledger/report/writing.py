"""Putting a report under its name only once it is whole, and never over another file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ledger.errors import AlreadyThere
from runledger.errors import Missing


def check_free(path: Path) -> None:
    """Refuse a name that is taken, or in no folder, before any work is done."""
    if path.exists() or path.is_symlink():
        raise AlreadyThere(f"{path} exists already: name a new file for the report")
    if not path.parent.is_dir():
        raise Missing(f"no folder {path.parent} for the report: make it first")


def write_new(path: Path, text: str) -> None:
    """Write a new file; it has its name when it is complete, or not at all.

    Raises `AlreadyThere`, `Missing` for a missing folder, or ``OSError``.
    """
    check_free(path)
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        with part.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _publish(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _publish(part: Path, path: Path) -> None:
    """Give the file its name, but never another file's."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise AlreadyThere(f"{path} exists already: name a new file for the report") from None
    except OSError:  # a file system without hard links
        check_free(path)
        part.rename(path)
