"""What may be recorded from outside: what was observed, said or configured, never what was judged.

A ledger of our own making is appended to directly; a restored one keeps what it
held. Everything else that comes in (`record`, a program's own events, what
waited in a spool) passes here. An event that is stored already may come again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ledger import Event, InvalidEvents, Ledger, NotFound, Problem
from ledger.canonical import digest
from ledger.payloads import DecisionPayload, FleetConfigured, PolicyActivated, WitnessRead
from rules.fleet import InvalidFleet, parse_fleet
from rules.policy import InvalidPolicy, parse_policy
from runledger.intake.own_events import own_problems

Lines = Sequence[tuple[str, int]]
"""For each event the file it came from and its line there."""


def admit(ledger: Ledger, events: Sequence[Event], lines: Lines = ()) -> None:
    """Raise `InvalidEvents`, naming every event that may not be recorded."""
    own = own_problems(ledger, events)
    doubtful = [
        (at, found) for at, event in enumerate(events) if (found := _wrong(event) + own.get(at, []))
    ]
    if not doubtful:
        return
    held = _held(ledger, [events[at].id for at, _ in doubtful])
    problems = []
    for at, found in doubtful:
        if events[at].id not in held:
            file, line = lines[at] if lines else ("", at + 1 if len(events) > 1 else 0)
            problems += [replace(each, file=file, line=line) for each in found]
    if problems:
        raise InvalidEvents(problems)


def _held(ledger: Ledger, ids: Sequence[str]) -> set[str]:
    try:
        return ledger.held(ids)
    except NotFound:  # no ledger yet: it holds nothing
        return set()


def _wrong(event: Event) -> list[Problem]:
    data = event.data
    if isinstance(data, DecisionPayload):
        remedy = "ask for one, as in `runledger preflight`; `runledger restore` keeps those of old"
        return [Problem("type", "decisions are made, not recorded", remedy)]
    if isinstance(data, WitnessRead):
        remedy = "let `runledger probe` ask the witness"
        return [Problem("type", "what a witness says is read, not recorded", remedy)]
    if isinstance(data, PolicyActivated | FleetConfigured):
        return list(_wrong_text(data))
    return []


def _wrong_text(data: PolicyActivated | FleetConfigured) -> Iterator[Problem]:
    actual = digest(data.text.encode())
    if data.digest != actual:
        yield Problem("data.digest", "not that of the text", f"write its SHA-256, {actual}")
    try:
        if isinstance(data, PolicyActivated):
            parse_policy(data.text, name=data.name)
        else:
            parse_fleet(data.text)
    except (InvalidPolicy, InvalidFleet) as error:
        for problem in error.problems:
            yield Problem("data.text", problem, "give a text that `runledger` can be run with")
