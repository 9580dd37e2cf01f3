"""Why a decision is what it is, down to the last event.

The decision is made once more, watched: every rule that fired with the values
it compared, every rule that nearly did, and the events all of it rests on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ledger import Event, Ledger, NotFound
from ledger.canonical import canonical
from ledger.payloads import DecisionPayload
from rules.explain import Account, NearMiss, Watched
from rules.ruleset import Fact, Rule
from runledger.config.catalog import Catalog
from runledger.deciding.folding import order
from runledger.explaining.minimal import Minimal, Search
from runledger.replaying.replay import recorded_cut


class Compared(msgspec.Struct, frozen=True):
    """One condition of a rule that fired; ``key`` is the policy key of ``limit``, or "".

    For ``exists`` and ``missing`` there is no limit.
    """

    feature: str
    value: Any
    operator: str
    limit: Any
    key: str


class FiredRule(msgspec.Struct, frozen=True):
    """A rule that fired: what it said of what, what it compared, what that rests on."""

    rule: str
    severity: str
    subject: str
    message: str
    remedy: str
    conditions: tuple[Compared, ...]
    evidence: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """Everything a recorded decision rests on.

    ``evidence`` are the events, oldest first. ``same`` is whether today's rules
    still say what was recorded; where they do not, the rules shown are today's.
    """

    decision: DecisionPayload
    same: bool
    fired: tuple[FiredRule, ...]
    nearly: tuple[NearMiss, ...]
    evidence: tuple[Event, ...]
    minimal: Minimal | None = None


def explain(
    ledger: Ledger,
    catalog: Catalog,
    decided: Event,
    *,
    minimal: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Explanation:
    """Explain a recorded decision; with ``minimal``, find the events it hangs on.

    ``progress`` is told how often the judge was asked.
    """
    decision = decided.data
    assert isinstance(decision, DecisionPayload)
    policy = catalog.policy(decision.policy.digest)
    fleet = catalog.fleet(decision.fleet.digest)
    sequence, at_us = recorded_cut(decision)
    search = Search(
        ledger,
        Watched(policy, fleet),
        decision.kind,
        decision.question,
        sequence,
        at_us,
        progress,
    )
    account = search.account
    named = dict.fromkeys(
        id
        for ids in (*(each.evidence for each in decision.findings), account.evidence)
        for id in ids
    )
    return Explanation(
        decision=decision,
        same=_same(decision, account),
        fired=tuple(
            _fired(rule, spoken.fact) for spoken in account.spoken for rule in spoken.rules
        ),
        nearly=account.nearly,
        evidence=_events(ledger, list(named)),
        minimal=search.minimal() if minimal else None,
    )


def _same(decision: DecisionPayload, account: Account) -> bool:
    draft = account.draft
    return canonical([decision.verdict, decision.findings, decision.outcome]) == canonical(
        [draft.verdict, draft.findings, draft.outcome]
    )


def _fired(rule: Rule, fact: Fact) -> FiredRule:
    return FiredRule(
        rule=rule.name,
        severity=rule.severity,
        subject=fact.subject,
        message=rule.message.format_map(fact.show),
        remedy=rule.remedy.format_map(fact.show),
        conditions=tuple(
            Compared(
                each.feature,
                fact.features.get(each.feature),
                each.operator,
                each.limit,
                each.key,
            )
            for each in rule.when
        ),
        evidence=fact.rests_on(*rule.when),
    )


def _events(ledger: Ledger, ids: list[str]) -> tuple[Event, ...]:
    found = []
    for id in ids:
        try:
            found.append(ledger.get(id))
        except NotFound:  # a finding of our own failure names what may not have been stored
            continue
    return tuple(sorted(found, key=order))


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """An explanation as ``runledger why --json`` prints it."""
    decision = explanation.decision
    shown: dict[str, Any] = {
        **msgspec.to_builtins(decision),
        "same_today": explanation.same,
        "rules": [msgspec.to_builtins(each) for each in explanation.fired],
        "nearly": [msgspec.to_builtins(each) for each in explanation.nearly],
        "evidence": [event_json(event) for event in explanation.evidence],
    }
    if explanation.minimal is not None:
        found = explanation.minimal
        shown["minimal"] = list(found.events)
        shown["minimal_search"] = {
            "exhaustive": found.exhaustive,
            "cut_short": found.cut_short,
            "asked": found.asked,
            "verdict": None if found.without is None else found.without.verdict,
            "outcome": None if found.without is None else found.without.outcome,
        }
    return shown


def event_json(event: Event) -> dict[str, Any]:
    """What an explanation shows of an event."""
    return {
        "id": event.id,
        "sequence": event.sequence,
        "type": event.type,
        "time": event.time,
        "subject": event.subject,
        "source": event.source,
        "data": msgspec.to_builtins(event.data.as_json()),
    }
