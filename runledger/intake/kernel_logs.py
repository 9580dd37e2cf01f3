"""Kernel logs of the past, from files, and stored kernel lines reclassified.

Both add events and change none. Reading a log again stores nothing: the
identity of an event is that of its line.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, tzinfo
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from collectors.kernel_log import IMPORT_SOURCE, KERNEL_TYPES, reclassify, scan
from ledger import Ledger
from ledger.input_files import open_input
from runledger.errors import BadInput

_AT_ONCE = 10_000
"""Events stored together: a file that was stored in part goes on where it stopped."""
_PIECE = 1 << 20
_LONGEST_MAGIC = 8
_JOURNAL = b"LPKSHHRH"
_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_UNREADABLE = {
    _JOURNAL: "a binary journal: write it out with `journalctl -k -o json --file FILE`",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it with `unzstd`",
    b"PK\x03\x04": "a zip archive: unpack it first",
}
_FORMATS = (
    ("-o export", re.compile(r"__CURSOR=")),
    ("-o verbose", re.compile(r"\w{3} \d{4}-\d\d-\d\d [^\n\[]*\[s=[0-9a-f]+;")),
    ("-o json-pretty", re.compile(r'\s*\{\s*\n\s*"(?!dmesg")')),
)
"""Formats of journalctl that spread an entry over many lines: they would be passed over unread."""


class Imported(NamedTuple):
    """What an import read and stored; ``events`` counts what the log reports, by type.

    ``unread`` counts lines that hold words of trouble in a frame that is not known.
    """

    lines: int
    stored: int
    duplicates: int
    events: dict[str, int]
    unread: int = 0


class Reclassified(NamedTuple):
    """How many stored lines were judged again, and what was stored about them, by type."""

    lines: int
    stored: int
    duplicates: int
    events: dict[str, int]


def import_kernel_log(
    ledger: Ledger,
    file: str | Path,
    *,
    node: str,
    now_us: int,
    boot_id: str | None = None,
    boot_time_us: int | None = None,
    zone: tzinfo = UTC,
) -> Imported:
    """Store what a kernel log file reports; the same file again stores nothing.

    ``file`` may be packed with gzip, bzip2 or xz; bytes that are not UTF-8 are
    replaced. Times are microseconds since the epoch. Raises `OSError`,
    `BadInput` for a file that is no text, and `KernelLogError` where a line
    reports something and nothing says when it was; then nothing is stored.
    """
    if not node or "/" in node or any(c.isspace() or not c.isprintable() for c in node):
        raise BadInput(f"{node!r} is not the name of a node")
    if boot_id is not None and not (boot_id and boot_id.isprintable()):
        raise BadInput(f"{boot_id!r} is not a boot id: `journalctl --list-boots` shows them")
    with _opened(Path(file)) as pieces:
        found = scan(
            pieces,
            node=node,
            source=IMPORT_SOURCE,
            now_us=now_us,
            boot_id=boot_id,
            boot_time_us=boot_time_us,
            zone=zone,
        )
    stored = duplicates = 0
    for start in range(0, len(found.events), _AT_ONCE):
        done = ledger.append_new(found.events[start : start + _AT_ONCE])
        stored += done.stored
        duplicates += done.duplicates
    return Imported(found.lines, stored, duplicates, found.types, found.unread)


def reclassify_stored(ledger: Ledger) -> Reclassified:
    """Judge every stored kernel line with today's parser; new events correct old ones."""
    events = list(ledger.read(types=KERNEL_TYPES))
    corrections = list(reclassify(events))
    done = ledger.append_new(corrections)
    types = Counter(event.type for event in corrections)
    return Reclassified(len(events), done.stored, done.duplicates, dict(sorted(types.items())))


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[str]]:
    with open_input(path) as raw:
        # What the first bytes tell is looked at in place: a pipe gives them only once.
        start = cast(io.BufferedReader, raw).peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
        for magic, what in _UNREADABLE.items():
            if start.startswith(magic):
                raise BadInput(f"{path} is {what}, then import that")
        encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        opener = next((opens for magic, opens in _PACKED.items() if start.startswith(magic)), None)
        binary: IO[bytes] = raw if opener is None else opener(raw)
        with binary, io.TextIOWrapper(binary, encoding, "replace", newline="\n") as text:
            yield _pieces(path, text)


def _pieces(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    try:
        first = text.read(_PIECE)
        for option, opening in _FORMATS:
            if opening.match(first):
                raise BadInput(
                    f"{path} was written by journalctl {option}",
                    remedy="write it with -o json, then import",
                )
        yield first
        while piece := text.read(_PIECE):
            yield piece
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {error}; nothing was stored") from None
