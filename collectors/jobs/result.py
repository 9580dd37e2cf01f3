r"""What a worker's own result says of how it went: a JSON object, from a file or from stdout.

Some programs always exit with 0 and write down that they failed. This is read only
where the user says where to look; whatever else a result holds is none of our business.

>>> failure_in('{"status": "error", "error": "HIP error: hang"}')
('error', 'HIP error: hang', '')
>>> failure_in('{"success": true, "survivors": 7}') is None
True
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

FILE_MISSING, FILE_EMPTY, INVALID_JSON = "FILE_MISSING", "FILE_EMPTY", "INVALID_JSON"
MOST_BYTES = 16 << 20

_SUCCESS = ("success", "succeeded", "ok")
_STATUS = ("status", "outcome", "state")
_CODE = ("returncode", "return_code", "exit_code", "exitcode")
_ERROR = ("error", "exception", "error_message", "message", "reason")
_TRACEBACK = ("traceback", "stderr")
_FAILED = frozenset(
    {
        "fail",
        "failed",
        "failure",
        "error",
        "errored",
        "exception",
        "timeout",
        "timed_out",
        "aborted",
        "crashed",
        "killed",
    }
)


class Failure(NamedTuple):
    """A failure as a result tells of it; ``kind`` is what it calls it."""

    kind: str
    message: str
    traceback: str


Look = Callable[[float], str | Failure]
"""The text of the result of a job that began then (s since the epoch), or why there is none."""


def failure_in(text: str) -> Failure | None:
    """The failure that a result tells of, None where it tells of none.

    Of several lines, the last one that is an object is the result. What is no
    object at all, the caller's program did not finish.
    """
    if not text.strip():
        return Failure(FILE_EMPTY, "the result is empty", "")
    result = _object(text)
    if result is None:
        return Failure(INVALID_JSON, "the result is no JSON object", text[-1000:])
    flags = [result[key] for key in _SUCCESS if isinstance(result.get(key), bool)]
    status = next((str(result[key]) for key in _STATUS if result.get(key)), "")
    code = next((result[key] for key in _CODE if type(result.get(key)) is int), 0)
    error = next((result[key] for key in _ERROR[:2] if result.get(key)), None)
    bad_status = status.strip().lower() in _FAILED
    if all(flags) and not bad_status and code == 0 and (flags or status or error is None):
        return None
    said = next((result[key] for key in _ERROR if result.get(key)), "") or f"exit code {code}"
    traceback = next((str(result[key]) for key in _TRACEBACK if result.get(key)), "")
    return Failure(status if bad_status else "Failed", _text(said), traceback)


def in_file(path: str) -> Look:
    """Looks into a file; one from before the job began is none."""

    def look(began_s: float) -> str | Failure:
        try:
            if os.stat(path).st_mtime < began_s - 2:  # some file systems keep whole seconds
                return Failure(FILE_MISSING, f"{path} is from before the job began", "")
            with open(path, "rb") as file:
                return file.read(MOST_BYTES).decode("utf-8-sig", "replace")
        except OSError as error:
            return Failure(FILE_MISSING, f"{path}: {error.strerror}", "")

    return look


def _object(text: str) -> dict[str, Any] | None:
    for part in (text, *reversed(text.splitlines()[-200:])):
        if "{" in part:
            try:
                found = json.loads(part)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
