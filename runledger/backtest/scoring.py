"""Policies side by side: their scores over the same history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ledger import Event, Filter, Ledger
from ledger.filters import any_matches
from ledger.payloads import DecisionPayload, ExclusionsDecided
from ledger.times import format_time, parse_time
from rules.decide import Judge
from rules.kinds import DECIDED_TYPES
from rules.policy import Policy, default_policy
from runledger.backtest.answers import Answers
from runledger.backtest.best import best_of
from runledger.backtest.blocks import needless_blocks
from runledger.backtest.cards import Stretch, sitting, spans, stretches
from runledger.backtest.condition import Condition, Span, conditions
from runledger.backtest.numbers import parameters
from runledger.backtest.ranges import NONE
from runledger.backtest.runs import RunRecord, run_records
from runledger.backtest.scores import Backtest, Preflights, Scores, share
from runledger.backtest.symptoms import Card, History, read_history
from runledger.backtest.unasked import unasked
from runledger.config.catalog import Catalog
from runledger.errors import Missing
from runledger.replaying.replay import Judges, rerun


class Scope(NamedTuple):
    """What is scored: decisions within a period, and of them those that match a filter.

    Runs go with the decision that was asked about them; a run that nobody asked about, by the
    event that tells of its start. What happened before and after tells how it came out.
    """

    since_us: int | None = None
    until_us: int | None = None
    where: tuple[Filter, ...] = ()

    def holds(self, event: Event, at_us: int) -> bool:
        """Whether an event about this time is in it."""
        return (
            (self.since_us is None or at_us >= self.since_us)
            and (self.until_us is None or at_us <= self.until_us)
            and any_matches(self.where, event)
        )


EVERYTHING = Scope()


class Candidate(NamedTuple):
    """A policy to score, by the name of its row; ``settings`` are those of a sweep."""

    name: str
    policy: Policy
    settings: dict[str, str] = {}  # never changed


class _Facts(NamedTuple):
    """What really happened."""

    runs: Sequence[RunRecord]
    decided: Sequence[Event]
    history: History
    known: dict[Card, Condition]
    sat_out: dict[Card, list[Span]]
    period: Span


def backtest(
    ledger: Ledger,
    catalog: Catalog,
    policies: Sequence[Candidate],
    scope: Scope = EVERYTHING,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Backtest:
    """Score policies; the first of them is the one in force.

    Raises `Missing` where there is nothing to score.
    """
    judge = catalog.in_force(default_policy(), None)
    every = list(ledger.read(types=DECIDED_TYPES))
    decided = [event for event in every if scope.holds(event, _judged_us(event))]
    runs = _in_scope(run_records(ledger, judge.fleet), decided, scope)
    put = unasked(ledger, judge.digests.fleet, runs)
    if not decided and not put:
        raise Missing(_nothing(scope))
    answers = [Answers() for _ in policies]
    arms = [_under(catalog, each.policy) for each in policies]
    for count, made in enumerate(rerun(ledger, [*decided, *put], arms), 1):
        progress(count)
        for each, arm in zip(answers, made, strict=True):
            if arm.replayed is not None:
                each.take(arm.replayed)
    facts = _facts(ledger, judge, runs, decided, put, every, scope)
    scores = [_scores(policy, each, facts) for policy, each in zip(policies, answers, strict=True)]
    times = sorted(map(_judged_us, [*decided, *put]))
    return Backtest(
        decisions=len(decided) + len(put),
        runs=len(runs),
        since=format_time(times[0]),
        until=format_time(times[-1]),
        in_force=policies[0].name,
        policies=scores,
        best=best_of(scores),
    )


def _nothing(scope: Scope) -> str:
    if scope == EVERYTHING:
        return "no decision and no run in this ledger: there is nothing to backtest"
    return "no decision and no run in that period that matches: there is nothing to backtest"


def _judged_us(event: Event) -> int:
    assert isinstance(event.data, DecisionPayload)
    return parse_time(event.data.as_of.time)


def _in_scope(runs: list[RunRecord], decided: list[Event], scope: Scope) -> list[RunRecord]:
    """The runs that go with the decisions chosen, and the matching ones that nobody asked about."""
    chosen = {event.data.decision for event in decided}  # type: ignore[attr-defined]
    return [
        run
        for run in runs
        if (
            run.preflight.decision in chosen
            if run.preflight is not None
            else run.start is not None and scope.holds(run.start, run.started_us)
        )
    ]


def _facts(
    ledger: Ledger,
    judge: Judge,
    runs: list[RunRecord],
    decided: list[Event],
    put: list[Event],
    every: list[Event],
    scope: Scope,
) -> _Facts:
    history = read_history(ledger, default_policy(), judge.fleet)
    times = [_judged_us(event) for event in (*decided, *put)]
    ends = max(times) if scope.until_us is None else scope.until_us
    until_us = min(max(ends, history.until_us), 2**62 if scope.until_us is None else ends)
    since_us = -(2**62) if scope.since_us is None else scope.since_us
    recorded = (event.data for event in every if isinstance(event.data, ExclusionsDecided))
    sat_out = spans(stretches(recorded, max(until_us, history.until_us)))
    known = conditions(history, sat_out)
    return _Facts(runs, decided, history, known, sat_out, (since_us, until_us))


def _scores(candidate: Candidate, answers: Answers, facts: _Facts) -> Scores:
    would = stretches(answers.exclusions, facts.period[1])
    within_s = candidate.policy.backtest.needless_within_s
    return Scores(
        policy=candidate.name,
        settings=candidate.settings,
        preflight=_preflights(answers, facts, would, within_s),
        exclusions=sitting(would, facts.sat_out, facts.history, facts.known, facts.period),
        parameters=parameters(facts.runs, facts.decided, answers),
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


def _preflights(
    answers: Answers, facts: _Facts, would: list[Stretch], within_s: float
) -> Preflights:
    knowable: list[tuple[RunRecord, bool]] = []
    unforeseeable: list[tuple[RunRecord, bool]] = []
    successes: list[tuple[RunRecord, bool]] = []
    unknown = censored = unsupported = 0
    kept_off = NONE
    for run in facts.runs:
        block = None if run.preflight is None else answers.blocked.get(run.preflight.decision)
        if run.fate == "failed" and not block:
            off = run.kept_off(_out_for(run, answers, would))
            kept_off = kept_off.plus(sure=off.low, perhaps=off.high - off.low)
        if run.fate == "censored":
            censored += 1
            unknown += bool(block)
        elif block is None or run.fate == "unknown":
            unsupported += 1
            unknown += bool(block)
        elif run.fate == "succeeded":
            successes.append((run, block))
        elif run.causes:
            knowable.append((run, block))
        elif run.later:
            unforeseeable.append((run, block))
        else:
            unsupported += 1
            unknown += block
    failed = [*knowable, *unforeseeable]
    lost = sum(block for _, block in successes)
    return Preflights(
        runs=len(facts.runs),
        knowable=len(knowable),
        blocked_failures=sum(block for _, block in knowable),
        hours_saved=_hours(knowable),
        unforeseeable=len(unforeseeable),
        blocked_unforeseeable=sum(block for _, block in unforeseeable),
        kept_off=kept_off,
        prevented=kept_off.plus(sure=sum(block for _, block in failed), perhaps=unknown),
        successes=len(successes),
        blocked_successes=lost,
        hours_lost=_hours(successes),
        lost=NONE.plus(sure=lost, perhaps=unknown),
        blocks=len(answers.blocks),
        needless=needless_blocks(answers.blocks, facts.history, facts.known, within_s),
        censored=censored,
        unsupported=unsupported,
        unsupported_share=share(unsupported, len(facts.runs)),
    )


def _out_for(run: RunRecord, answers: Answers, would: list[Stretch]) -> set[Card]:
    """The cards that a run would have done without."""
    out = {each.card for each in would if each.from_us <= run.started_us < each.to_us}
    if run.preflight is not None:
        out |= answers.without.get(run.preflight.decision, frozenset())
    return out


def _hours(blocked: Iterable[tuple[RunRecord, bool]]) -> float:
    return round(sum(run.hours for run, block in blocked if block), 1)
