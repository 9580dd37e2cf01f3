"""Making recorded decisions again, from the ledger alone.

A replay is identical when the canonical bytes of everything but the decision's
id and the engine agree. Where something differs, the likeliest cause is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from ledger import Event, Ledger, LedgerError
from ledger.canonical import canonical
from ledger.database import translated
from ledger.payloads import AsOf, DecisionPayload
from ledger.registry import PAYLOAD_TYPES
from ledger.sql import events
from ledger.times import parse_time
from rules.decide import Judge
from runledger.catalog import Catalog
from runledger.deciding import compose
from runledger.errors import RunledgerError
from runledger.history import Edit, History

DECIDED_TYPES = ("preflight_decided", "exclusions_decided", "parameters_decided")
COMPARED = ("kind", "question", "as_of", "policy", "fleet", "verdict", "findings", "outcome")


class Drift(NamedTuple):
    """One field in which a replay differs, and why."""

    decision: str
    field: str
    recorded: Any
    replayed: Any
    cause: str


class Replayed(NamedTuple):
    """How a replay went."""

    decisions: int
    identical: int
    drifted: list[Drift]


class Rerun(NamedTuple):
    """A decision and what came out when it was made again (or why it could not be)."""

    event: Event
    recorded: DecisionPayload
    replayed: DecisionPayload | None
    problem: str = ""


Judges = Callable[[DecisionPayload], Judge]
Cut = Callable[[DecisionPayload], tuple[int, int]]


def recorded_judges(catalog: Catalog) -> Judges:
    """The judge each decision was made by, found by its digests."""

    def judge(decision: DecisionPayload) -> Judge:
        policy = catalog.policy(decision.policy.digest)
        return catalog.judge(policy, catalog.fleet(decision.fleet.digest))

    cache: dict[tuple[str, str], Judge] = {}

    def cached(decision: DecisionPayload) -> Judge:
        key = (decision.policy.digest, decision.fleet.digest)
        if key not in cache:
            cache[key] = judge(decision)
        return cache[key]

    return cached


def recorded_cut(decision: DecisionPayload) -> tuple[int, int]:
    """Position and judging time that a decision was made at."""
    return decision.as_of.sequence, parse_time(decision.as_of.time)


def rerun(
    ledger: Ledger,
    decided: Iterable[Event],
    judges: Judges,
    *,
    cut: Cut = recorded_cut,
    edit: Edit | None = None,
) -> Iterator[Rerun]:
    """Make decisions again, each fold in one pass over the events it needs."""
    histories: dict[str, History] = {}
    plan: list[tuple[tuple[int, int], Event, DecisionPayload]] = []
    for event in decided:
        assert isinstance(event.data, DecisionPayload)
        plan.append((cut(event.data), event, event.data))
    for (sequence, at_us), event, decision in sorted(plan, key=lambda each: each[0]):
        try:
            judge = judges(decision)
            history = histories.get(judge.fold.key)
            if history is None:
                history = History(ledger, judge.fold, persist=False, edit=edit)
                histories[judge.fold.key] = history
            state = history.state_at(sequence, at_us)
            draft = judge.decide(decision.kind, decision.question, state, at_us)
            as_of = AsOf(
                sequence=decision.as_of.sequence,
                hash=ledger.hash_at(decision.as_of.sequence),
                time=decision.as_of.time,
            )
            again = compose(
                decision.kind, decision.question, draft, as_of, judge, decision.decision
            )
        except (LedgerError, RunledgerError) as error:
            yield Rerun(event, decision, None, str(error))
            continue
        yield Rerun(event, decision, again)


def replay(
    ledger: Ledger,
    catalog: Catalog,
    decided: Iterable[Event],
    progress: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Rerun decisions unchanged and compare to the byte."""
    drifted: list[Drift] = []
    count = identical = 0
    for each in rerun(ledger, decided, recorded_judges(catalog)):
        count += 1
        progress(count)
        found = _drift(ledger, each)
        drifted += found
        identical += not found
    return Replayed(count, identical, drifted)


def _drift(ledger: Ledger, rerun: Rerun) -> list[Drift]:
    recorded, replayed = rerun.recorded, rerun.replayed
    if replayed is None:
        return [Drift(recorded.decision, "decision", "made", "not possible", rerun.problem)]
    different = [
        name
        for name in COMPARED
        if canonical(getattr(recorded, name)) != canonical(getattr(replayed, name))
    ]
    if not different:
        return []
    cause = _cause(ledger, recorded, replayed)
    return [
        Drift(
            recorded.decision,
            name,
            msgspec.to_builtins(getattr(recorded, name)),
            msgspec.to_builtins(getattr(replayed, name)),
            cause,
        )
        for name in different
    ]


def _cause(ledger: Ledger, recorded: DecisionPayload, replayed: DecisionPayload) -> str:
    if canonical(recorded.as_of) != canonical(replayed.as_of):
        return "the ledger is not the one it was made on"
    if recorded.engine.rules != replayed.engine.rules:
        return "rules changed"
    if _upgraded(ledger, recorded.as_of.sequence):
        return "event upgraded"
    if recorded.engine.version != replayed.engine.version:
        return "engine version"
    return "not deterministic"


def _upgraded(ledger: Ledger, upto: int) -> bool:
    """Whether events are now read in a newer shape than they were stored in."""
    with translated("reading"), ledger.engine.connect() as connection:
        stored = connection.execute(
            select(events.c.type, events.c.dataschemaversion)
            .where(events.c.sequence <= upto)
            .distinct()
        ).fetchall()
    return any(version < PAYLOAD_TYPES[type_].version for type_, version in stored)
