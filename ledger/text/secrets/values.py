"""How far a value reaches that begins at a place in a text, in whatever language it is written.

Quoted (escaped quotes, three of them, a string's prefix), a shell's word, a
YAML block or the indented line below, a bracket. It reaches too far rather
than not far enough.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ledger.text.secrets.names import REDACTED

_BLANKS = re.compile(r"[ \t\xa0]*")
_OPENING = re.compile(r"""[bBrRuUfF]{0,2}(?P<quote>\\*(?:\"""|'''|["'`]))""")
_TAIL = re.compile(r"[,;)\]}]*\Z")
_BRACKETS = {"(": re.compile(r"\([^()\n]{0,2000}\)"), "[": re.compile(r"\[[^\[\]\n]{0,2000}\]")}
_BRACKETS["{"] = re.compile(r"\{[^{}\n]{0,2000}\}")
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]*(?:#[^\n]*)?\r?\n")
_NEXT_QUOTED = re.compile(r"""[ \t]*\r?\n\s{0,200}(?=\\*["'])""")
_NEXT_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n")
_LINE = re.compile(r"[^\n]*(?:\n|\Z)")
_KEYED_LINE = re.compile(r"""\s*(?:-\s+)?["']?[\w .-]{1,80}["']?\s*[:=](?:\s|\Z)""")
_IN_QUERY = re.compile(r"""[^\s&#'"<>`]+""")
_SHELL_WORD = re.compile(r"""[^\s'"`]+""")
_SCHEME = re.compile(
    r"(?:bearer|basic|token|digest|negotiate|apikey|key|oauth|ntlm|aws4-hmac-sha256)[ \t]+",
    re.IGNORECASE,
)
_CONNECTION = re.compile(r";(?=[ \t]*[A-Za-z][\w ]{0,40}=)")
_BEFORE = 1000
"""So many characters before a value are looked at to tell whether it stands within quotes."""


class Place(NamedTuple):
    """What stands before a value: where its line begins, where its name, and what joins them."""

    name: int
    separator: str
    in_query: bool = False
    whole_line: bool = False
    """Of a header or a line of YAML, the value is all the rest."""


class Value(NamedTuple):
    """Where a value stands, quotes included, and its text without them."""

    start: int
    end: int
    bare: str


def value_at(text: str, at: int, place: Place) -> Value | None:
    """The value that begins at ``at`` or after blanks; None where nothing is there."""
    at = _end(_BLANKS, text, at)
    if place.separator.endswith((":", "=", ">")) and (after := _NEXT_QUOTED.match(text, at)):
        at = after.end()
    if place.separator == ":":
        block = _BLOCK.match(text, at)
        below = block or _NEXT_LINE.match(text, at)
        if below is not None:
            return _indented(text, below.end(), place, always=block is not None)
    if at >= len(text) or text[at] in "\r\n":
        return None
    opening = _OPENING.match(text, at)
    if opening is not None:
        return _quoted(text, at, opening)
    bracket = _BRACKETS[text[at]].match(text, at) if text[at] in _BRACKETS else None
    if bracket is not None and not place.in_query:
        return Value(at, bracket.end(), bracket[0])
    return _unquoted(text, at, place)


def _quoted(text: str, at: int, opening: re.Match[str]) -> Value:
    """A string, closed or not, and what a shell glues to it."""
    quote = opening["quote"]
    start = opening.end()
    close = _closing(text, start, quote)
    end = close if close >= 0 else _line_end(text, start)
    after = end + len(quote) if close >= 0 else end
    # 'it'"'"'s': one word of a shell. A comma, bracket or blank ends it.
    while close >= 0 and text[after : after + 1] and text[after : after + 1] in "\"'":
        close = _closing(text, after + 1, text[after])
        if close < 0:
            break
        after = close + 1
    return Value(at, after, text[start:end])


def _closing(text: str, at: int, quote: str) -> int:
    """Where ``quote`` closes; -1 where it does not. A single quote does not pass a line's end."""
    lone = len(quote.lstrip("\\")) == 1
    last = _line_end(text, at) if lone else len(text)
    while (found := text.find(quote, at, last)) >= 0:
        slashes = found - len(text[at:found].rstrip("\\")) - at
        if quote.startswith("\\") or slashes % 2 == 0:
            return found
        at = found + 1
    return -1


def _unquoted(text: str, at: int, place: Place) -> Value:
    if place.in_query:
        end = _end(_IN_QUERY, text, at)
        return Value(at, end, text[at:end])
    inside = _inside(text, at)
    if place.whole_line:
        end = _line_end(text, at)
        closing = text.find(inside, at, end) if inside else -1
        end = closing if closing >= 0 else end
        return Value(at, end, text[at:end].rstrip())
    scheme = _SCHEME.match(text, at)
    end = _end(_SHELL_WORD, text, scheme.end() if scheme else at)
    while end < len(text) and text[end] in "\"'`" and text[end] != inside:
        closing = _closing(text, end + 1, text[end])
        if closing < 0:
            end = _line_end(text, end)
            break
        end = _end(_SHELL_WORD, text, closing + 1)
    another = _CONNECTION.search(text, at, end)
    if another is not None and place.separator == "=":
        end = another.start()
    tail = _TAIL.search(text, max(at, end - 8), end)
    if tail is not None and tail.start() > at:
        end = tail.start()
    return Value(at, end, text[at:end])


def _inside(text: str, at: int) -> str:
    """The quote that is open at a place of its line; empty where none is."""
    start = max(text.rfind("\n", max(0, at - _BEFORE), at) + 1, at - _BEFORE, 0)
    before = text[start:at]
    for quote in ('"', "'"):
        if (before.count(quote) - before.count(f"\\{quote}")) % 2:
            return quote
    return ""


def _indented(text: str, at: int, place: Place, *, always: bool) -> Value | None:
    """The lines below that are indented more than their key: a block, a scalar or a list."""
    line = (
        text.rfind("\n", 0, place.name) + 1
        if place.name - 400 < 0
        else (text.rfind("\n", place.name - 400, place.name) + 1)
    )
    indent = _end(_BLANKS, text, line) - line
    if text.startswith("- ", line + indent):
        indent += 1  # the key is within a list's item
    start, end = at, at
    while at < len(text):
        found = _LINE.match(text, at)
        assert found is not None
        content = found[0].strip()
        deep = _end(_BLANKS, text, at) - at
        if content and deep <= indent and not (content.startswith("- ") and deep == indent):
            break
        if content and not always and _KEYED_LINE.match(found[0]):
            break
        if content:
            start = at + deep if start == end else start
            end = at + len(found[0].rstrip())
        at = found.end() if found[0] else len(text)
    return Value(start, end, text[start:end]) if end > start and text[start:end] else None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


__all__ = ["REDACTED", "Place", "Value", "value_at"]
