"""Compiling and loading ``shim.c``, which stands between a process and its disk."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ACKNOWLEDGED = "acknowledged"
"""A file in the watched folder that the shim never fails: acknowledgements are written to it."""

_SOURCE = Path(__file__).with_name("shim.c")
_HEAD = struct.Struct("=cIqQ")


class Change(NamedTuple):
    """One change: ``C`` created, ``W`` written, ``T`` cut, ``S`` synced, ``U`` gone,
    ``F`` failed on purpose.

    ``path`` is within the folder; "" is the folder itself.
    """

    kind: str
    path: str
    offset: int
    data: bytes


def compile_shim(folder: Path) -> Path:
    """The shared library; a test is skipped where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs Debian packages gcc and libc6-dev")
    library = folder / "shim.so"
    subprocess.run(
        [
            *(compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"),
            *("-o", str(library), str(_SOURCE), "-ldl", "-lpthread"),
        ],
        check=True,
    )
    return library


def environment(library: Path, folder: Path, **more: object) -> Mapping[str, str]:
    """The environment of a process whose changes to ``folder`` pass through the shim.

    ``more`` sets what the head of ``shim.c`` lists, in lower case without the prefix.
    """
    settings = {f"TORTURE_{name.upper()}": str(value) for name, value in more.items()}
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "TORTURE_FOLDER": str(folder.resolve()),
        **settings,
    }


def read_log(path: Path) -> Iterator[Change]:
    """The changes in a log, in the order in which they happened."""
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            kind, path_length, offset, data_length = _HEAD.unpack(head)
            name = file.read(path_length).decode()
            yield Change(kind.decode(), name, offset, file.read(data_length))
