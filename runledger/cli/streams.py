"""The standard streams: open whoever started us, able to take any text, left without a complaint.

A program may be started with a stream closed. The next file it opens would get
that stream's number, and what is printed would end up in that file: in the
ledger, at worst.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare() -> None:
    """Open what is closed, and have characters that a terminal cannot show escaped."""
    for name, mode in _STREAMS:  # by number: each gets the lowest that is free, its own
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            stream = open(nowhere, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def settle() -> None:
    """Write out what is left on stdout; where that fails, forget it and raise."""
    try:
        sys.stdout.flush()
    except OSError:
        forget()
        raise


def forget() -> None:
    """Send to nowhere what is still to be written: Python would complain of it at exit."""
    with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Within it, a reader such as ``head`` that has seen enough ends nothing but the output."""
    try:
        yield
        settle()
    except BrokenPipeError:
        forget()
