"""Finds the lines of a log that report something, at a small cost for all others.

Nearly all lines of a kernel log are of no interest here, so a block of text is
first searched for a few words, and only lines that hold one are taken apart.
Lines between are read only where a line found leans on them for its time.
However the text is cut into pieces, the same lines are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from collectors.kernel_log.classify import Classification, classify
from collectors.kernel_log.clock import Clock, Placed
from collectors.kernel_log.errors import UnplacedLine
from collectors.kernel_log.framing import frame
from collectors.kernel_log.journal import dmesg_json_lines
from collectors.kernel_log.line import Line

# Which lines are worth taking apart. A pattern that opens with a fixed, rare letter is the
# fastest for short words; for long ones `str.find` is, which skips ahead by their length.
SHORT_WORDS = tuple(
    re.compile(words)
    for words in (
        r"SMU",
        r"NVRM: ",
        r"GPU (?:reset|Recovery Failed)",
        r"Killed process ",
        r"pcieport ",
    )
)
LONG_WORDS = (
    "device lost from bus",
    "signaled seq=",
    "age fault (src_id",
    "callbacks suppressed",
    "ncorrectable hardware error",
    "failed to write reg",
    "PCI rejects atomics",
)
DRIVER = "amdgpu"
TROUBLE = re.compile(
    r"[Ff]ailed|Fatal|power state|wedged|GPU reset|fault|fence wait|unrecoverable|emperature"
    r"|Bus Error|containment|received|Slot\("
)
"""Every line that `classify` knows holds one of the words, or the driver's name and then trouble.

The driver talks a lot at boot, and says nothing with it.
"""

_BOOTED = "setting system clock to"  # reports nothing, but tells when the machine booted

_BYTES_MESSAGE = '"MESSAGE":['
_BLOCK = 1 << 15
"""Characters searched at a time: few enough for the cache, enough for the search's best method."""

_MAX_JUDGED = 1024
_LONGEST = 4096
"""Characters of a line that are looked through for trouble, as many as `classify` reads."""
_MAX_CONTINUATION = 64
"""Indented lines that are kept with the line before them."""

_DMESG_JSON = re.compile(r"\s*\{\s*\"dmesg\"")


class Found(NamedTuple):
    """A line that reports something, its time, and what it reports."""

    line: Line
    time_us: int
    stamp: str
    classification: Classification


