"""Witnesses that are files: on a stick, a share, another machine's disk.

They remember as rigs do, in the same lines; see ``collectors/probe/witness.sh``.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from collectors.probe.witness import RememberedHead, remembered_head

_FULL_BYTES = 256 * 1024
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def recall(path: Path) -> list[RememberedHead]:
    """All heads that a file remembers, oldest first; raises `OSError` where it cannot be read."""
    found = []
    for part in (_older(path), path):
        with contextlib.suppress(FileNotFoundError):
            for line in _read(part).splitlines():
                head = remembered_head(line)
                if head is not None:
                    found.append(head)
    return found


def remember(path: Path, line: str) -> None:
    """Add a line to a file that is this user's alone; raises `OSError` where that cannot be."""
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_size > _FULL_BYTES:
            path.replace(_older(path))
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _FLAGS, 0o600)
    with open(file, "w", encoding="ascii") as opened:
        _require_regular(file, path)
        opened.write(line + "\n")
        opened.flush()
        os.fsync(file)


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.old")


def _read(path: Path) -> str:
    file = os.open(path, os.O_RDONLY | _FLAGS)
    with open(file, encoding="ascii", errors="replace") as opened:
        _require_regular(file, path)
        return opened.read(2 * _FULL_BYTES)


def _require_regular(file: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(0, "no regular file", str(path))
