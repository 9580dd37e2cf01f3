"""What if: recorded decisions made again under a change, and what would differ.

Two arms are run over the same decisions: a control with nothing changed, and
the change. What already differs in the control is drift and is never blamed on
the change. Nothing is written to the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger import Event, Filter, Ledger
from ledger.filters import any_matches
from ledger.payloads import DecisionPayload
from rules.decide import Judge
from rules.policy import Policy, with_settings
from runledger.catalog import Catalog
from runledger.history import Edit
from runledger.replay import Cut, Judges, Rerun, recorded_cut, recorded_judges, rerun


class Change(NamedTuple):
    """What to change; the default changes nothing.

    ``settings`` are ``section.key=value`` texts on top of ``policy``, or of each
    decision's own. ``added`` events are within every cut; their time decides.
    """

    policy: Policy | None = None
    settings: Sequence[str] = ()
    without: Sequence[Filter] = ()
    added: Sequence[Event] = ()
    at_us: int | None = None
    as_of: int | None = None


class Changed(NamedTuple):
    """One decision with another effect, before and after."""

    decision: str
    before: DecisionPayload
    after: DecisionPayload


class WhatIf(NamedTuple):
    """The outcome: how many decisions were rerun, which changed, which drift by themselves.

    ``left_out`` counts the events that the filters matched.
    """

    decisions: int
    changed: list[Changed]
    drifted: list[str]
    problems: dict[str, str]
    left_out: int


def effect(decision: DecisionPayload) -> Any:
    """What a decision does, apart from why: this is what is compared."""
    outcome = decision.outcome
    if decision.kind == "preflight":
        cards = sorted(
            (node, card["pci"]) for node, out in outcome["excluded_gpus"].items() for card in out
        )
        return decision.verdict, outcome["nodes"], outcome["excluded_nodes"], cards
    if decision.kind == "exclusions":
        return sorted((gpu["node"], gpu["pci"], gpu["state"]) for gpu in outcome["gpus"])
    return (
        decision.verdict,
        outcome["trials"],
        outcome["seed_count"],
        outcome.get("applied"),
    )


def what_if(
    ledger: Ledger,
    catalog: Catalog,
    decided: Iterable[Event],
    change: Change,
    progress: Callable[[int], None] = lambda _: None,
) -> WhatIf:
    """Rerun decisions under a change and compare with the control."""
    decided = list(decided)
    control = {
        each.recorded.decision: each for each in rerun(ledger, decided, recorded_judges(catalog))
    }
    edit = _edit(change)
    after = rerun(ledger, decided, _judges(catalog, change), cut=_cut(ledger, change), edit=edit)
    changed: list[Changed] = []
    problems: dict[str, str] = {}
    drifted = [id for id, each in control.items() if _drifts(each)]
    for count, each in enumerate(after, 1):
        progress(count)
        before = control[each.recorded.decision].replayed
        if each.replayed is None or before is None:
            problems[each.recorded.decision] = (
                each.problem or control[each.recorded.decision].problem
            )
        elif effect(before) != effect(each.replayed):
            changed.append(Changed(each.recorded.decision, before, each.replayed))
    order = {event.id: event.sequence for event in decided}
    changed.sort(key=lambda each: order[each.decision])
    left_out = sum(1 for _ in ledger.read(where=change.without)) if change.without else 0
    return WhatIf(len(decided), changed, drifted, problems, left_out)


def _drifts(each: Rerun) -> bool:
    return each.replayed is None or effect(each.recorded) != effect(each.replayed)


def _judges(catalog: Catalog, change: Change) -> Judges:
    recorded = recorded_judges(catalog)
    made: dict[tuple[str, str], Judge] = {}

    def judge(decision: DecisionPayload) -> Judge:
        key = (decision.policy.digest, decision.fleet.digest)
        if key not in made:
            own = recorded(decision)
            policy = change.policy or own.policy
            if change.settings:
                policy = with_settings(policy, list(change.settings))
            made[key] = catalog.judge(policy, own.fleet)
        return made[key]

    return judge


def _cut(ledger: Ledger, change: Change) -> Cut:
    head = ledger.head().sequence

    def cut(decision: DecisionPayload) -> tuple[int, int]:
        sequence, at_us = recorded_cut(decision)
        if change.as_of is not None:
            sequence = min(change.as_of, head)
        return sequence, at_us if change.at_us is None else change.at_us

    return cut


def _edit(change: Change) -> Edit | None:
    if not change.without and not change.added:
        return None

    def keeps(event: Event) -> bool:
        return not (change.without and any_matches(change.without, event))

    return Edit(keeps, list(change.added))


def changed_json(changed: Changed) -> dict[str, Any]:
    """One changed decision as `runledger whatif --json` prints it."""
    return {
        "decision": changed.decision,
        "kind": changed.before.kind,
        "question": changed.before.question,
        "before": _side(changed.before),
        "after": _side(changed.after),
    }


def _side(decision: DecisionPayload) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "outcome": decision.outcome,
        "findings": [msgspec.to_builtins(finding) for finding in decision.findings],
        "policy": msgspec.to_builtins(decision.policy),
    }
