"""How long cards would have sat out, and what that would have spared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from ledger.payloads import DecisionPayload
from ledger.times import SECOND_US, parse_time
from rules.ladder import SITS_OUT
from runledger.backtest.condition import Condition, Span
from runledger.backtest.ranges import NONE, Range
from runledger.backtest.symptoms import Card, CardHistory, FailedJob, History
from runledger.replaying.totals import STANDS_FOR_US

_HOUR_US = 3600 * SECOND_US


class Stretch(NamedTuple):
    """A card sitting out from one time to another; ``goes_on``: it did so when last asked about."""

    card: Card
    from_us: int
    to_us: int
    goes_on: bool = False


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """The score of exclusions; hours are GPU-hours.

    ``spared``: the incidents of a card while it would sit out. ``jobs_spared``: the failed
    jobs that would not have run on the card they failed on; a job that failed of its own
    program is none of ``failed_jobs``. ``exclusions`` began on a card, ``wrong`` of them on
    one that was well. ``hours_out`` were ``bad_hours`` or ``quiet_hours``, and of
    ``unknown_hours`` nobody knows: they may be either. ``censored_hours`` are those that the
    card sat out in reality, too.
    """

    incidents: int
    spared: int
    failed_jobs: int
    jobs_spared: Range
    exclusions: int
    wrong: Range
    hours_out: float
    bad_hours: Range
    quiet_hours: Range
    unknown_hours: float
    censored_hours: float


def stretches(decisions: Iterable[DecisionPayload], until_us: int) -> list[Stretch]:
    """When each card sat out, by decisions; whatever order they come in, their times count.

    A decision speaks until the next one, but for a day at most, as in a what-if: nobody
    knows what would have been decided while nobody asked.
    """
    begun: dict[Card, tuple[int, bool]] = {}
    found: list[Stretch] = []

    def end(card: Card, at_us: int) -> None:
        since_us, goes_on = begun.pop(card)
        found.append(Stretch(card, since_us, max(since_us, at_us), goes_on))

    timed = [(parse_time(decision.as_of.time), decision) for decision in decisions]
    ends_us = until_us
    for at_us, decision in sorted(timed, key=lambda each: each[0]):
        out, before = cards_out(decision), set(begun)
        for card in before if ends_us < at_us else before - out:
            end(card, min(at_us, ends_us))
        for card in out - set(begun):
            begun[card] = (at_us, card in before)
        ends_us = at_us + STANDS_FOR_US
    for card in list(begun):
        end(card, min(until_us, ends_us))
    return sorted(found, key=lambda each: (each.from_us, each.card))


def cards_out(decision: DecisionPayload) -> set[Card]:
    """The cards that sit out by an exclusion decision."""
    return {
        (gpu["node"], gpu["pci"])
        for gpu in decision.outcome.get("gpus", ())
        if gpu["state"] in SITS_OUT
    }


def spans(out: Iterable[Stretch]) -> dict[Card, list[Span]]:
    """Stretches by card."""
    found: dict[Card, list[Span]] = {}
    for each in out:
        found.setdefault(each.card, []).append((each.from_us, each.to_us))
    return found


def sitting(
    would: list[Stretch],
    really: dict[Card, list[Span]],
    history: History,
    known: dict[Card, Condition],
    period: Span,
) -> Sitting:
    """Score the stretches that a policy would have made within a period."""
    spared = exclusions = 0
    hours = bad = unknown = censored = 0.0
    wrong = NONE
    for each in would:
        shown, condition = history.card(each.card), known.get(each.card)
        spared += sum(each.from_us < at <= each.to_us for at in shown.incidents)
        hours += _hours(each.from_us, each.to_us)
        censored += _shared(each, really.get(each.card, []))
        if condition is not None:
            found = condition.during(each.from_us, each.to_us)
            bad += found.bad_us / _HOUR_US
            unknown += found.unknown_us / _HOUR_US
        if not each.goes_on:
            exclusions += 1
            state = "quiet" if condition is None else condition.at(each.from_us)
            wrong = wrong.plus(sure=state == "quiet", perhaps=state == "unknown")
    failed = [job for job in history.failed if period[0] <= job.at_us <= period[1]]
    return Sitting(
        incidents=sum(
            period[0] <= at <= period[1] for card in history.cards.values() for at in card.incidents
        ),
        spared=spared,
        failed_jobs=len(failed),
        jobs_spared=_jobs_spared(failed, spans(would), history),
        exclusions=exclusions,
        wrong=wrong,
        hours_out=round(hours, 1),
        bad_hours=Range(round(bad, 1), round(bad + unknown, 1)),
        quiet_hours=Range(
            round(max(0.0, hours - bad - unknown), 1), round(max(0.0, hours - bad), 1)
        ),
        unknown_hours=round(unknown, 1),
        censored_hours=round(censored, 1),
    )


def _jobs_spared(failed: list[FailedJob], out: dict[Card, list[Span]], history: History) -> Range:
    """The jobs that would have run elsewhere.

    Surely where the job began after its card was out and failed of an incident of the
    card; perhaps where nobody knows on which card of the node it was, when it began, or
    what it failed of.
    """
    spared = NONE
    caused_us = round(history.gpu.crash_link_s * SECOND_US)
    nodes: dict[str, list[Span]] = {}
    for card, sat in out.items():
        nodes.setdefault(card[0], []).extend(sat)
    for job in failed:
        where = nodes.get(job.node, []) if job.card is None else out.get(job.card, [])
        within = [span for span in where if span[0] < job.at_us <= span[1]]
        if not within:
            continue
        sure = (
            job.card is not None
            and job.after_us is not None
            and any(from_us <= job.after_us for from_us, _ in within)
            and _failed_of_it(job, history.card(job.card), caused_us)
        )
        spared = spared.plus(sure=sure, perhaps=not sure)
    return spared


def _failed_of_it(job: FailedJob, card: CardHistory, caused_us: int) -> bool:
    return any(abs(at - job.at_us) <= caused_us for at in card.incidents) or any(
        each.from_us <= job.at_us <= each.last_us for each in card.down
    )


def _shared(each: Stretch, spans: list[Span]) -> float:
    return sum(
        _hours(max(each.from_us, from_us), min(each.to_us, to_us)) for from_us, to_us in spans
    )


def _hours(from_us: int, to_us: int) -> float:
    return max(0, to_us - from_us) / _HOUR_US
