r"""Characters that steer, hide or cannot be stored, and what becomes of them.

Every other module asks here: what a control character is was once written down
in a dozen places, and not twice the same. Nothing here knows what a text is for.

>>> plain("\x1b[31mred\x1b[0m \u202etxt\nnext"), one_line("a\tb\x00c\n")
(' red  txt next', 'a b c')
"""

from __future__ import annotations

import re
import unicodedata

WITHOUT_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]+\Z"
"""A pattern for names and paths in payloads: one character or more, none that steers."""

# ESC as terminals read it: colours and cursors, titles, and any other two characters.
_TERMINAL = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[^\[\]])"
# Marks that reorder, join or hide what stands around them, tags and the soft hyphen included.
_HIDING = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
_HIDING += "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""NUL, and halves of characters: neither database holds them."""
HIDING = re.compile(f"[{_HIDING}]")
TERMINAL = re.compile(_TERMINAL)

_STEERING = re.compile(rf"{_TERMINAL}|[\x00-\x1f\x7f-\x9f]")
_STEERING_BUT_LINES = re.compile(rf"{_TERMINAL}|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNPRINTABLES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: object, *, keep_lines: bool = False) -> str:
    """Text for people's eyes: nothing in it steers a terminal, reorders or hides.

    New lines and tabs become spaces unless kept.
    """
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    pattern = _STEERING_BUT_LINES if keep_lines else _STEERING
    return HIDING.sub("", pattern.sub("" if keep_lines else " ", shown))


def one_line(text: str, most: int | None = None) -> str:
    """One storable line: each run of what steers or is half a character becomes a space."""
    return _UNPRINTABLES.sub(" ", text).strip()[:most]


def printable(text: str, instead: str = "\ufffd") -> str:
    """A name that can be stored: what steers or is half a character is replaced, one by one."""
    return _UNPRINTABLE.sub(instead, text)


def storable(text: str) -> str:
    """Free text as a ledger can hold it: NUL and halves of characters become U+FFFD."""
    return UNSTORABLE.sub("\ufffd", text)


def spelt_out(text: str) -> str:
    r"""Free text as a ledger can hold it, the rest written as ``\x00`` and the like."""
    return UNSTORABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def xml_text(text: str) -> str:
    """Text that an XML document can hold."""
    return _NOT_XML.sub("\ufffd", text)


def without_terminal(text: str, instead: str = "") -> str:
    """Text without colours, titles and cursor moves; its lines and tabs stay."""
    return TERMINAL.sub(instead, text) if "\x1b" in text else text


def visible(text: str) -> str:
    """Text without control, format, private and unassigned characters; white space is kept."""
    return "".join(
        each if each.isspace() else "" if unicodedata.category(each).startswith("C") else each
        for each in text
    )
