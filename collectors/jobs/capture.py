"""What an exception says, as text that may be stored: whole, redacted, bounded, without locals.

Nothing here raises for what an exception is: one whose ``str`` fails, one with a
thousand causes and one with a message of 100 MB are described like any other.
"""

from __future__ import annotations

import re
import subprocess
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple

from collectors.jobs.fingerprint import fingerprint
from collectors.jobs.stderr import cleaned, is_launchers, last_lines, last_python_error
from ledger.text.characters import one_line, spelt_out
from ledger.text.secrets import redact

MAX_TRACEBACK = 64 * 1024
"""Characters kept of a traceback; the middle goes first."""
MAX_MESSAGE = 8 * 1024
MAX_NAME = 256

_BEFORE_REDACTION = 4
"""So many times what is kept is looked through for secrets, so that no cut leaves half of one."""
_MOST_FRAMES = 1000
_LAST_WORDS = 1000
_LONGEST_WORD = 4096
_HALF_A_WORD = re.compile(rf"\A\S{{1,{_LONGEST_WORD}}}")
_MOST_STDERR = 64 * 1024
# Frames of the guard itself and of what calls the job for it.
_OWN = re.compile(
    r"[/\\](?:collectors[/\\]jobs[/\\](?:guard|retrying)\.py|tenacity[/\\](?:asyncio[/\\])?\w+\.py"
    r"|concurrent[/\\]futures[/\\]_base\.py)\Z"
)


class Captured(NamedTuple):
    """A failure in words: what an event of it holds."""

    exception: str
    message: str
    traceback: str
    fingerprint: str


def capture(
    error: BaseException, *, secrets: Iterable[str] = (), names: Iterable[str] = ()
) -> Captured:
    """Describe an exception, with its causes and, of a group, all its members.

    ``secrets`` as for `redact`, ``names`` as for `fingerprint`.
    """
    name, message = _name_of(error), _message_of(error)
    if is_launchers(name):
        # Another process failed: what it said is what there is to know.
        inner = last_python_error(f"{_stderr_of(error)}\n{_str_of(error)}")
        if inner is not None:
            name, message = inner
    return describe(name, message, _traceback_of(error), secrets=secrets, names=names)


def describe(
    exception: str,
    message: str,
    text: str,
    *,
    secrets: Iterable[str] = (),
    names: Iterable[str] = (),
    place: str = "",
) -> Captured:
    """A failure from its parts: redacted, then fingerprinted, then cut to size."""
    secrets = tuple(secrets)
    exception = one_line(redact(_rough(exception, MAX_NAME), secrets))[:MAX_NAME] or "unknown"
    message = redact(_rough(message, MAX_MESSAGE), secrets)
    text = redact(_rough(text, MAX_TRACEBACK), secrets)
    return Captured(
        exception,
        shorten(message, MAX_MESSAGE),
        shorten(text, MAX_TRACEBACK),
        fingerprint(exception, message, text, names=names, place=place),
    )


def shorten(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, its middle left out at line ends where possible."""
    if len(text) <= limit:
        return text
    half = (limit - 64) // 2
    head, tail = text[:half], text[len(text) - half :]
    line_end = head.rfind("\n", half // 2)
    head = head[: line_end + 1] if line_end > 0 else head
    line_start = tail.find("\n", 0, half // 2)
    tail = tail[line_start + 1 :] if line_start >= 0 else tail
    gone = len(text) - len(head) - len(tail)
    return f"{head}[… {gone} characters left out …]\n{tail}"


def _rough(text: str, limit: int) -> str:
    """Storable text of a size that can be searched; what is cut is cut between words."""
    limit *= _BEFORE_REDACTION
    if len(text) > limit:
        head = _without_last_word(text[: limit // 2])
        tail = _HALF_A_WORD.sub("", text[-limit // 2 :])
        text = f"{head}\n[… {len(text) - len(head) - len(tail)} characters left out …]\n{tail}"
    return spelt_out(text)


def _without_last_word(text: str) -> str:
    """Looked for from the end: a pattern would try to begin at each of its characters."""
    end = len(text)
    while end > len(text) - _LONGEST_WORD and end and not text[end - 1].isspace():
        end -= 1
    return text[:end]


def _name_of(error: BaseException) -> str:
    kind = type(error)
    if kind.__module__ in ("builtins", "__main__", None):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _message_of(error: BaseException) -> str:
    """What it says; for the few kinds that say too little, in words that name the cause."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return f"exit code {error.code}"
    text = _str_of(error)
    if isinstance(error, KeyboardInterrupt) and not text:
        return "interrupted by SIGINT or an operator"
    if isinstance(error, BaseExceptionGroup):
        return " | ".join([text, *(f"{_name_of(e)}: {_str_of(e)}" for e in _leaves(error))])
    said = _stderr_of(error).strip()
    # Its last line first: a fault is known by it, whatever program launched the command.
    return f"{last_lines(said, 1)} ({text} stderr ends: {said[-_LAST_WORDS:]})" if said else text


def _stderr_of(error: BaseException) -> str:
    """What a command said that an exception is about; empty where it was not kept."""
    if not isinstance(error, subprocess.CalledProcessError | subprocess.TimeoutExpired):
        return ""
    said = error.stderr
    if isinstance(said, bytes):
        return cleaned(said[-_MOST_STDERR:])
    return said[-_MOST_STDERR:] if isinstance(said, str) else ""


def _leaves(group: BaseExceptionGroup[BaseException], most: int = 5) -> Iterator[BaseException]:
    """The first few exceptions of a group that are no groups."""
    waiting: list[BaseException] = [group]
    while waiting and most:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting[:0] = error.exceptions
        else:
            most -= 1
            yield error


def _str_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"(its text cannot be had: {type(failure).__name__})"


def _traceback_of(error: BaseException) -> str:
    try:
        described = traceback.TracebackException(
            type(error),
            error,
            _of_the_job(error.__traceback__),
            limit=-_MOST_FRAMES,
            capture_locals=False,
            compact=True,
        )
        return _joined(described.format())
    except Exception as failure:
        last = f"{_name_of(error)}: {_str_of(error)}"
        return f"(its traceback cannot be had: {type(failure).__name__})\n{last}\n"


def _joined(lines: Iterable[str]) -> str:
    """All lines; of a text without end both ends."""
    most = MAX_TRACEBACK * _BEFORE_REDACTION
    head: list[str] = []
    tail: list[str] = []
    held = 0
    for line in lines:
        if held < most:
            head.append(line)
            held += len(line)
        else:
            tail.append(line)
            if len(tail) > 4000:
                del tail[:2000]
    return "".join(head) + "".join(tail)


def _of_the_job(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames at its top that only called the job."""
    whole = trace
    while trace is not None and _OWN.search(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return whole if trace is None else trace
