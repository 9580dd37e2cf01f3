"""Policies side by side: their scores over the same history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ledger import Event, Ledger, new_event
from ledger.canonical import GENESIS
from ledger.identifiers import new_event_id
from ledger.payloads import (
    AsOf,
    DecisionPayload,
    EngineRef,
    ExclusionsDecided,
    FleetRef,
    ParametersDecided,
    PolicyRef,
    PreflightDecided,
)
from ledger.times import format_time, parse_time
from rules.decide import Judge
from rules.kinds import DECIDED_TYPES, MAY_START
from rules.kinds.preflight import no_node
from rules.policy import Policy, default_policy
from runledger.backtest.cards import Sitting, incidents, sitting, stretches
from runledger.backtest.runs import RunRecord, run_records
from runledger.config.catalog import Catalog
from runledger.errors import Missing
from runledger.replaying.replay import Judges, rerun
from runledger.version import __version__


class Preflights(msgspec.Struct, frozen=True, kw_only=True):
    """The score of preflights; hours are those of whole runs.

    ``knowable`` runs failed for a cause that had shown before they started.
    ``censored`` runs were blocked in reality and have no outcome; runs are
    ``unsupported`` where no step, no end or no cause is on record.
    """

    runs: int
    knowable: int
    blocked_failures: int
    hours_saved: float
    unforeseeable: int
    blocked_unforeseeable: int
    successes: int
    blocked_successes: int
    hours_lost: float
    censored: int
    unsupported: int
    unsupported_share: float


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The score of parameters, where what the policy says is what was run next.

    ``worked`` of the ``supported`` found survivors. What was never run is
    ``unsupported``: nobody knows how it would have done.
    """

    decisions: int
    supported: int
    worked: int
    unsupported: int
    unsupported_share: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's scores."""

    policy: str
    preflight: Preflights
    exclusions: Sitting
    parameters: Parameters


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """All policies over one history."""

    decisions: int
    runs: int
    since: str | None
    until: str | None
    policies: list[Scores]


class _Answers:
    """What one policy answers to every recorded question."""

    def __init__(self) -> None:
        self.blocks: dict[str, bool] = {}
        self.exclusions: list[ExclusionsDecided] = []
        self.numbers: dict[str, tuple[int, int]] = {}

    def take(self, answer: DecisionPayload) -> None:
        outcome = answer.outcome
        if isinstance(answer, PreflightDecided) and "run" in answer.question:
            self.blocks[answer.decision] = answer.verdict not in MAY_START
        elif isinstance(answer, ExclusionsDecided):
            self.exclusions.append(answer)
        elif isinstance(answer, ParametersDecided) and "proposal" not in answer.question:
            self.numbers[answer.decision] = (outcome["trials"], outcome["seed_count"])


