"""Take secrets out of text before it is stored; the ledger keeps what it is given for ever.

Recognised are secrets that say what they are, by a name in front of them, by
the command that they are given to, or by their own form. It removes too much
rather than too little, and cannot know a secret that looks like any other word:
for those there are `environment_secrets`, whose very values are taken out
wherever they stand. Any text takes time in proportion to its length.

This is the one list: what collectors store, what a language model is shown and
what `export --redact` writes all come through here.

>>> redact("psycopg: postgresql://user:hunter2@db/ledger refused, token=abc123")
'psycopg: postgresql://user:<redacted>@db/ledger refused, token=<redacted>'
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ledger.text.characters import HIDING
from ledger.text.secrets.assignments import named
from ledger.text.secrets.commands import in_commands, secret_parts
from ledger.text.secrets.names import REDACTED, Telling, is_secret, telling
from ledger.text.secrets.shapes import known_by_form

_SHORTEST = 6
"""Shorter values of the environment are words that stand everywhere, not secrets."""

_PASSES = 6
"""So often at most a text is read: taking one secret out may bring another to light."""

# Colours may stand between a name and its value, also as logs and JSON write them.
_COLOUR = re.compile(
    r"(?:\x1b|\\x1[bB]|\\u001[bB]|\\033|\\e|#033|\^\[)\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)"
)
_MARK = re.compile(rf"(?:{re.escape(REDACTED)})+")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` with secrets replaced by ``<redacted>``; redacting again changes nothing.

    ``secrets`` are values that must not be in it wherever they stand.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if secret and secret not in REDACTED:
            text = text.replace(secret, REDACTED)
    for _ in range(_PASSES):
        before, text = text, _without(text, _secrets(text))
        if text == before:
            break
    return text


def redact_value(value: Any, secrets: Sequence[str] = ()) -> Any:
    """A JSON value with every text in it redacted, and the values of telling keys taken out."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        item = value.get("name", value.get("key"))
        of_item = telling(item) if isinstance(item, str) and "value" in value else None
        return {
            redact(str(key), secrets): _of_key(
                of_item if key == "value" and of_item else telling(str(key)), each, secrets
            )
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        if all(isinstance(each, str) for each in value):
            return redact_words(value, secrets)  # it may be a command line
        return [redact_value(each, secrets) for each in value]
    return value


def redact_words(words: Sequence[str], secrets: Sequence[str] = ()) -> list[str]:
    """A command line, word by word: what follows ``--token`` is a secret, spaces and all."""
    shown = [redact(word, secrets) for word in words]
    for at, start in secret_parts(words):
        shown[at] = words[at][:start] + REDACTED
    return shown


def environment_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of environment variables whose names say that they are secrets."""
    return tuple(
        sorted(
            {
                value
                for name, value in environ.items()
                if len(value) >= _SHORTEST and not _is_path(value) and _hides(name, value)
            }
        )
    )


def _hides(name: str, value: str) -> bool:
    kind = telling(name)
    return kind is not None and is_secret(kind, value, of_variable=True)


def _of_key(kind: Telling | None, value: Any, secrets: Sequence[str]) -> Any:
    if kind is not None and isinstance(value, str) and is_secret(kind, value):
        return REDACTED
    if kind is Telling.PASSWORD and isinstance(value, int) and not isinstance(value, bool):
        return REDACTED
    if kind is not None and isinstance(value, list | tuple):
        return [_of_key(kind, each, secrets) for each in value]
    return redact_value(value, secrets)


def _is_path(value: str) -> bool:
    """A file that holds a secret is named by many variables; its name is none."""
    return value.startswith(("/", "~", "./")) or value.isdigit()


def _secrets(text: str) -> list[tuple[int, int]]:
    """Where secrets stand in a text, in order and apart from one another."""
    read, places = _as_read(text)
    lower = read.lower()
    if len(lower) != len(read):  # a few capital letters have two small ones
        lower = "".join(each.lower() if len(each.lower()) == 1 else each for each in read)
    found = sorted({*known_by_form(read, lower), *named(read, lower), *in_commands(read, lower)})
    spans: list[tuple[int, int]] = []
    for start, end in found:
        if end <= start or _MARK.fullmatch(read, start, end):
            continue
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return [(_place(places, start), _place(places, end - 1) + 1) for start, end in spans]


_Places = list[tuple[int, int]]
"""Of a text as it is read: from which place on which amount was left out before."""


def _as_read(text: str) -> tuple[str, _Places]:
    """The text without colours and hidden characters, and how to find places of it again."""
    if "[" not in text and text.isascii():
        return text, []
    pieces, places, gone, at = [], [], 0, 0
    for start, end in _unread(text):
        pieces.append(text[at:start])
        gone += end - start
        at = end
        places.append((end - gone, gone))
    return ("".join(pieces) + text[at:], places) if places else (text, [])


def _unread(text: str) -> Iterator[tuple[int, int]]:
    spans = [match.span() for match in _COLOUR.finditer(text)] if "[" in text else []
    if not text.isascii():
        spans = sorted([*spans, *(match.span() for match in HIDING.finditer(text))])
    last = 0
    for start, end in spans:
        if start >= last:
            yield start, end
            last = end


def _place(places: _Places, at: int) -> int:
    number = bisect_right(places, (at, len(places) and places[-1][1])) - 1
    return at + places[number][1] if number >= 0 else at


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    pieces, at = [], 0
    for start, end in spans:
        pieces += [text[at:start], REDACTED]
        at = end
    return "".join(pieces) + text[at:]


__all__ = ["REDACTED", "environment_secrets", "redact", "redact_value", "redact_words"]
