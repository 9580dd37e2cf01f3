"""Finds the lines of a log that report something, at a small cost for all others.

Nearly all lines of a kernel log are of no interest here, so a block of text is
first searched for all words of the catalogue at once, and only lines that hold
one are taken apart. Lines between are read only where a line found leans on
them for its time. However the text is cut into pieces, the same lines are found.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind

from collectors.catalogue import Classification
from collectors.kernel_log.classify import (
    LONGEST,
    MARKS,
    SPLIT_HEAD,
    TROUBLE,
    WORDS,
    classify,
    continues,
    splits,
)
from collectors.kernel_log.clock import Clock, Placed
from collectors.kernel_log.devices import Devices
from collectors.kernel_log.errors import UnplacedLine
from collectors.kernel_log.foreign import stamp_unread, unwrapped
from collectors.kernel_log.framing import frame
from collectors.kernel_log.journal import dmesg_json_lines
from collectors.kernel_log.line import Line

_BOOTED = "setting system clock to"  # reports nothing, but tells when the machine booted
_BYTES_MESSAGE = '"MESSAGE":['

_BLOCK = 1 << 15
"""Characters searched at a time: few enough for the cache."""

_MAX_JUDGED = 1024
_MAX_CONTINUATION = 64
"""Indented lines that are kept with the line before them."""
_MAX_SPLIT = 4
"""Lines over which a record is split."""

_HALVES = re.compile(r"[\ud800-\udfff]")
_DMESG_JSON = re.compile(r"\s*\{\s*\"dmesg\"")


class Found(NamedTuple):
    """A line that reports something, its time, and what it reports."""

    line: Line
    time_us: int
    stamp: str
    classification: Classification


class Scanner:
    """One pass over one log; afterwards ``lines`` is how many there were, ``last`` the last one.

    ``unread`` counts those that hold words of trouble inside a frame that is not known.
    """

    def __init__(
        self,
        clock: Clock,
        bridges: Mapping[str, str] | None = None,
        cards: Collection[str] | None = None,
    ) -> None:
        self.devices = Devices(cards)
        self.lines = 0
        self.unread = 0
        self.last: Line | None = None
        self._clock = clock
        self._bridges = bridges
        self._judged: dict[str, Classification | None] = {}
        self._extra: tuple[str, ...] = () if clock.knows_boot else (_BOOTED,)

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
            self._extra = (*self._extra, _BYTES_MESSAGE)
        yield from self._block(first)
        for block in blocks:
            yield from self._block(block)

    def _document(self, text: str) -> Iterator[Found]:
        for line in dmesg_json_lines(text):
            self.lines, self.last = line.number, line
            self._clock.learn(line)
            placed = self._clock.place(line)
            self.devices.hear(line.text)
            found = self.devices.weigh(line.text, self._judge(line.text))
            if found is not None:
                yield _dated(line, placed, found)

    def _block(self, block: str) -> Iterator[Found]:
        settled = counted = 0
        for start, end in self._hits(block):
            if start < settled:
                continue  # taken with the line before it
            line = frame(_line_text(block, start, end))
            if not line.kernel:
                continue
            self._clock.learn(line)
            if splits(line.text):
                line, end = _whole(line, block, end)
            found = self._judge(line.text)
            if found is None:
                line, found = self._foreign(line)
            self.devices.hear(line.text)
            found = self.devices.weigh(line.text, found)
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

    def _foreign(self, line: Line) -> tuple[Line, Classification | None]:
        """A line that says nothing as it stands, read as one inside another's frame."""
        if line.certain:
            return line, None  # what it quotes is no report
        for inner in unwrapped(line.raw):
            if not inner.kernel:
                return line, None
            found = self._judge(inner.text)
            if found is None:
                continue
            if stamp_unread(inner):
                self.unread += 1
                return line, None
            return inner, found
        return line, None

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
        search = _search(self._extra)
        try:
            matches = search.find_matches_as_indexes(block)
        except UnicodeEncodeError:  # half of a character: no word of ours holds one
            matches = search.find_matches_as_indexes(_HALVES.sub("?", block))
        hits: list[tuple[int, int]] = []
        size, last, seen = len(block), -1, -1
        for word, at, _ in matches:
            if at < last:
                continue  # in a line that is one already
            if word < _MARKS:
                if at < seen:
                    continue  # a driver that named itself twice in one line
                seen = block.find("\n", at)
                seen = size if seen < 0 else seen
                if not TROUBLE.search(block, at, min(seen, at + LONGEST)):
                    continue
            start = block.rfind("\n", 0, at) + 1
            last = block.find("\n", at)
            last = size if last < 0 else last
            hits.append((start, last))
        return hits

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


_MARKS = len(MARKS)


@cache
def _search(extra: tuple[str, ...]) -> AhoCorasick:
    """The search for all words at once, marks first; twice as fast below 64 words as above."""
    return AhoCorasick((*MARKS, *WORDS, *extra), matchkind=MatchKind.LeftmostFirst)


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
    # A record that was split into lines of their own stays together, too.
    start = at + 1
    for _ in range(_MAX_SPLIT):
        before = text.rfind("\n", 0, max(0, start - 1)) + 1
        if start and SPLIT_HEAD.search(text, before, start):
            return before
        start = before
    return at + 1


def _line_text(block: str, start: int, end: int) -> str:
    # A crash leaves NULs where the file was not written yet.
    return block[start:end].removesuffix("\r").lstrip("\0")


def _whole(line: Line, block: str, end: int) -> tuple[Line, int]:
    """A record whose beginning stands on a line of its own, with the lines that complete it."""
    raws, texts = [line.raw], [line.text.rstrip()]
    for _ in range(_MAX_SPLIT - 1):
        start = end + 1
        if start >= len(block):
            break
        next_end = block.find("\n", start)
        next_end = len(block) if next_end < 0 else next_end
        raw = _line_text(block, start, next_end)
        more = frame(raw)
        indented = raw[:1] in (" ", "\t") and not more.stamped
        if not more.kernel or not (indented or continues(more.text)):
            break
        raws.append(raw)
        texts.append(more.text.strip())
        end = next_end
    if len(raws) == 1:
        return line, end
    return msgspec.structs.replace(line, raw="\n".join(raws), text="\n".join(texts)), end


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
