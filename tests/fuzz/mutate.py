"""Inputs from inputs: pieces swapped, repeated, nested, and replaced by what breaks parsers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_NASTY = (
    *(b"\x00", b"\x1b", b"\n", b"\r\n", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800"),
    *(b"9" * 308, b"9" * 5000, b"1e400", b"-0.0", b"0x" + b"f" * 6000, b"9007199254740993"),
    *(b"100000000000000000000", b"1e20", b"NaN", b"Infinity", b"-9223372036854775809"),
    *(b"null", b"true", b"[]", b"{}", b'""', b"''", b"[[", b"]]", b"{{", b"}}", b'"', b"'", b"="),
    *(b"..", b"*", b"%00", b"../" * 30, b"/dev/zero", b"://", b"@", b"?mode=ro", b":memory:"),
    *(b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:60+23:59", b"T24:00:00", b"+99:99", b"-25:00"),
    *(b"--", b"/*", b"$$", b"$a$", b"E'", b'U&"', b"SELECT ", b" FROM events ", b" UNION ", b";"),
    *("\u2028\u202e\u0130\u00df".encode(), "\U0001f4a5".encode(), b"a" * 5000),
)
_WORD = re.compile(rb"[A-Za-z_]+|[0-9]+|\s+|.", re.DOTALL)
_LONGEST = 20_000


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """A new input: a seed, changed in one to eight places."""
    data = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        data = chance.choice(_CHANGES)(data, seeds, chance)
    return data[:_LONGEST]


def _place(data: bytes, chance: random.Random) -> int:
    return chance.randint(0, len(data))


def _insert(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.choice(_NASTY) + data[at:]


def _replace_word(data: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    words = _WORD.findall(data)
    if words:
        other = _WORD.findall(chance.choice(seeds)) or [b""]
        words[chance.randrange(len(words))] = chance.choice((chance.choice(other), *_NASTY[:40]))
    return b"".join(words)


def _flip(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    if not data:
        return bytes([chance.randrange(256)])
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _cut(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start, stop = sorted((_place(data, chance), _place(data, chance)))
    return data[:start] + data[stop:]


def _repeat(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start, stop = sorted((_place(data, chance), _place(data, chance)))
    piece = data[start : min(stop, start + 64)]
    return data[:start] + piece * chance.choice((2, 3, 40, 300)) + data[start:]


def _splice(data: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(seeds)
    return data[: _place(data, chance)] + other[_place(other, chance) :]


def _nest(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"), (b"a.", b"")))
    at, depth = _place(data, chance), chance.choice((3, 70, 400, 2000))
    return data[:at] + opening * depth + b"1" + closing * depth + data[at:]


_CHANGES: tuple[Callable[[bytes, Sequence[bytes], random.Random], bytes], ...] = (
    _insert,
    _replace_word,
    _replace_word,
    _flip,
    _cut,
    _repeat,
    _splice,
    _nest,
)
