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
"""Version of the canonical form; it would change with the hash's input."""

GENESIS = "0" * 64
"""``prevhash`` of the first event of every ledger."""

_encoder = msgspec.json.Encoder(order="sorted")
# A number with a fraction of zero or an exponent, or a character beyond the
# basic plane. Text that merely looks so takes the slow road too, harmlessly.
_MAY_DIFFER = re.compile(rb"\d\.0[,\]}]|\d\.0\Z|\d[eE][+-]?\d|[\xf0-\xf4]")


def canonical(value: Any) -> bytes:
    """UTF-8 bytes of ``value`` (builtins or msgspec structs) in the canonical form.

    Raises `UnicodeEncodeError` for lone surrogates and `ValueError` for what
    RFC 8785 cannot express (integers beyond 2**53, NaN, infinities).
    """
    text = _encoder.encode(value)
    if _MAY_DIFFER.search(text):
        return rfc8785.dumps(msgspec.to_builtins(value))
    return text


def digest(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()
