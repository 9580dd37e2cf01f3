"""The event types that a ledger declares, as its events say: followed as the ledger grows."""

from __future__ import annotations

from collections.abc import Mapping

from ledger import Ledger, NotFound
from ledger.payloads import EventTypeDeclared
from rules.own.fields import Declared, Types
from rules.own.schema_fields import schema_fields

Versions = Mapping[int, EventTypeDeclared]


class OwnTypes:
    """What a ledger declares: every version of every type, the first word on each counts."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read_to = 0
        self._declared: dict[str, dict[int, EventTypeDeclared]] = {}

    def declared(self) -> dict[str, Versions]:
        """Every version of every type, by name; nothing where there is no ledger yet."""
        try:
            head = self._ledger.head().sequence
        except NotFound:
            return {}
        names = (EventTypeDeclared.event_type,)
        for event in self._ledger.read(after=self._read_to, upto=head, types=names):
            data = event.data
            assert isinstance(data, EventTypeDeclared)
            self._declared.setdefault(data.type, {}).setdefault(data.dataschemaversion, data)
        self._read_to = head
        return {name: dict(versions) for name, versions in self._declared.items()}

    def types(self) -> Types:
        """What own facts can be made from."""
        return {name: as_type(versions) for name, versions in self.declared().items()}


def as_type(versions: Versions) -> Declared:
    """A type as own facts see it: what it is about, and the fields of all its versions."""
    in_order = [versions[version] for version in sorted(versions)]
    return Declared(in_order[-1].about, schema_fields(each.schema for each in in_order))