def backtest(
    ledger: Ledger,
    catalog: Catalog,
    policies: Sequence[tuple[str, Policy]],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Backtest:
    """Score policies, each with a name; raises `Missing` where there is nothing to score."""
    judge = catalog.in_force(default_policy(), None)
    fleet = judge.fleet
    runs = run_records(ledger, fleet)
    decided = list(ledger.read(types=DECIDED_TYPES))
    decided += _unasked(ledger, judge.digests.fleet, runs)
    if not decided:
        raise Missing("no decision and no run in this ledger: there is nothing to backtest")
    arms = [_under(catalog, policy) for _, policy in policies]
    answers = [_Answers() for _ in policies]
    really: list[ExclusionsDecided] = []
    for count, made in enumerate(rerun(ledger, decided, arms), 1):
        progress(count)
        if made and isinstance(made[0].recorded, ExclusionsDecided):
            really.append(made[0].recorded)
        for each, arm in zip(answers, made, strict=True):
            if arm.replayed is not None:
                each.take(arm.replayed)
    times = sorted(parse_time(event.data.as_of.time) for event in decided)  # type: ignore[attr-defined]
    begun = incidents(ledger, default_policy(), fleet)
    until_us = max([times[-1], *(at for each in begun.values() for at in each)])
    sat_out = stretches(really, until_us)
    scores = [
        Scores(
            policy=name,
            preflight=_preflights(runs, each),
            exclusions=sitting(stretches(each.exclusions, until_us), sat_out, begun),
            parameters=_parameters(runs, decided, each),
        )
        for (name, _), each in zip(policies, answers, strict=True)
    ]
    return Backtest(
        decisions=len(decided),
        runs=len(runs),
        since=format_time(times[0]),
        until=format_time(times[-1]),
        policies=scores,
    )


def _under(catalog: Catalog, policy: Policy) -> Judges:
    """The judge of a policy, with the fleet that each decision was made on."""
    made: dict[str, Judge] = {}

    def judge(decision: DecisionPayload) -> Judge:
        digest = decision.fleet.digest
        if digest not in made:
            made[digest] = catalog.judge(policy, catalog.fleet(digest), recorded_fleet=digest)
        return made[digest]

    return judge


def _unasked(ledger: Ledger, fleet: str, runs: Iterable[RunRecord]) -> list[Event]:
    """The question for each run that started without anyone asking, at the moment it did."""
    asked: list[Event] = []
    for run in runs:
        if run.preflight is not None or not run.started_us or run.step is None:
            continue
        question: dict[str, Any] = {"step": run.step, "run": run.id}
        if run.trials is not None:
            question["trials"] = run.trials
        if run.seed_count is not None:
            question["seed_count"] = run.seed_count
        run.preflight = _question(ledger, question, run.started_us, fleet)
        asked.append(
            new_event(run.preflight, time_us=run.started_us, source="backtest", subject="fleet")
        )
    return asked


def _question(ledger: Ledger, question: dict[str, Any], at_us: int, fleet: str) -> PreflightDecided:
    head = ledger.head()
    return PreflightDecided(
        decision=new_event_id(),
        kind="preflight",
        question=question,
        as_of=AsOf(sequence=head.sequence, hash=head.hash, time=format_time(at_us)),
        policy=PolicyRef(name="nobody asked", digest=GENESIS),
        fleet=FleetRef(digest=fleet),
        engine=EngineRef(version=__version__, rules=GENESIS),
        verdict="unknown",
        findings=(),
        outcome=no_node(),
    )


def _preflights(runs: Sequence[RunRecord], answers: _Answers) -> Preflights:
    knowable: list[tuple[RunRecord, bool]] = []
    unforeseeable: list[tuple[RunRecord, bool]] = []
    successes: list[tuple[RunRecord, bool]] = []
    censored = unsupported = 0
    for run in runs:
        block = None if run.preflight is None else answers.blocks.get(run.preflight.decision)
        if run.fate == "censored":
            censored += 1
        elif block is None or run.fate == "unknown":
            unsupported += 1
        elif run.fate == "succeeded":
            successes.append((run, block))
        elif run.causes:
            knowable.append((run, block))
        elif run.later:
            unforeseeable.append((run, block))
        else:
            unsupported += 1
    return Preflights(
        runs=len(runs),
        knowable=len(knowable),
        blocked_failures=sum(block for _, block in knowable),
        hours_saved=_hours(knowable),
        unforeseeable=len(unforeseeable),
        blocked_unforeseeable=sum(block for _, block in unforeseeable),
        successes=len(successes),
        blocked_successes=sum(block for _, block in successes),
        hours_lost=_hours(successes),
        censored=censored,
        unsupported=unsupported,
        unsupported_share=_share(unsupported, len(runs)),
    )


def _hours(blocked: Iterable[tuple[RunRecord, bool]]) -> float:
    return round(sum(run.hours for run, block in blocked if block), 1)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def _parameters(
    runs: Sequence[RunRecord], decided: Sequence[Event], answers: _Answers
) -> Parameters:
    """Compare with the first run of the study that started at or after each decision."""
    started = sorted((run for run in runs if run.started_us), key=lambda run: run.started_us)
    asked = supported = worked = 0
    for event in decided:
        decision = event.data
        assert isinstance(decision, DecisionPayload)
        numbers = answers.numbers.get(decision.decision)
        if numbers is None:
            continue
        asked += 1
        study = decision.question.get("study")
        run = next(
            (
                run
                for run in started
                if run.started_us >= event.time_us and study in (None, run.study)
            ),
            None,
        )
        if run is None or run.survivors is None or (run.trials, run.seed_count) != numbers:
            continue
        supported += 1
        worked += run.survivors > 0
    return Parameters(
        decisions=asked,
        supported=supported,
        worked=worked,
        unsupported=asked - supported,
        unsupported_share=_share(asked - supported, asked),
    )
