"""Event types that a ledger declares itself: the declaration, and payloads of such types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta

from ledger.payloads._base import Json, Payload

OWN_PREFIX = "x."
"""Types that a ledger declares begin so; no built-in type does."""

_OWN_TYPE = re.compile(r"x\.[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*\Z")
_LONGEST = 100

OwnAbout = Literal["card", "node", "run", "study", "fleet"]
"""What the events of a declared type are about."""

_SUBJECTS: dict[str, str] = {"gpu": "card", "node": "node", "run": "run", "study": "study"}


def is_own_type(name: object) -> bool:
    """Whether a name can be that of a declared type."""
    return isinstance(name, str) and len(name) <= _LONGEST and bool(_OWN_TYPE.match(name))


def subject_is_about(subject: str) -> str:
    """What a subject is: ``card``, ``node``, ``run``, ``study``, ``fleet``, or "" for others."""
    kind, _, rest = subject.partition("/")
    return "fleet" if subject == "fleet" else _SUBJECTS.get(kind, "") if rest else ""


class EventTypeDeclared(Payload, frozen=True, kw_only=True):
    """A ledger's own event type: ``data`` of events of ``type`` is what ``schema`` says.

    ``schema`` is JSON Schema (draft 2020-12) of those with this ``dataschemaversion``;
    ``about`` is what their subjects are. A newer shape is declared again, under a
    higher version.
    """

    event_type = "event_type_declared"

    type: Annotated[
        str,
        Meta(
            max_length=_LONGEST, pattern=f"^{_OWN_TYPE.pattern}", description="x.NAME in lower case"
        ),
    ]
    about: OwnAbout
    schema: Json
    dataschemaversion: Annotated[int, Meta(ge=1, le=1_000_000)]

    def default_subject(self) -> str:
        return f"type/{self.type}"


class OwnPayload(Payload, frozen=True, kw_only=True):
    """The payload of an event of a declared type: whatever JSON object its schema allows."""

    values: Json

    def as_json(self) -> Any:
        return self.values

    def contradictions(self, subject: str) -> Iterator[tuple[str, str, str]]:
        if not subject_is_about(subject):
            yield (
                "subject",
                f"{subject!r} is nothing that events of declared types are about",
                "write gpu/NODE/PCI, node/NAME, run/ID, study/NAME or fleet",
            )
