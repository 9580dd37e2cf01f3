"""The rules an event's attributes must follow before it may exist; each names what is wrong.

Split from `ledger.event` so that what is checked can be read in one place;
`ledger.payload_checks` does the same for ``data``. Nothing here stores or
repairs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from ledger.canonical import CANONICAL_FORM
from ledger.payloads import Json, is_own_type
from ledger.registry import PAYLOAD_TYPES
from ledger.strict_json import shown, shown_key
from ledger.text.characters import CONTROL, UNSTORABLE

Wrong = Callable[[str, str, str], None]
"""Reports one problem: field, what is wrong, what to do."""

LEDGER_ATTRIBUTES = ("sequence", "recordedtime", "prevhash", "hash")
ATTRIBUTES = (
    "specversion",
    "id",
    "type",
    "source",
    "subject",
    "time",
    "dataschemaversion",
    "datacontenttype",
    "canonicalform",
    "runid",
    "step",
    "correlationid",
    "causationid",
    "data",
    "redacted",
    *LEDGER_ATTRIBUTES,
)

_MAX_ATTRIBUTE_BYTES = 1024
_MOST_NAMED = 50
_HEX_HASH = re.compile(r"[0-9a-f]{64}\Z")
_TEXT_ATTRIBUTES = ("id", "source", "subject", "runid", "step", "correlationid", "causationid")


def nearest(word: object, known: Iterable[str]) -> str:
    """The known word that ``word`` was most likely meant to be."""
    words = {each.lower(): each for each in sorted(known)}
    close = difflib.get_close_matches(str(word)[:64].lower(), words, n=1, cutoff=0.0)
    return words[close[0]] if close else "?"


def unknown_names(given: Iterable[object], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """(name, the known word it was meant to be) of what is not known.

    Of very many, the first are named and one more tells how many are left: to
    find the nearest word takes its time.
    """
    unknown = [name for name in given if name not in known]
    for name in unknown[:_MOST_NAMED]:
        yield str(name), nearest(name, known)
    left = len(unknown) - _MOST_NAMED
    if left > 0:
        yield f"({left:,} more unknown names)", "one of those named before"


def check_attributes(wire: Json, wrong: Wrong, *, stored: bool) -> None:
    """The CloudEvents attributes, times and payload aside; nulls count as left out."""
    for name, meant in unknown_names(wire, ATTRIBUTES):
        wrong(shown_key(name), "unknown attribute", f"remove it, or did you mean {meant}?")
    if _given(wire, "specversion", "1.0") != "1.0":
        wrong(
            "specversion",
            f"{shown(wire['specversion'])} is not supported",
            'write "1.0" or leave it out',
        )
    if _given(wire, "datacontenttype", "application/json") != "application/json":
        wrong("datacontenttype", "only application/json is stored", "leave it out")
    form = _given(wire, "canonicalform", CANONICAL_FORM)
    if form != CANONICAL_FORM or type(form) is not int:
        wrong(
            "canonicalform",
            f"{shown(form)} is not the form {CANONICAL_FORM} that this program knows",
            "upgrade runledger, or leave it out of an event that no ledger has stored",
        )
    for name in ("type", "source", "time"):
        if wire.get(name) is None:
            wrong(name, "missing", f"add {name!r}")
    for name in ("type", "time"):
        value = wire.get(name)
        if value is not None and not isinstance(value, str):
            wrong(name, instead(value, "a string"), "write it as text")
    for name in _TEXT_ATTRIBUTES:
        if wire.get(name) is not None:
            check_text_attribute(name, wire[name], wrong)
    if not isinstance(_given(wire, "redacted", False), bool):
        wrong("redacted", instead(wire["redacted"], "a boolean"), "leave it out: exports say so")
    _check_type_and_version(wire, wrong)
    if stored:
        _check_ledger_attributes(wire, wrong)


def _given(wire: Json, name: str, default: Any) -> Any:
    value = wire.get(name)
    return default if value is None else value


def _check_type_and_version(wire: Json, wrong: Wrong) -> None:
    event_type, version = wire.get("type"), _given(wire, "dataschemaversion", 1)
    known = isinstance(event_type, str) and event_type in PAYLOAD_TYPES
    if isinstance(event_type, str) and not known and not is_own_type(event_type):
        wrong(
            "type",
            f"unknown event type {shown(event_type)}",
            f"did you mean {nearest(event_type, PAYLOAD_TYPES)}?",
        )
    if type(version) is not int or version < 1:
        wrong("dataschemaversion", f"{shown(version)} is not a version", "write 1, or leave it out")
    elif known and version > PAYLOAD_TYPES[str(event_type)].version:
        wrong(
            "dataschemaversion",
            f"{shown(version)} is newer than this program's "
            f"{PAYLOAD_TYPES[str(event_type)].version}",
            "upgrade runledger, or write the payload in the older shape",
        )


def check_text_attribute(name: str, value: Any, wrong: Wrong) -> None:
    """A text attribute that ends up in messages, paths and indexes."""
    if not isinstance(value, str):
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        example = f', for example "{shown(value)}"' if name == "step" and plain else ""
        wrong(name, instead(value, "a string"), f"write it as text{example}")
    elif not value:
        wrong(name, "empty", "give a value, or leave the attribute out")
    elif len(value.encode("utf-8", "surrogatepass")) > _MAX_ATTRIBUTE_BYTES:
        wrong(name, f"{len(value)} characters long", f"keep it within {_MAX_ATTRIBUTE_BYTES} bytes")
    elif CONTROL.search(value):
        wrong(name, f"{shown(value)} contains a control character", "remove it")
    elif UNSTORABLE.search(value):
        wrong(name, f"{shown(value)} contains a lone surrogate", "write valid Unicode")


def _check_ledger_attributes(wire: Json, wrong: Wrong) -> None:
    sequence = wire.get("sequence")
    if type(sequence) is not int or not 1 <= sequence <= 2**53:
        wrong("sequence", "missing or not a position", "restore from an unchanged export")
    if not isinstance(wire.get("recordedtime"), str):
        wrong("recordedtime", "missing or not text", "restore from an unchanged export")
    for name in ("prevhash", "hash"):
        value = wire.get(name)
        if not isinstance(value, str) or not _HEX_HASH.match(value):
            wrong(name, "missing or not a SHA-256 in hex", "restore from an unchanged export")


def instead(value: Any, wanted: str) -> str:
    """That ``value`` is of another JSON type than the one wanted, in words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    names |= {int: "a number", float: "a number"}
    return f"{names.get(type(value), f'a {type(value).__name__}')} instead of {wanted}"
