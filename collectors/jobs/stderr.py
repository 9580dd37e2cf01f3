r"""What the end of a program's stderr says about why it failed. No I/O.

>>> text = '''loading
... Traceback (most recent call last):
...   File "train.py", line 3, in <module>
...     run()
... RuntimeError: HIP error: out of tunes
... '''
>>> last_python_error(text)
('RuntimeError', 'HIP error: out of tunes')
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ledger.text.characters import without_terminal

_LONGEST = 64 * 1024
"""Characters of one traceback that are looked through."""
MESSAGE_LINES = 5
"""So many lines of a message are kept where nothing says where it ends."""

_HEADER = re.compile(
    # A worker's mark, torchrun's "traceback :", a progress bar that did not end its line.
    r"^(?P<prefix>\[[^\]\n]{1,40}\]:? ?)?(?:(?P<indent> *)(?:traceback : )?|[^\n]{0,300}[|\]%] ?)"
    r"(?:Traceback|  \+ Exception Group Traceback) \(most recent call last\):[ \t]*$",
    re.MULTILINE,
)
_LAST_WORDS = re.compile(
    r"Exception ignored (?:in|on|while)\b|Exception in (?:thread|callback|default exception)\b"
    r"|Error in (?:atexit|sys\.|threading\.)|--- Logging error ---"
    r"|(?:Task|Future) exception was never retrieved|Unhandled exception in\b"
    r"|(?:future|handle): <|Original exception was:|source_traceback:"
)
"""What Python prints in front of a traceback that ended nothing, or came after the end."""
_ENDS = re.compile(r'\+-|"""|Traceback \(|\[|={4}|-{4}|[IWEF]\d{4} ')
"""Beginnings of lines that are no part of the message before them."""
_CHAINED = re.compile(r"During handling of the above exception|direct cause of the following")
_LAUNCHERS = frozenset(
    {
        "ChildFailedError",
        "CalledProcessError",
        "ProcessRaisedException",
        "ProcessExitedException",
        "RemoteTraceback",
        "_RemoteTraceback",
        "BrokenProcessPool",
    }
)
"""Exceptions that only say that another process failed."""
_COLLATERAL = re.compile(
    r"DistBackendError|DistNetworkError|DistStoreError|TCPStore|NCCL communicator was aborted"
    r"|Connection (?:reset|closed) by (?:remote )?peer|BrokenPipeError|remote process exited"
)
"""What a worker says when another one is gone."""
_ROOT_RANK = re.compile(r"Root Cause.*?\n\s*rank +: (\d+)", re.DOTALL)
_ERROR = re.compile(r"(?P<name>[A-Za-z_][\w.]*(?:\.<locals>\.\w+)*)(?:: (?P<message>.*)|:?)\Z")
_SYNTAX = re.compile(r"(?P<name>SyntaxError|IndentationError|TabError): (?P<message>.*)\Z")


def cleaned(data: bytes) -> str:
    """The text on stderr, without colours and without what a progress bar wrote over."""
    text = without_terminal(data.decode("utf-8", "backslashreplace")).replace("\r\n", "\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


class _Traceback(NamedTuple):
    prefix: str
    exception: str
    message: str
    last_words: bool

    @property
    def is_launchers(self) -> bool:
        return is_launchers(self.exception)

    @property
    def collateral(self) -> bool:
        return _COLLATERAL.search(f"{self.exception}: {self.message}") is not None


def is_launchers(exception: str) -> bool:
    """Whether an exception only says that another process failed."""
    return exception.rpartition(".")[2] in _LAUNCHERS


def last_python_error(text: str) -> tuple[str, str] | None:
    """Exception and message of the traceback that ended the program; None where there is none.

    That is the last one, but for what Python prints after the end (destructors,
    atexit, logging, other threads), and but for launchers, which end because a
    worker did: of workers it is the one that failed by itself. Of a launcher
    whose worker printed no traceback, the worker's last line is the message.
    """
    found = list(_tracebacks(text))
    candidates = [each for each in found if not each.last_words] or found
    workers = [each for each in candidates if not each.is_launchers]
    if workers:
        chosen = _of_workers(workers, text, launched=len(workers) < len(candidates))
        return chosen.exception, chosen.message
    if candidates:
        launcher = candidates[-1]
        header = _HEADER.search(text)
        said = last_lines(text[: header.start()], 1) if header is not None else ""
        return launcher.exception, f"{said} ({launcher.message})" if said else launcher.message
    # Python shows no header for a file that it cannot compile.
    match = _SYNTAX.match(last_lines(text, 1))
    return (match["name"], match["message"]) if match is not None else None


def _of_workers(workers: list[_Traceback], text: str, *, launched: bool) -> _Traceback:
    root = _ROOT_RANK.search(text)
    if root is not None:
        marks = (f"[rank{root[1]}]", f"[{root[1]}]")
        of_root = [each for each in workers if each.prefix.startswith(marks)]
        workers = of_root or workers
    several = launched or len({each.prefix for each in workers}) > 1
    by_themselves = [each for each in workers if not each.collateral] if several else []
    if by_themselves and by_themselves[0].prefix:
        first = by_themselves[0].prefix
        return [each for each in by_themselves if each.prefix == first][-1]
    return (by_themselves or workers)[-1]


def _tracebacks(text: str) -> Iterator[_Traceback]:
    last_words = False
    for header in _HEADER.finditer(text):
        before = text[max(0, header.start() - 600) : header.start()].rstrip("\n").split("\n")
        told = "\n".join(line for line in before[-3:] if not line.startswith("  File"))
        prefix, indent = header["prefix"] or "", len(header["indent"] or "")
        rest = text[header.end() : header.end() + _LONGEST].split("\n")[1:]
        error = _error(rest, prefix, indent)
        if error is not None:
            chained = last_words and _CHAINED.search(told) is not None
            last_words = chained or _LAST_WORDS.search(told.rpartition("\n\n")[2]) is not None
            yield _Traceback(prefix, *error, last_words)


def _error(lines: list[str], prefix: str, indent: int) -> tuple[str, str] | None:
    """What the lines after a header end with, and the lines of its message."""
    for number, line in enumerate(lines):
        line = _unmarked(line.removeprefix(prefix)[indent:])
        if line.startswith((" ", "\t")) or not line.strip():
            continue
        found = _ERROR.match(line)
        if found is None:
            return None
        message = [found["message"] or ""]
        for more in lines[number + 1 : number + MESSAGE_LINES]:
            more = _unmarked(more.removeprefix(prefix)[indent:])
            if not more.strip() or _ENDS.match(more) or _LAST_WORDS.match(more):
                break
            message.append(more.rstrip())
        return found["name"], "\n".join(message).strip()
    return None


def last_lines(text: str, count: int = MESSAGE_LINES) -> str:
    """The last lines that say anything."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])


def _unmarked(line: str) -> str:
    """A line of an exception group without the margin of the outermost group."""
    return line.removeprefix("  | ") if line.startswith("  | ") else line
