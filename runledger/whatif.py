"""What if: recorded decisions made again under a change, and what would differ.

Two arms are run over the same decisions: a control with nothing changed, and
the change. What already differs in the control is drift and is never blamed on
the change. Nothing is written to the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger import Event, Filter, Ledger
from ledger.filters import any_matches
from ledger.payloads import DecisionPayload
from rules.decide import Judge
from rules.policy import Policy, with_settings
from runledger.catalog import Catalog
from runledger.history import Edit
from runledger.playback import Cut
from runledger.replay import (
    Judges,
    MakeCut,
    Rerun,
    recorded_cut,
    recorded_judges,
    rerun,
)
from runledger.totals import Totals


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

    ``left_out`` counts the events that the filters matched; ``totals`` are the
    effect of all decisions, before and after, in the fleet's own units.
    """

    decisions: int
    changed: list[Changed]
    drifted: list[str]
    problems: dict[str, str]
    left_out: int
    totals: dict[str, Any]


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
    changed: list[Changed] = []
    problems: dict[str, str] = {}
    drifted: list[str] = []
    totals = Totals()
    order = {event.id: event.sequence for event in decided}
    for count, (control, after) in enumerate(_arms(ledger, catalog, decided, change), 1):
        progress(count)
        id = control.recorded.decision
        if _drifts(control):
            drifted.append(id)
        if control.replayed is None or after.replayed is None:
            problems[id] = after.problem or control.problem
            continue
        totals.add(control.replayed, after.replayed)
        if effect(control.replayed) != effect(after.replayed):
            changed.append(Changed(id, control.replayed, after.replayed))
    changed.sort(key=lambda each: order[each.decision])
    left_out = sum(1 for _ in ledger.read(where=change.without)) if change.without else 0
    return WhatIf(len(decided), changed, drifted, problems, left_out, totals.result())


def _arms(
    ledger: Ledger, catalog: Catalog, decided: list[Event], change: Change
) -> Iterator[tuple[Rerun, Rerun]]:
    """Each decision with nothing changed, and under the change; in one pass where that serves both.

    In the order of the recorded cuts.
    """
    recorded, judges = recorded_judges(catalog), _judges(catalog, change)
    edit = _edit(change)
    if edit is None and change.at_us is None and change.as_of is None:
        for control, after in rerun(ledger, decided, [recorded, judges]):
            yield control, after
        return
    controls = rerun(ledger, decided, [recorded])
    afters = rerun(ledger, decided, [judges], cut=_cut(ledger, change), edit=edit)
    by_id = {after.recorded.decision: after for (after,) in afters}
    for (control,) in controls:
        yield control, by_id[control.recorded.decision]


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


def _cut(ledger: Ledger, change: Change) -> MakeCut:
    head = ledger.head().sequence

    def cut(decision: DecisionPayload) -> Cut:
        sequence, at_us = recorded_cut(decision)
        if change.as_of is not None:
            sequence = min(change.as_of, head)
        return Cut(sequence, at_us if change.at_us is None else change.at_us)

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
