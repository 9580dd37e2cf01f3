r"""Read the framed output of a script: sections between markers that only the caller knows.

A marker is a line that opens with the caller's nonce, so that what a rig's
files and tools print cannot forge one. What stands outside the sections
(banners, late words of a stuck tool) is ignored. Junk gives an empty result,
never an exception.

>>> output = b"motd\n\nx/1 abc\n\nabc begin log\nhello\n\nabc end log 0\n\nabc done\n"
>>> frames = parse_frames(output, "x/1", "abc")
>>> frames.complete, frames.first("log").content, frames.first("log").status
(True, b'hello\n', '0')
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

TIMED_OUT = frozenset({"124", "137", "hung"})
"""Statuses that say "did not come back in time": timeout's own two, and the script's."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section; ``status``: an exit status, ``hung``, or None where its end is missing."""

    title: str
    content: bytes
    status: str | None

    @property
    def timed_out(self) -> bool:
        """Whether the command did not come back within its limit."""
        return self.status in TIMED_OUT

    @property
    def ok(self) -> bool:
        """Whether the command came back with success, and all of its output is here."""
        return self.status == "0"

    @property
    def text(self) -> str:
        """The content as text; what is not UTF-8 is replaced, NUL dropped."""
        return self.content.decode("utf-8", "replace").replace("\0", "")

    def lines(self) -> list[str]:
        """The lines of the content, split at line feeds only."""
        return [line for line in self.text.split("\n") if line]


@dataclass(frozen=True, slots=True)
class Frames:
    """All sections in order; ``started``, ``complete``: the first and last marker are there."""

    started: bool
    complete: bool
    sections: tuple[Section, ...]

    def all(self, title: str) -> Iterator[Section]:
        """The sections of one title."""
        return (section for section in self.sections if section.title == title)

    def first(self, title: str) -> Section | None:
        """The first section of a title, if there is one."""
        return next(self.all(title), None)


def parse_frames(output: bytes, banner: str, nonce: str) -> Frames:
    """The sections of ``output``, of a script that announces itself by ``banner`` and ``nonce``."""
    mark = nonce.encode()
    _, found, rest = (b"\n" + output).partition(b"\n" + banner.encode() + b" " + mark + b"\n")
    if not found:
        return Frames(False, False, ())
    sections: list[Section] = []
    open_title: str | None = None
    body = b""
    complete = False
    for piece in (b"\n" + rest).split(b"\n" + mark + b" ")[1:]:
        head, ended, content = piece.partition(b"\n")
        if not ended:
            break  # cut off in a marker: what it would have said is not known
        verb, _, argument = head.decode("utf-8", "replace").partition(" ")
        if verb in {"begin", "done"} and open_title is not None:
            sections.append(Section(open_title, body, None))
            open_title = None
        if verb == "begin":
            open_title, body = argument, content
        elif verb == "end" and open_title is not None:
            title, _, status = argument.rpartition(" ")
            sections.append(Section(open_title, body, status if title == open_title else None))
            open_title = None
        elif verb == "done":
            complete = True
            break
    if open_title is not None:
        sections.append(Section(open_title, body, None))
    return Frames(True, complete, tuple(sections))
