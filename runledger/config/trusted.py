"""Files that direct what is run in a user's name: where they are found, and whose they must be.

A ``runledger.toml`` names machines, an SSH configuration and remedies. One that
somebody else can write would be that person's way in, so it is not used, nor
what it names.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from runledger.errors import BadInput

CONFIG_NAME = "runledger.toml"

_INCLUDE = re.compile(r"\s*include(?:\s+|\s*=\s*)(.+)", re.IGNORECASE)
_INCLUDED_AT_MOST = 256
_EDITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Untrusted(BadInput):
    """A file that somebody else may write; the text says what to type."""


def find_config(cwd: Path, environ: Mapping[str, str]) -> Path | None:
    """The nearest ``runledger.toml``: here, else upwards on this file system, not above HOME."""
    home = Path(environ.get("HOME") or os.path.expanduser("~"))
    above_home = set(home.parents)
    for folder in (cwd, *cwd.parents):
        if folder != cwd and (folder in above_home or _device(folder) != _device(cwd)):
            return None
        if os.path.lexists(folder / CONFIG_NAME):
            return folder / CONFIG_NAME
    return None


def _device(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:
        return None


def require_trusted(path: Path) -> None:
    """Raise `Untrusted` unless the file is the user's or root's, and only its owner may write it.

    A missing one is left for its reader to name; a device holds nothing of anybody's.
    """
    try:
        seen = [os.lstat(path), os.stat(path)]
    except OSError:
        return
    file = seen[-1]
    if stat.S_ISCHR(file.st_mode):
        return
    name = shlex.quote(str(path))
    mine = {0, os.geteuid()}
    other = next((each.st_uid for each in seen if each.st_uid not in mine), None)
    if other is not None:
        raise Untrusted(
            f"{path} belongs to another user (uid {other}), and what it says would be done in "
            "your name",
            remedy=f"if you have read it and want that, type: sudo chown {os.geteuid()} {name}",
        )
    if file.st_mode & _EDITABLE_BY_OTHERS:
        raise Untrusted(
            f"{path} can be written by other users, and what it says would be done in your name",
            remedy=f"look through it, then type: chmod go-w {name}",
        )


def require_trusted_ssh(path: Path) -> None:
    """The same for an SSH configuration and all that it includes."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting and len(seen) < _INCLUDED_AT_MOST:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        require_trusted(each)
        waiting += _included(each)


def _included(path: Path) -> Iterator[Path]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _INCLUDE.fullmatch(line)
        if match is None:
            continue
        for pattern in match[1].replace('"', " ").split():
            # Relative ones are the user's in OpenSSH, and beside the file for asyncssh.
            for folder in (Path("~/.ssh").expanduser(), path.parent):
                found = glob.glob(str(folder / Path(pattern).expanduser()))
                yield from map(Path, sorted(found))
