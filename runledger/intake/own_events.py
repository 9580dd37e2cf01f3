"""Events of types that a ledger declares, and the declarations: what may be recorded of them.

A declaration counts from its place on: it may come in the same batch as events
of its type, before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger import Event, Ledger, Problem
from ledger.event_checks import nearest
from ledger.payloads import EventTypeDeclared, OwnPayload, subject_is_about
from runledger.config.own_types import OwnTypes, Versions
from runledger.intake.schemas import payload_problems, schema_problems

_ADD = "declare it with `runledger types add FILE`"


def own_problems(ledger: Ledger, events: Sequence[Event]) -> dict[int, list[Problem]]:
    """What is wrong with such events, by their place in a batch."""
    if not any(isinstance(each.data, OwnPayload | EventTypeDeclared) for each in events):
        return {}
    known = OwnTypes(ledger).declared()
    found: dict[int, list[Problem]] = {}
    for at, event in enumerate(events):
        data = event.data
        if isinstance(data, EventTypeDeclared):
            problems = list(declaration_problems(data, known.get(data.type, {})))
            if not problems:
                known[data.type] = {**known.get(data.type, {}), data.dataschemaversion: data}
        elif isinstance(data, OwnPayload):
            problems = list(_event_problems(event, data, known))
        else:
            continue
        if problems:
            found[at] = problems
    return found


def declaration_problems(data: EventTypeDeclared, versions: Versions) -> Iterator[Problem]:
    """What is wrong with declaring a type, where these versions of it are declared already."""
    for said in schema_problems(data.schema):
        field, _, message = said.partition(": ")
        yield Problem(f"data.{field}", message, "write JSON Schema, draft 2020-12")
    if not versions:
        return
    newest = max(versions)
    if data.about != versions[newest].about:
        about = versions[newest].about
        yield Problem("data.about", f"{data.type} is about a {about}", f"write {about}")
    if data.dataschemaversion <= newest and versions.get(data.dataschemaversion) != data:
        yield Problem(
            "data.dataschemaversion",
            f"version {newest} of {data.type} is declared already",
            f"give a newer shape the version {newest + 1}",
        )


def _event_problems(
    event: Event, data: OwnPayload, known: dict[str, Versions]
) -> Iterator[Problem]:
    versions = known.get(event.type)
    if versions is None:
        meant = f", or did you mean {nearest(event.type, known)}?" if known else ""
        yield Problem("type", f"unknown event type {event.type!r}", f"{_ADD}{meant}")
        return
    declared = versions.get(event.dataschemaversion)
    if declared is None:
        written = ", ".join(map(str, sorted(versions)))
        yield Problem(
            "dataschemaversion",
            f"version {event.dataschemaversion} of {event.type} is not declared",
            f"write one that is ({written}), or {_ADD}",
        )
        return
    about = subject_is_about(event.subject)
    if about != declared.about:
        example = _EXAMPLES[declared.about]
        yield Problem("subject", f"{event.subject!r} is no {declared.about}", f"write {example}")
    for field, message in payload_problems(declared.schema, data.values):
        yield Problem(field, message, f"see: runledger types list {event.type}")


_EXAMPLES = {
    "card": "gpu/NODE/PCI",
    "node": "node/NAME",
    "run": "run/ID",
    "study": "study/NAME",
    "fleet": "fleet",
}
