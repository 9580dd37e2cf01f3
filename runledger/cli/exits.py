"""Exit codes, which error gets which, and an error as words or as one JSON object."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from typing import Any

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


NAMES = {
    OWN_FAILURE: "own_failure",
    BAD_INPUT: "bad_input",
    NOT_FOUND: "not_found",
    CONFLICT: "conflict",
    DRIFT: "damaged",
    TRY_LATER: "try_later",
    INTERRUPTED: "interrupted",
}
"""What ``--json`` calls an error, by its exit code."""


class UsageError(Exception):
    """A command line that cannot be understood; ``prog`` is the command whose help says more.

    It has what a `RunledgerError` has, and is none, so that ``--help`` need not load a ledger.
    """

    def __init__(self, prog: str, what: str) -> None:
        self.prog, self.what, self.remedy = prog, what, f"see `{prog} --help`"
        stop = "" if what.endswith("?") else ";"
        super().__init__(f"{what}{stop} {self.remedy}")


def report(error: Exception | str, code: int, *, as_json: bool = False) -> int:
    """Say what went wrong on stderr, as a program or a person reads it; returns the code."""
    from ledger.text.characters import plain

    if as_json:
        print(json.dumps(_as_json(error, code)), file=sys.stderr)
    else:
        said = getattr(error, "prog", "runledger")
        print(f"{said}: {plain(_text(error, code), keep_lines=True)}", file=sys.stderr)
    return code


def for_error(error: Exception, *, as_json: bool = False) -> int:
    """Report an error; returns its exit code."""
    code = code_of(error)
    if code == OWN_FAILURE and os.environ.get("RUNLEDGER_DEBUG"):
        traceback.print_exception(error)
    return report(error, code, as_json=as_json)


def _text(error: Exception | str, code: int) -> str:
    if isinstance(error, str):
        return error
    text = _file_trouble(error) or str(error) or type(error).__name__
    if code == OWN_FAILURE and not hasattr(error, "remedy"):
        return f"{type(error).__name__}: {text} (RUNLEDGER_DEBUG=1 shows where)"
    return text


def _as_json(error: Exception | str, code: int) -> dict[str, Any]:
    """``error``, ``message`` and ``remedy`` (null where none is known), and ``problems``.

    A problem has a ``message``; one of an event also says where it is.
    """
    remedy = getattr(error, "remedy", "")
    shown: dict[str, Any] = {
        "error": NAMES[code],
        "message": getattr(error, "what", "") if remedy else _text(error, code),
        "remedy": remedy or None,
    }
    problems = getattr(error, "problems", ())
    if problems:
        shown["problems"] = [_problem(each) for each in problems]
    return shown


def _problem(problem: Any) -> dict[str, Any]:
    if isinstance(problem, str):
        return {"message": problem}
    return {
        key: getattr(problem, key)
        for key in ("message", "remedy", "field", "line", "file")
        if getattr(problem, key)
    }


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

    if isinstance(error, errors.BadInput | UsageError):
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