class Scanner:
    """One pass over one log; afterwards ``lines`` is how many there were, ``last`` the last one."""

    def __init__(self, clock: Clock, bridges: Mapping[str, str] | None = None) -> None:
        self.lines = 0
        self.last: Line | None = None
        self._clock = clock
        self._bridges = bridges
        self._judged: dict[str, Classification | None] = {}
        self._long_words: tuple[str, ...] = (
            LONG_WORDS if clock.knows_boot else (*LONG_WORDS, _BOOTED)
        )

    def scan(self, pieces: Iterable[str]) -> Iterator[Found]:
        """The lines found in ``pieces``: text cut anywhere, line ends included.

        Raises `UnplacedLine` for one whose time cannot be told.
        """
        blocks = _blocks(pieces)
        first = next(blocks, "")
        if _DMESG_JSON.match(first):
            yield from self._document(first + "".join(blocks))
            return
        if first.lstrip("\ufeff \n").startswith("{"):
            self._long_words = (*self._long_words, _BYTES_MESSAGE)
        yield from self._block(first)
        for block in blocks:
            yield from self._block(block)

    def _document(self, text: str) -> Iterator[Found]:
        for line in dmesg_json_lines(text):
            self.lines, self.last = line.number, line
            self._clock.learn(line)
            placed = self._clock.place(line)
            found = self._judge(line.text)
            if found is not None:
                yield _dated(line, placed, found)

    def _block(self, block: str) -> Iterator[Found]:
        settled = counted = 0
        for start, end in self._hits(block):
            line = frame(_line_text(block, start, end))
            if not line.kernel:
                continue
            self._clock.learn(line)
            found = self._judge(line.text)
            if found is None:
                continue
            self.lines += block.count("\n", counted, start)
            counted = start
            if not self._clock.stands_alone(line):
                self._settle(block, settled, start)
            placed = self._clock.place(line)
            settled = end + 1
            line = _with_continuation(line, self.lines + 1, block, end + 1)
            yield _dated(line, placed, found)
        self._settle(block, settled, len(block))
        self.lines += block.count("\n", counted) + (bool(block) and not block.endswith("\n"))
        self._note_last(block)

    def _judge(self, text: str) -> Classification | None:
        """`classify`, which in a flood is asked about the same few texts again and again."""
        try:
            return self._judged[text]
        except KeyError:
            if len(self._judged) >= _MAX_JUDGED:
                self._judged.clear()
            found = self._judged[text] = classify(text, self._bridges)
            return found

    def _hits(self, block: str) -> list[tuple[int, int]]:
        """Where the lines that hold one of the words begin and end, in order."""
        ends: dict[int, int] = {}
        size = len(block)

        def line_at(at: int) -> int:
            end = block.find("\n", at)
            end = size if end < 0 else end
            ends[block.rfind("\n", 0, at) + 1] = end
            return end

        for pattern in SHORT_WORDS:
            match = pattern.search(block)
            while match is not None:
                match = pattern.search(block, line_at(match.start()))
        at = block.find(DRIVER)
        while at >= 0:
            end = block.find("\n", at)
            end = size if end < 0 else end
            if TROUBLE.search(block, at, min(end, at + _LONGEST)):
                line_at(at)
            at = block.find(DRIVER, end)
        for word in self._long_words:
            at = block.find(word)
            while at >= 0:
                at = block.find(word, line_at(at))
        return sorted(ends.items())

    def _settle(self, block: str, start: int, end: int) -> None:
        """Bring the clock up to ``end``, reading no more lines before it than are needed."""
        pending: list[Line] = []
        while end > start:
            begin = block.rfind("\n", start, end - 1) + 1 or start
            line = frame(_line_text(block, begin, end).rstrip("\n"))
            if line.stamped:
                pending.append(line)
                if self._clock.stands_alone(line):
                    break
            end = begin
        for line in reversed(pending):
            self._clock.place(line)

    def _note_last(self, block: str) -> None:
        end = len(block.rstrip())
        if end:
            begin = block.rfind("\n", 0, end) + 1
            self.last = frame(block[begin:end], self.lines)


def _blocks(pieces: Iterable[str]) -> Iterator[str]:
    """Blocks of whole lines; indented lines stay with the line before them."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size < _BLOCK or "\n" not in piece:
            continue
        text = "".join(held)
        cut = _cut(text)
        if cut:
            yield text[:cut]
        held, size = [text[cut:]], len(text) - cut
    rest = "".join(held)
    if rest:
        yield rest


def _cut(text: str) -> int:
    """After the last line end that a line of its own follows (or the one that many lines back)."""
    at = text.rfind("\n")
    for _ in range(_MAX_CONTINUATION):
        if at < 0 or text[at + 1 : at + 2] not in ("", " ", "\t"):
            break
        at = text.rfind("\n", 0, at)
    return at + 1


def _line_text(block: str, start: int, end: int) -> str:
    text = block[start:end]
    return text.removesuffix("\r")


def _with_continuation(line: Line, number: int, block: str, start: int) -> Line:
    """``line`` with the indented lines that follow it, which report nothing of their own."""
    raws, texts = [line.raw], [line.text]
    for _ in range(_MAX_CONTINUATION):
        if block[start : start + 1] not in (" ", "\t"):
            break
        end = block.find("\n", start)
        end = len(block) if end < 0 else end
        raw = _line_text(block, start, end)
        own = frame(raw)
        if own.stamped or not own.text or classify(own.text) is not None:
            break
        raws.append(raw.rstrip())
        texts.append(own.text)
        start = end + 1
    if line.kmsg:  # what follows a line of /dev/kmsg is its dictionary, not the kernel's words
        raws, texts = raws[:1], texts[:1]
    return msgspec.structs.replace(line, number=number, raw="\n".join(raws), text="\n".join(texts))


def _dated(line: Line, placed: Placed, found: Classification) -> Found:
    if placed.time_us is None:
        raise UnplacedLine(line.number, line.raw)
    return Found(line, placed.time_us, placed.stamp, found)
