"""Exit codes, and which error gets which."""

from __future__ import annotations

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
DRIFT = 12
TRY_LATER = 75
INTERRUPTED = 130

VERDICTS = {
    "no_go": NO_GO,
    "rejected": NO_GO,
    "unknown": NEEDS_PERSON,
    "needs_human": NEEDS_PERSON,
}
"""Codes of verdicts that are not 0."""


def report(message: str, code: int) -> int:
    """Say what went wrong on stderr; returns the code."""
    from runledger.cli.output import plain

    print(f"runledger: {plain(message, keep_lines=True)}", file=sys.stderr)
    return code


def for_error(error: Exception) -> int:
    """Report an error; returns its exit code."""
    code = _code(error)
    if code == OWN_FAILURE and os.environ.get("RUNLEDGER_DEBUG"):
        traceback.print_exception(error)
    text = str(error) or type(error).__name__
    if code == OWN_FAILURE and not _ours(error):
        text = f"{type(error).__name__}: {text} (RUNLEDGER_DEBUG=1 shows where)"
    return report(text, code)


def _ours(error: Exception) -> bool:
    from ledger.errors import LedgerError
    from runledger.errors import RunledgerError

    return isinstance(error, LedgerError | RunledgerError)


def _code(error: Exception) -> int:
    from ledger import errors
    from ledger.times import InvalidTime
    from runledger.errors import BadInput, Missing

    # Modules that define errors of bad input without sharing a root.
    bad_input = (errors.InvalidEvents, errors.InvalidFilter, InvalidTime, BadInput)
    if isinstance(error, bad_input) or type(error).__name__ in _BAD_INPUT_NAMES:
        return BAD_INPUT
    if isinstance(error, errors.NotFound | Missing | FileNotFoundError):
        return NOT_FOUND
    if isinstance(error, errors.Conflict | errors.HeadMoved | errors.AlreadyThere):
        return CONFLICT
    if isinstance(error, errors.Damaged):
        return DRIFT
    if isinstance(error, errors.Unavailable):
        return TRY_LATER
    if isinstance(error, IsADirectoryError | PermissionError | UnicodeDecodeError):
        return BAD_INPUT
    return OWN_FAILURE


_BAD_INPUT_NAMES = frozenset(
    {
        "InvalidFleet",
        "InvalidNodeFile",
        "InvalidPolicy",
        "InvalidScriptInput",
        "InvalidSettings",
        "KernelLogError",
        "NotImportable",
        "UnplacedLine",
    }
)
