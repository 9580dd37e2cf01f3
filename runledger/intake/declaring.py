"""Declaring an event type: a file becomes a declaration, or one error that names all problems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledger import Ledger
from ledger.errors import Conflict
from ledger.event_checks import nearest
from ledger.input_files import read_text
from ledger.payload_checks import check_values
from ledger.payloads import EventTypeDeclared, is_own_type
from ledger.strict_json import BadJson, load_json, shown
from runledger.config.own_types import OwnTypes
from runledger.errors import BadInput
from runledger.intake.own_events import declaration_problems

_KEYS = ("type", "version", "about", "schema")
_ABOUTS = ("card", "node", "run", "study", "fleet")


class DeclaredOtherwise(Conflict):
    """A ledger holds another declaration of the same version."""

    def __init__(self, declared: EventTypeDeclared) -> None:
        named = f"version {declared.dataschemaversion} of {declared.type}"
        super().__init__([named])
        self.args = (
            f"{named} is declared already, and otherwise; nothing was stored: "
            "give the newer shape a higher version",
        )


def read_declaration(path: Path) -> EventTypeDeclared:
    """The declaration in a file ``{"type", "version", "about", "schema"}``; raises `BadInput`."""
    try:
        table = load_json(read_text(path))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start})") from None
    except BadJson as error:
        raise BadInput(f"{path}: {error}; {error.remedy}") from None
    problems = list(_shape_problems(table))
    if not problems:
        declared = EventTypeDeclared(
            type=table["type"],
            about=table["about"],
            schema=table["schema"],
            dataschemaversion=table.get("version", 1),
        )
        problems = [
            f"{each.field.removeprefix('data.')}: {each.message}; {each.remedy}"
            for each in declaration_problems(declared, {})
        ]
    if problems:
        raise BadInput("\n".join(f"{path}: {problem}" for problem in problems))
    return declared


def _shape_problems(table: Any) -> Iterator[str]:
    if not isinstance(table, dict):
        yield 'not a JSON object: write {"type", "version", "about", "schema"}'
        return
    for key in table:
        if key not in _KEYS:
            yield f"{shown(key)}: unknown key; did you mean {nearest(key, _KEYS)}?"
    if not is_own_type(table.get("type")):
        yield f"type = {shown(table.get('type'))}: write x.NAME, of small letters, digits and _"
    version = table.get("version", 1)
    if type(version) is not int or not 1 <= version <= 1_000_000:
        yield f"version = {shown(version)}: write a whole number from 1 on"
    if table.get("about") not in _ABOUTS:
        yield f"about = {shown(table.get('about'))}: write one of {', '.join(_ABOUTS)}"
    if not isinstance(table.get("schema"), dict):
        yield "schema: write a JSON Schema (draft 2020-12) of the event's data, an object"
        return
    for field, message, remedy in check_values(table["schema"]):
        yield f"schema{field.removeprefix('data')}: {message}; {remedy}"


def is_declared(ledger: Ledger, declared: EventTypeDeclared) -> bool:
    """Whether the ledger holds this very declaration; raises `Conflict` where another is there."""
    held = OwnTypes(ledger).declared().get(declared.type, {}).get(declared.dataschemaversion)
    if held is not None and held != declared:
        raise DeclaredOtherwise(declared)
    return held is not None
