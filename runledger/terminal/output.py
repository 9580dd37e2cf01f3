"""What commands print: JSON for programs, text for people.

Text that came from events may hold anything; what goes to a terminal is
stripped of control characters first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from ledger.text.characters import plain
from runledger.terminal.widths import padded, shortened, width_of

_COMMAND = re.compile(r"(?:(?<=: )|\A)runledger [^;]*")
_KEPT = "\ue000"  # stands for a space at which a line is not to be broken
_WIDEST = 96
_NARROWEST = 40

_COLOURS = {"bad": "31", "poor": "33", "good": "32", "dim": "2", "strong": "1"}


def colour(text: str, kind: str) -> str:
    """The text in a colour, on a terminal that wants one."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"


def json_text(value: Any) -> str:
    """JSON that stdout can carry: escaped where it is not UTF-8."""
    utf_8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not utf_8)


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json_text(value) + "\n")


def say(text: str = "") -> None:
    """A line for people on stdout; the caller has stripped what is not its own."""
    sys.stdout.write(text + "\n")


def talk(text: str) -> None:
    """A line of talk, on stderr."""
    print(plain(text), file=sys.stderr)


def width() -> int | None:
    """Columns of the terminal that stdout is; None where it is none."""
    if not sys.stdout.isatty():
        return None
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def wrapped(text: object, *, first: str = "", rest: str = "") -> list[str]:
    """Text as lines that fit the terminal, or a page; words such as addresses are not broken."""
    return _wrap(plain(text), first, rest)


def _wrap(text: str, first: str, rest: str) -> list[str]:
    columns = min(width() or _WIDEST, _WIDEST)
    return textwrap.wrap(
        text,
        columns,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def wrapped_remedy(text: object, *, first: str, rest: str) -> list[str]:
    """What to do, with each command whole on one line, to be copied from there."""
    kept = _COMMAND.sub(lambda match: match[0].replace(" ", _KEPT), plain(text))
    return [line.replace(_KEPT, " ") for line in _wrap(kept, first, rest)]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns; the last one is cut where it does not fit the terminal."""
    lines = [list(headings), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(width_of(line[at]) for line in lines) for at in range(len(headings))]
    columns = width()
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    last = None if columns is None else max(columns - before, _NARROWEST // 2)
    for line in lines:
        cells = [padded(cell, size) for cell, size in zip(line[:-1], widths, strict=False)]
        text = line[-1] if last is None else cut(line[-1], last)
        say("  ".join([*cells, text]).rstrip())


def note_no_match(found: int, where: Sequence[str]) -> None:
    """Say where filters matched nothing: an empty answer looks the same as a slip in a filter."""
    if where and not found:
        talk(f"note: nothing matches {' or '.join(where)}")


def cut(text: object, most: int) -> str:
    """Text that is no wider than so many columns, with an ellipsis where it was."""
    return shortened(plain(text), most)
