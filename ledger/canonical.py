"""The canonical JSON form, version 1, and the hash chain over it.

The form is RFC 8785 (JSON Canonicalization Scheme): keys sorted, no white
space, UTF-8, numbers as ECMAScript prints them. Anyone with a JCS library can
recompute it, which is why it is not a form of our own.

`msgspec` writes that form already for nearly everything; the few spellings in
which it differs (``5.0`` for ``5``, ``1e16`` written out, keys beyond the
basic plane) are recognised in its output, and those values take the slower
road through the `rfc8785` package.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
import rfc8785

CANONICAL_FORM = 1
"""Version of the canonical form; it would change with the hash's input.

Form 1 is the one that an event does not name. An event in a later one says so in
the attribute ``canonicalform``, which is hashed with the rest.
"""

GENESIS = "0" * 64
"""``prevhash`` of the first event of every ledger."""

_WRITTEN_OUT = 10**21
"""Below this, a float without a fraction is written like an integer."""

_encoder = msgspec.json.Encoder(order="sorted")
# A number with a fraction of zero or an exponent, or a character beyond the
# basic plane. One expression for all three would cost ten times as much.
_WHOLE_FLOAT = re.compile(rb"\.0(?:[,\]}]|\Z)")
_EXPONENT = re.compile(rb"e(?<=[0-9]e)[+-]?[0-9]")
_BEYOND_BASIC_PLANE = re.compile(rb"[\xf0-\xf4]")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def canonical(value: Any) -> bytes:
    """UTF-8 bytes of ``value`` (builtins or msgspec structs) in the canonical form.

    Numbers are expected to be finite, and integers exact as IEEE 754 doubles:
    `ledger.event_checks` sees to that. Raises `UnicodeEncodeError` for lone
    surrogates.
    """
    text = _encoder.encode(value)
    if _may_differ(text):
        return rfc8785.dumps(_exact(msgspec.to_builtins(value)))
    return text


def _may_differ(text: bytes) -> bool:
    """Whether msgspec may have spelt something in another way than RFC 8785 does."""
    if not text.isascii() and _BEYOND_BASIC_PLANE.search(text):
        return True
    if not _has_such_number(text):
        return False
    # A digest in hex often holds what looks like an exponent: look past strings.
    return _has_such_number(_STRING.sub(b"", text))


def _has_such_number(text: bytes) -> bool:
    return bool(_WHOLE_FLOAT.search(text) or _EXPONENT.search(text))


def _exact(value: Any) -> Any:
    """``value`` with its great integers as the floats that they were."""
    if type(value) is int and abs(value) >= 2**53:
        number = written_out(value)
        return value if number is None else number
    if type(value) is dict:
        return {key: _exact(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_exact(item) for item in value]
    return value


def written_out(value: int) -> float | None:
    """The float that the canonical form writes with the digits of ``value``, if there is one.

    RFC 8785 writes the float 1e17 as 100000000000000000, and 3.819949766496909e16
    as 38199497664969090, which come back as integers: they must be written the
    same way again. The `rfc8785` package refuses integers from 2**53 on.
    """
    if abs(value) >= _WRITTEN_OUT:
        return None
    number = float(value)
    return number if rfc8785.dumps(number) == str(value).encode() else None


def digest(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()
