"""Making recorded decisions again, from the ledger alone.

A replay is identical when the canonical bytes of everything but the decision's
id and the engine agree. Where something differs, the likeliest cause is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger import Event, Ledger
from ledger.canonical import canonical
from ledger.payloads import AsOf, DecisionPayload
from ledger.registry import PAYLOAD_TYPES
from ledger.times import format_time, parse_time
from rules.decide import Digests, Judge
from runledger.config.catalog import Catalog
from runledger.deciding.decisions import OWN_FAILURE, compose
from runledger.deciding.folding import Edit
from runledger.errors import RunledgerError
from runledger.replaying.playback import Cut, Playback

COMPARED = ("kind", "question", "as_of", "policy", "fleet", "verdict", "findings", "outcome")

_sorted = msgspec.json.Encoder(order="sorted")


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
MakeCut = Callable[[DecisionPayload], Cut]


def recorded_judges(catalog: Catalog) -> Judges:
    """The judge each decision was made by, found by its digests."""

    def judge(decision: DecisionPayload) -> Judge:
        return catalog.recorded(Digests(decision.policy.digest, decision.fleet.digest))

    cache: dict[tuple[str, str], Judge] = {}

    def cached(decision: DecisionPayload) -> Judge:
        key = (decision.policy.digest, decision.fleet.digest)
        if key not in cache:
            cache[key] = judge(decision)
        return cache[key]

    return cached


def recorded_cut(decision: DecisionPayload) -> Cut:
    """Position and judging time that a decision was made at."""
    return Cut(decision.as_of.sequence, parse_time(decision.as_of.time))


def rerun(
    ledger: Ledger,
    decided: Iterable[Event],
    arms: Sequence[Judges],
    *,
    cut: MakeCut = recorded_cut,
    edit: Edit | None = None,
) -> Iterator[tuple[Rerun, ...]]:
    """Make decisions again, each in every arm, in one pass over the events.

    In the order of their cuts. ``edit`` and ``cut`` hold for all arms.
    """
    plan: list[tuple[Cut, Event, DecisionPayload, list[Judge | str]]] = []
    for event in decided:
        assert isinstance(event.data, DecisionPayload)
        judges = [_judge(arm, event.data) for arm in arms]
        plan.append((cut(event.data), event, event.data, judges))
    plan.sort(key=lambda each: each[0])
    hashes = ledger.hashes_at(
        {position for at, _, each, _ in plan for position in (at.sequence, each.as_of.sequence)}
    )
    folds = [judge.fold for *_, judges in plan for judge in judges if isinstance(judge, Judge)]
    upto = max((at.sequence for at, *_ in plan), default=0)
    playback = Playback(ledger, folds, upto=upto, edit=edit)
    for at, event, decision, judges in plan:
        if decision.as_of.sequence not in hashes:
            problem = f"no event at position {decision.as_of.sequence}"
            judges = [problem] * len(judges)
        states = playback.states(at)
        as_of = AsOf(
            sequence=at.sequence, hash=hashes.get(at.sequence, ""), time=format_time(at.at_us)
        )
        if at == recorded_cut(decision):
            as_of = msgspec.structs.replace(as_of, time=decision.as_of.time)
        made = []
        for judge in judges:
            if isinstance(judge, str):
                made.append(Rerun(event, decision, None, judge))
                continue
            try:
                draft = judge.decide(
                    decision.kind, decision.question, states[judge.fold.key], at.at_us
                )
            except Exception as error:  # what another program recorded may be no question
                made.append(Rerun(event, decision, None, f"judging failed: {error!r}"))
                continue
            again = compose(
                decision.kind, decision.question, draft, as_of, judge, decision.decision
            )
            made.append(Rerun(event, decision, again))
        yield tuple(made)


def _judge(judges: Judges, decision: DecisionPayload) -> Judge | str:
    """The judge of a decision, or why there is none."""
    try:
        return judges(decision)
    except RunledgerError as error:
        return str(error)


def replay(
    ledger: Ledger,
    catalog: Catalog,
    decided: Iterable[Event],
    progress: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Rerun decisions unchanged and compare to the byte."""
    drifted: list[Drift] = []
    count = identical = 0
    for (each,) in rerun(ledger, decided, [recorded_judges(catalog)]):
        count += 1
        progress(count)
        found = _drift(ledger, each)
        drifted += found
        identical += not found
    return Replayed(count, identical, drifted)


def different_fields(recorded: DecisionPayload, replayed: DecisionPayload) -> list[str]:
    """The fields that keep a decision made again from being identical."""
    return [
        name for name in COMPARED if not _same(getattr(recorded, name), getattr(replayed, name))
    ]


def _same(one: Any, other: Any) -> bool:
    # Equal JSON with sorted keys is equal in canonical form, too, and quicker made.
    return _sorted.encode(one) == _sorted.encode(other) or canonical(one) == canonical(other)


def _drift(ledger: Ledger, rerun: Rerun) -> list[Drift]:
    recorded, replayed = rerun.recorded, rerun.replayed
    if replayed is None:
        return [Drift(rerun.event.id, "decision", "made", "not possible", rerun.problem)]
    different = different_fields(recorded, replayed)
    if not different:
        return []
    cause = _cause(ledger, recorded, replayed)
    return [
        Drift(
            rerun.event.id,
            name,
            msgspec.to_builtins(getattr(recorded, name)),
            msgspec.to_builtins(getattr(replayed, name)),
            cause,
        )
        for name in different
    ]


def _cause(ledger: Ledger, recorded: DecisionPayload, replayed: DecisionPayload) -> str:
    if any(finding.rule == OWN_FAILURE for finding in recorded.findings):
        return "a failure of our own was recorded"
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
    stored = ledger.versions(upto=upto)
    return any(
        version < PAYLOAD_TYPES[type_].version
        for type_, version in stored
        if type_ in PAYLOAD_TYPES
    )
