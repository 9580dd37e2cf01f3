"""What every kind of decision has: a question, a payload, a judge, an effect.

A kind is one object (see the modules beside this one) and one line of the
registry in `rules.kinds`. What people are shown of it is `runledger.kinds`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec

from ledger.payloads import DecisionPayload, Finding
from ledger.text import humanize
from rules.rulebook import Rulebook
from rules.ruleset import SEVERITIES, Fired, Severity
from rules.state import State

Question = dict[str, Any]

_MOST_OWN_BYTES = 400_000


class Decided(Protocol):
    """What was decided: a draft, or the decision that was recorded of it."""

    @property
    def verdict(self) -> str: ...
    @property
    def outcome(self) -> dict[str, Any]: ...


class Draft(msgspec.Struct, frozen=True):
    """A decision without its identity: what is judged when two are compared."""

    verdict: str
    findings: tuple[Finding, ...]
    outcome: dict[str, Any]


class Stakes(NamedTuple):
    """What a decision amounts to in the fleet's own units; None where it is about none of them.

    ``starts``: whether a step may begin. ``cards_out``: how many cards sit out.
    """

    starts: bool | None = None
    cards_out: int | None = None
    trials: int = 0
    seeds: int = 0


class Kind(ABC):
    """One kind of decision; holds no state."""

    name: ClassVar[str]
    """As decisions, cases and policies spell it."""
    payload: ClassVar[type[DecisionPayload]]
    question: ClassVar[type[msgspec.Struct]]
    """The shape of a question; a judge takes it as a plain JSON object."""

    @abstractmethod
    def judge(self, rules: Rulebook, question: Question, state: State, at_us: int) -> Draft:
        """The decision: a pure function of its arguments."""

    @abstractmethod
    def effect(self, decided: Decided) -> Any:
        """What a decision does, apart from why: a what-if compares this."""

    def answer(self, decided: Decided) -> Any:
        """What a decision says in the first place: its smallest set of events is about this."""
        return decided.verdict

    def deciding(self, verdict: str) -> Severity | None:
        """The severity of the findings that make a verdict; None: all of them have their part."""
        return None

    @abstractmethod
    def stakes(self, decided: Decided) -> Stakes:
        """What it amounts to, when many decisions are added up."""


def bounded(found: Sequence[Finding]) -> list[Finding]:
    """The findings, of own rules no more than a recorded decision has room for: the worst.

    What is left out is counted in one more finding, as bad as the worst of it.
    """
    own = (each for each in found if each.rule.startswith("own."))
    size = 0
    left: list[Finding] = []
    for finding in sorted(own, key=lambda each: SEVERITIES.index(each.severity)):
        size += len(msgspec.json.encode(finding))
        if size > _MOST_OWN_BYTES:
            left.append(finding)
    if not left:
        return list(found)
    gone = set(map(id, left))
    rules = humanize.listed(sorted({each.rule for each in left}))
    more = Finding(
        rule="own_rules_left_out",
        severity=left[0].severity,
        subject="fleet",
        message=f"{len(left):,} more findings of own rules: {rules}",
        remedy="write rules that speak of less: runledger rules",
        evidence=(),
    )
    return [*(each for each in found if id(each) not in gone), more]


def findings(fired: Iterable[Fired]) -> tuple[Finding, ...]:
    """What rules say of facts, as a decision holds it."""
    return tuple(
        Finding(
            rule=each.rule.name,
            severity=each.severity,
            subject=each.fact.subject,
            message=each.message,
            remedy=each.remedy,
            evidence=each.evidence,
        )
        for each in fired
    )
