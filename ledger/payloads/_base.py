"""The base of all payloads, and the field types they share.

A payload is the typed ``data`` of an event: a frozen msgspec struct whose
field names, units and optionality are the wire format. It is checked when the
event around it is made (see `ledger.event`), so a payload inside an event is
always valid. Units: durations in seconds, memory in MiB, temperatures in °C,
clocks in MHz, times as RFC 3339 text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from ledger.identifiers import gpu_subject, node_subject, normalize_pci
from ledger.text.characters import WITHOUT_CONTROL

Identifier = Annotated[str, Meta(min_length=1, max_length=4096, pattern=WITHOUT_CONTROL)]
"""A name that ends up in messages and paths: no control characters."""
Pci = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\Z", description="PCI address")
]
"""``dddd:bb:dd.f`` in lower case; input is completed before it is checked."""
Count = Annotated[int, Meta(ge=0, le=2**53)]
Integer = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""An integer that every JSON reader keeps exact."""
Number = int | float
"""A finite JSON number; kept an integer where it was written as one."""
Amount = Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]
"""A number that is not negative: a duration, a size, a share."""
Outcome = Literal["succeeded", "failed", "aborted"]
Json = dict[str, Any]


class Payload(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of every payload; subclasses are listed in `ledger.registry`."""

    event_type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    upcasts: ClassVar[Mapping[int, Callable[[Json], Json]]] = {}
    """From each older version the step to the next one, on the payload as a JSON object."""

    @classmethod
    def normalize(cls, data: Json) -> None:
        """Bring ``data`` (a fresh top-level copy) into the one spelling, in place.

        Values of the wrong type are left for validation to name.
        """
        complete_pci(data)

    def as_json(self) -> Any:
        """What is encoded as the event's ``data``."""
        return self

    def default_subject(self) -> str | None:
        """What the event is about, where its payload says so."""
        node, pci = getattr(self, "node", None), getattr(self, "pci", None)
        if node and pci:
            return gpu_subject(node, pci)
        return node_subject(node) if node else None

    def contradictions(self, subject: str) -> Iterator[tuple[str, str, str]]:
        """(field, what is wrong, what to do) for values that cannot stand together."""
        return iter(())


class Part(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of the objects inside payloads."""


def complete_pci(data: Json) -> None:
    """Complete the PCI address under ``pci``, if there is a recognisable one."""
    pci = data.get("pci")
    if isinstance(pci, str):
        data["pci"] = normalize_pci(pci) or pci


def complete_pci_in(data: Json, key: str) -> None:
    """Complete the PCI addresses in the list of objects under ``key``."""
    items = data.get(key)
    if isinstance(items, list):
        copies = [dict(item) if isinstance(item, dict) else item for item in items]
        for item in copies:
            if isinstance(item, dict):
                complete_pci(item)
        data[key] = copies
