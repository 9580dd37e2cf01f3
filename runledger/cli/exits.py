"""Exit codes, and which error gets which."""

from __future__ import annotations

import errno
import os
import sys
import traceback

DONE = 0
OWN_FAILURE = 1
BAD_INPUT = 2
NOT_FOUND = 3
CONFLICT = 5
NO_GO = 10
NEEDS_PERSON = 11
"""A person is needed, or evidence is missing."""
DRIFT = 12
TRY_LATER = 75
INTERRUPTED = 130

_FULL = (errno.ENOSPC, errno.EDQUOT)


def report(message: str, code: int) -> int:
    """Say what went wrong on stderr; returns the code."""
    from ledger.text.characters import plain

    print(f"runledger: {plain(message, keep_lines=True)}", file=sys.stderr)
    return code


def for_error(error: Exception) -> int:
    """Report an error; returns its exit code."""
    from ledger.errors import RunledgerError

    code = code_of(error)
    if code == OWN_FAILURE and os.environ.get("RUNLEDGER_DEBUG"):
        traceback.print_exception(error)
    text = _file_trouble(error) or str(error) or type(error).__name__
    if code == OWN_FAILURE and not isinstance(error, RunledgerError):
        text = f"{type(error).__name__}: {text} (RUNLEDGER_DEBUG=1 shows where)"
    return report(text, code)


def _file_trouble(error: Exception) -> str | None:
    """Words for a file that could not be read or written."""
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: no such file or folder"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"the output: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return f"a file that should be text is not UTF-8 (byte {error.start})"
    return None


def code_of(error: Exception) -> int:
    """The exit code of an error."""
    from ledger import errors

    if isinstance(error, errors.BadInput):
        return BAD_INPUT
    if isinstance(error, errors.Missing | FileNotFoundError):
        return NOT_FOUND
    if isinstance(error, errors.Conflict | errors.HeadMoved | errors.AlreadyThere):
        return CONFLICT
    if isinstance(error, errors.Damaged):
        return DRIFT
    if isinstance(error, errors.Unavailable):
        return TRY_LATER
    if isinstance(error, OSError) and error.errno in _FULL:
        return TRY_LATER
    if isinstance(error, OSError) and error.filename is not None:
        return BAD_INPUT  # a name that somebody gave: a folder, a loop, too long, not allowed
    if isinstance(error, UnicodeDecodeError):
        return BAD_INPUT
    return OWN_FAILURE
