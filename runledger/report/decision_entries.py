"""Decisions as recorded; the same verdict for the same reasons, again and again, is one entry."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger import Event
from ledger.payloads import DecisionPayload, Finding
from rules.kinds import PARAMETERS, PREFLIGHT, Kind
from runledger.kinds import SHOWN
from runledger.report.phrases import fine, spoken

LEADING_TO_RUNS: tuple[Kind, ...] = (PREFLIGHT, PARAMETERS)
"""What a run may have followed."""

_GROUPS_KEPT = 5_000


@dataclass(slots=True)
class Verdict:
    """A decision that was made ``count`` times in a row with the same result.

    ``decision`` is the newest of them; ``number`` names it on the page.
    """

    number: int
    decision: DecisionPayload
    first_us: int
    last_us: int
    count: int = 1

    @property
    def kind(self) -> str:
        """Its kind's name."""
        return self.decision.kind

    @property
    def verdict(self) -> str:
        """What was decided."""
        return self.decision.verdict

    @property
    def telling(self) -> tuple[Finding, ...]:
        """The findings that someone should read."""
        return tuple(each for each in self.decision.findings if each.severity != "info")

    @property
    def asks(self) -> bool:
        """Whether it says something that someone should read."""
        return not fine(self.verdict) or bool(self.telling)


class Made(NamedTuple):
    """A decision that a run may have followed; ``number`` is its `Verdict` on the page, if any."""

    time_us: int
    decision: DecisionPayload
    number: int | None


class Decisions:
    """All decisions of a report, grouped; and the newest of each question."""

    def __init__(self) -> None:
        self.groups: list[Verdict] = []
        self.dropped = 0
        self.total = 0
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.made: dict[str, deque[Made]] = {
            kind.name: deque(maxlen=_GROUPS_KEPT) for kind in LEADING_TO_RUNS
        }
        self._newest: dict[tuple[Any, ...], Verdict] = {}

    def take(self, event: Event, decision: DecisionPayload) -> bool:
        """Take a decision; returns whether it differs from the one before on its question."""
        self.total += 1
        self.verdicts[decision.kind, decision.verdict] += 1
        lane = lane_of(decision)
        newest = self._newest.get(lane)
        if newest is not None and _result(newest.decision) == _result(decision):
            newest.count += 1
            newest.last_us = event.time_us
            newest.decision = decision
            self.remember(event.time_us, decision, newest.number)
            return False
        if len(self.groups) >= _GROUPS_KEPT:
            self.dropped += 1
            return False
        group = Verdict(len(self.groups) + 1, decision, event.time_us, event.time_us)
        self.groups.append(group)
        self._newest[lane] = group
        self.remember(event.time_us, decision, group.number)
        return True

    def remember(self, time_us: int, decision: DecisionPayload, number: int | None = None) -> None:
        """Keep what may explain how a run was sized, or whether it should have started."""
        if decision.kind in self.made:
            self.made[decision.kind].append(Made(time_us, decision, number))

    def newest(self, kind: Kind) -> list[Verdict]:
        """The newest decision of a kind on each question, newest first."""
        found = [each for lane, each in self._newest.items() if lane[0] == kind.name]
        return sorted(found, key=lambda each: each.last_us, reverse=True)


def lane_of(decision: DecisionPayload) -> tuple[Any, ...]:
    """What makes two decisions answers to the same question."""
    asked = decision.question
    return decision.kind, str(asked.get("step", "")), str(asked.get("study", ""))


def told_briefly(decision: DecisionPayload) -> str:
    """``preflight, step 1: no-go: 2 findings``, or the numbers that were decided."""
    step = decision.question.get("step")
    about = decision.kind if step is None else f"{decision.kind}, step {step}"
    told = f"{about}: {spoken(decision.verdict)}"
    numbers = SHOWN[decision.kind].numbers(decision.outcome)
    if numbers:
        return f"{told}, {numbers}"
    telling = [each for each in decision.findings if each.severity != "info"]
    if not telling:
        return told
    more = f" (and {len(telling) - 1} more)" if len(telling) > 1 else ""
    return f"{told}, {telling[0].message}{more}"


def _result(decision: DecisionPayload) -> tuple[Any, ...]:
    outcome = decision.outcome
    return (
        decision.verdict,
        tuple((each.rule, each.severity, each.subject) for each in decision.findings),
        outcome.get("trials"),
        outcome.get("seed_count"),
        "proposal" in decision.question,
    )
