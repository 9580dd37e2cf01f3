"""What today's rules judge otherwise: the newest decision on each question, made again.

For whoever upgrades: the decisions are made at the position and time that they
were made at, by the policy and fleet of then, so that only the rules differ.
Reads events alone, of whatever schema, and writes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ledger import Ledger
from ledger.canonical import canonical
from ledger.payloads import DecisionPayload
from rules.kinds import DECIDED_TYPES
from runledger.config.catalog import Catalog
from runledger.replaying.replay import Rerun, recorded_judges, rerun
from runledger.replaying.whatif import effect

_IN_USE = "ok"
"""The state of a card that exclusions do not list."""


class Otherwise(NamedTuple):
    """One thing that is judged otherwise: a card's state, or a step's or a question's verdict."""

    subject: str
    before: str
    after: str


class Preview(NamedTuple):
    """How many decisions were made again, what is judged otherwise, and what could not be judged.

    ``cards`` are by ``gpu/NODE/PCI`` and their state, ``steps`` by name and
    verdict; ``others`` are proposals and parameters.
    """

    decisions: int
    cards: list[Otherwise]
    steps: list[Otherwise]
    others: list[Otherwise]
    problems: dict[str, str]


def preview(ledger: Ledger) -> Preview:
    """Make the newest decision on each question again, by today's rules."""
    newest: dict[bytes, Any] = {}
    for event in ledger.read(types=DECIDED_TYPES, order="time"):
        data = event.data
        assert isinstance(data, DecisionPayload)
        newest[_question(data)] = event
    found = Preview(len(newest), [], [], [], {})
    for (each,) in rerun(ledger, newest.values(), [recorded_judges(Catalog(ledger))]):
        _compare(each, found)
    return found


def _question(data: DecisionPayload) -> bytes:
    """What was asked, the run aside: each run asks the same of a step."""
    question = {key: value for key, value in data.question.items() if key != "run"}
    return canonical([data.kind, question])


def _compare(each: Rerun, found: Preview) -> None:
    before, after = each.recorded, each.replayed
    if after is None:
        found.problems[each.event.id] = each.problem
    elif before.kind == "exclusions":
        old, new = _states(before), _states(after)
        for card in sorted(old.keys() | new.keys()):
            states = old.get(card, _IN_USE), new.get(card, _IN_USE)
            if states[0] != states[1]:
                found.cards.append(Otherwise(card, *states))
    elif effect(before) != effect(after):
        told = found.steps if before.kind == "preflight" else found.others
        subject = str(before.question.get("step") or before.question.get("study") or before.kind)
        told.append(Otherwise(subject, _said(before), _said(after)))


def _states(data: DecisionPayload) -> dict[str, str]:
    return {f"gpu/{gpu['node']}/{gpu['pci']}": gpu["state"] for gpu in data.outcome["gpus"]}


def _said(data: DecisionPayload) -> str:
    """A verdict, and by which findings or numbers."""
    if data.kind == "preflight":
        rules = sorted({each.rule for each in data.findings if each.severity not in ("info",)})
        return f"{data.verdict} ({', '.join(rules)})" if rules else data.verdict
    asked = (data.outcome.get("trials"), data.outcome.get("seed_count"))
    return f"{data.verdict} ({asked[0]} trials, {asked[1]} seeds)" if asked[0] else data.verdict
