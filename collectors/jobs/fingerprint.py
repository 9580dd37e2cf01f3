"""A fingerprint of a failure: the same fault has the same one on every machine, every time.

It is made of the exception's name, its message without what varies (numbers,
addresses, paths, process ids), and the functions that the traceback passes
through: never of line numbers, so that an edit above the fault changes nothing.

>>> one = fingerprint("RuntimeError", "HIP error in process 4711 at 0x7f00, see /tmp/a/log")
>>> one == fingerprint("RuntimeError", "HIP error in process 9 at 0xbeef, see /home/b/log")
True
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from ledger.text.characters import without_terminal

_VERSION = 1
"""Part of what is hashed: a changed recipe makes other fingerprints, visibly."""

_LENGTH = 16
_LONGEST_MESSAGE = 2000
_MOST_FRAMES = 1000

_FRAME = re.compile(r'File "([^"\n]*)", line \d+(?:, in ([^\n]*))?')
_QUOTED_PATH = re.compile(r"(['\"`])[^'\"`\n]{0,2000}?[/\\][^'\"`\n]{0,2000}?\1")
_PATH = re.compile(r"(?:(?<![\w])[A-Za-z]:)?[\w.~@+%-]*(?:[/\\]+[\w.~@+%#-]+)+[/\\]?|(?<!\w)[/\\]")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
# With a letter and a digit: digits alone are a number, letters alone a word.
_HEX = re.compile(r"\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{8,}\b")
_NUMBER = re.compile(r"(?:(?<![\w.)\]])[-+])?\d+(?:[.,_]\d+)*(?:[eE][-+]?\d+)?")
_MANY = re.compile(r"#(?:[\s,;x*]*#)+")
_SPACES = re.compile(r"\s+")


def fingerprint(
    exception: str,
    message: str,
    traceback: str = "",
    *,
    names: Iterable[str] = (),
    place: str = "",
) -> str:
    """16 hexadecimal digits (of a SHA-256).

    ``traceback`` is Python's text; any other text has no frames and adds
    nothing. ``names`` are those of the node and the job, which may stand in the
    message and are no part of the fault. ``place`` says where it happened, for
    want of frames: a program's name.
    """
    parts = [str(_VERSION), exception, _general(message, names), place, *_frames(traceback)]
    whole = "\n".join(parts).encode("utf-8", "backslashreplace")
    return hashlib.sha256(whole).hexdigest()[:_LENGTH]


def _frames(traceback: str) -> Iterator[str]:
    """Each function once, in order: how deep a recursion went is not what failed."""
    seen = set()
    for match in _FRAME.finditer(traceback):
        path, function = match[1], (match[2] or "").strip()
        if path.startswith("<frozen "):  # the importer's own, another in every Python
            continue
        file = re.split(r"[/\\]", path)[-1]
        frame = f"{_NUMBER.sub('#', _HEX.sub('#', file))}:{function}"
        if frame not in seen:
            seen.add(frame)
            yield frame
            if len(seen) == _MOST_FRAMES:
                return


def _general(message: str, names: Iterable[str]) -> str:
    """The first line of a message without what varies from one occurrence to the next."""
    lines = (line.strip() for line in message[: 4 * _LONGEST_MESSAGE].splitlines())
    text = next((line for line in lines if line), "")[:_LONGEST_MESSAGE]
    text = without_terminal(text)
    for name in sorted({name for name in names if name}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "#", text)
    text = _QUOTED_PATH.sub("/", text)
    text = _PATH.sub("/", text)
    for varying in (_UUID, _ADDRESS, _HEX, _NUMBER, _MANY):
        text = varying.sub("#", text)
    return _SPACES.sub(" ", text).strip()
