"""Files that a person named, opened so that nothing but a file with an end is read.

A pipe is read where somebody writes into it; a device, a folder, a pipe that
nobody holds or a name that cannot be a file's is one clear `BadInput`. A file
that is missing stays Python's own ``FileNotFoundError``.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ledger.errors import BadInput
from ledger.text.characters import CONTROL

LONGEST_TEXT = 16 << 20
"""Bytes of a file that is read as a whole: settings, policies, node files."""
LONGEST_LINE = 64 << 20
"""Bytes of one event on a line: the greatest payload fits in many times over."""

_WRITER_S = 3.0


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise `BadInput` for a name with control characters, NUL among them."""
    text = os.fspath(path)
    if CONTROL.search(text):
        raise BadInput(f"{text!a} is no path: it holds a control character; correct the name")


def check_readable(descriptor: int, name: str) -> None:
    """Raise `BadInput` for what is open but has no end: a device that is no terminal."""
    mode = os.fstat(descriptor)
    if stat.S_ISDIR(mode.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    device = stat.S_ISCHR(mode.st_mode) and not os.isatty(descriptor)
    if stat.S_ISBLK(mode.st_mode) or (device and mode.st_rdev != _null()):
        raise BadInput(f"{name} is a device", remedy="name a file")


@contextlib.contextmanager
def open_input(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to read bytes from. Raises `BadInput`, or ``OSError`` with the file's name."""
    check_path(path)
    name = os.fspath(path)
    # Not waiting: to open a pipe that nobody writes into would wait for ever.
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_readable(descriptor, name)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode) and not _is_held(descriptor, name):
            raise BadInput(
                f"{name} is a pipe that nobody writes into",
                remedy="start what writes, or name a file",
            )
        os.set_blocking(descriptor, True)
        file = os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
    with file:
        try:
            yield file
        except OSError as error:
            if error.filename is not None or error.errno in (errno.ENOSPC, errno.EPIPE, None):
                raise
            raise BadInput(f"{name} cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def open_lines(path: str | os.PathLike[str]) -> Iterator[Iterator[bytes]]:
    """The lines of a file; raises as `open_input`, and `BadInput` for one that does not end."""
    with open_input(path) as file:
        yield _lines_of(file, os.fspath(path))


def stdin_lines() -> Iterator[bytes]:
    """The lines of stdin; raises `BadInput` where that is a device, or has no line's end."""
    # Where a program gave itself another stdin, there is nothing to look at.
    with contextlib.suppress(io.UnsupportedOperation):
        check_readable(sys.stdin.fileno(), "stdin")
    return _lines_of(sys.stdin.buffer, "stdin")


def _lines_of(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines of an open file. Raises `BadInput` for a line longer than `LONGEST_LINE`."""
    number = 0
    while line := _line(file, name):
        number += 1
        if len(line) > LONGEST_LINE:
            raise BadInput(
                f"{name}: line {number} is longer than {LONGEST_LINE >> 20} MiB: "
                "write one event a line"
            )
        yield line


def _line(file: BinaryIO, name: str) -> bytes:
    try:
        return file.readline(LONGEST_LINE + 1)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from error


def read_text(path: str | os.PathLike[str], encoding: str = "utf-8-sig") -> str:
    """A whole file as text. Raises as `open_input`, `BadInput` for a great one, and
    ``UnicodeDecodeError``."""
    with open_input(path) as file:
        content = file.read(LONGEST_TEXT + 1)
    if len(content) > LONGEST_TEXT:
        raise BadInput(f"{path} is larger than {LONGEST_TEXT >> 20} MiB: that is no such file")
    return content.decode(encoding).replace("\r\n", "\n")


def _is_held(descriptor: int, name: str) -> bool:
    """Whether a pipe has a writer, or something in it. A shell's own (``<(…)``) always has."""
    if Path(os.path.realpath(name)).is_relative_to("/proc"):
        return True
    return bool(select.select([descriptor], [], [], _WRITER_S)[0])


def _null() -> int:
    return os.stat(os.devnull).st_rdev
