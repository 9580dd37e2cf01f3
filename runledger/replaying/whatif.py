"""What if: recorded decisions made again under a change, and what would differ.

Two arms are run over the same decisions: a control with nothing changed, and
the change. What already differs in the control is drift and is never blamed on
the change. Nothing is written to the ledger.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger import Event, Filter, Ledger, NotFound, once_each
from ledger.filters import any_matches
from ledger.payloads import DecisionPayload
from rules.decide import Judge
from rules.kinds import DECIDED_TYPES, KINDS
from rules.policy import Policy, default_policy, is_own, sets_own, with_settings
from runledger.config.catalog import Catalog
from runledger.deciding.folding import Edit
from runledger.errors import RunledgerError
from runledger.replaying.playback import Cut
from runledger.replaying.replay import (
    Judges,
    MakeCut,
    Rerun,
    different_fields,
    recorded_cut,
    recorded_judges,
    rerun,
)
from runledger.replaying.totals import Totals


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

    ``left_out`` counts the events that the filters matched, ``unmatched`` are
    the filters that matched none; ``totals`` are the effect of all decisions,
    before and after, in the fleet's own units.
    """

    decisions: int
    changed: list[Changed]
    drifted: list[str]
    problems: dict[str, str]
    left_out: int
    unmatched: list[str]
    totals: dict[str, Any]


def effect(decision: DecisionPayload) -> Any:
    """What a decision does, apart from why: this is what is compared."""
    return KINDS[decision.kind].effect(decision)


def what_if(
    ledger: Ledger,
    catalog: Catalog,
    decided: Iterable[Event],
    change: Change,
    progress: Callable[[int], None] = lambda _: None,
) -> WhatIf:
    """Rerun decisions under a change and compare with the control.

    Raises `InvalidPolicy` for a setting that no policy can have, also where
    there is no decision to rerun.
    """
    decided = list(decided)
    _check_settings(catalog, decided, change)
    changed: list[Changed] = []
    problems: dict[str, str] = {}
    drifted: list[str] = []
    totals = Totals()
    order = {event.id: event.sequence for event in decided}
    for count, (control, after) in enumerate(_arms(ledger, catalog, decided, change), 1):
        progress(count)
        id = control.event.id
        if _drifts(control):
            drifted.append(id)
        if control.replayed is None or after.replayed is None:
            problems[id] = after.problem or control.problem
            continue
        totals.add(control.replayed, after.replayed)
        if effect(control.replayed) != effect(after.replayed):
            changed.append(Changed(id, control.replayed, after.replayed))
    changed.sort(key=lambda each: order[each.decision])
    left_out, unmatched = _left_out(ledger, change.without)
    return WhatIf(len(decided), changed, drifted, problems, left_out, unmatched, totals.result())


def _arms(
    ledger: Ledger, catalog: Catalog, decided: list[Event], change: Change
) -> Iterator[tuple[Rerun, Rerun]]:
    """Each decision with nothing changed, and under the change; in one pass where that serves both.

    In the order of the recorded cuts.
    """
    recorded, judges = recorded_judges(catalog), _judges(catalog, change)
    edit = _edit(ledger, change)
    if edit is None and change.at_us is None and change.as_of is None:
        for control, after in rerun(ledger, decided, [recorded, judges]):
            yield control, after
        return
    controls = rerun(ledger, decided, [recorded])
    afters = rerun(ledger, decided, [judges], cut=_cut(ledger, change), edit=edit)
    by_id = {after.event.id: after for (after,) in afters}
    for (control,) in controls:
        yield control, by_id[control.event.id]


def _left_out(ledger: Ledger, without: Sequence[Filter]) -> tuple[int, list[str]]:
    """How many events the filters match, and the filters that match none."""
    count, unmatched = 0, list(without)
    for event in ledger.read(where=without) if without else ():
        count += 1
        unmatched = [each for each in unmatched if not each.matches(event)]
    return count, [each.text for each in unmatched]


def _drifts(each: Rerun) -> bool:
    return each.replayed is None or bool(different_fields(each.recorded, each.replayed))


def _check_settings(catalog: Catalog, decided: Sequence[Event], change: Change) -> None:
    """Raise `InvalidPolicy` for a setting that no policy concerned can have."""
    if not change.settings:
        return
    policies = [change.policy or default_policy()]
    own = [each for each in change.settings if is_own(each)]
    if own and change.policy is None:
        policies += [catalog.newest_policy(), *_recorded_policies(catalog, decided)]
    has_all = (each for each in policies if all(sets_own(each, setting) for setting in own))
    nearly = max(policies, key=lambda each: len(each.own))
    with_settings(next(has_all, nearly), list(change.settings))


def _recorded_policies(catalog: Catalog, decided: Sequence[Event]) -> Iterator[Policy]:
    data = (event.data for event in decided)
    digests = dict.fromkeys(
        each.policy.digest for each in data if isinstance(each, DecisionPayload)
    )
    for digest in digests:
        with contextlib.suppress(RunledgerError):
            yield catalog.policy(digest)


def _judges(catalog: Catalog, change: Change) -> Judges:
    recorded = recorded_judges(catalog)
    made: dict[tuple[str, str], Judge] = {}

    def judge(decision: DecisionPayload) -> Judge:
        key = (decision.policy.digest, decision.fleet.digest)
        if key not in made:
            own = recorded(decision)
            policy = change.policy or own.policy
            # A policy that has no such threshold has nothing that would change by it.
            settings = [
                each for each in change.settings if not is_own(each) or sets_own(policy, each)
            ]
            if settings:
                policy = with_settings(policy, settings)
            made[key] = catalog.judge(policy, own.fleet, recorded_fleet=own.digests.fleet)
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


def _edit(ledger: Ledger, change: Change) -> Edit | None:
    if not change.without and not change.added:
        return None
    added = _added(ledger, change)
    again = {event.id for event in added}

    def keeps(event: Event) -> bool:
        return event.id not in again and not _leaves_out(change, event)

    return Edit(keeps, added)


def _added(ledger: Ledger, change: Change) -> list[Event]:
    """The events to add, each once; one that is stored already keeps its position.

    Decisions are passed over, as they are no evidence. Raises `Conflict` where
    an id has two contents and the stored one is not left out.
    """
    added = [event for event in change.added if event.type not in DECIDED_TYPES]
    ids = dict.fromkeys(event.id for event in added)
    stored = [event for id in ids if (event := _kept(ledger, id, change)) is not None]
    unplaced = (msgspec.structs.replace(event, sequence=0) for event in added)
    return once_each([*stored, *unplaced])


def _kept(ledger: Ledger, id: str, change: Change) -> Event | None:
    """The stored event with this id, unless there is none or it is left out."""
    try:
        event = ledger.get(id)
    except NotFound:
        return None
    return None if _leaves_out(change, event) else event


def _leaves_out(change: Change, event: Event) -> bool:
    return bool(change.without) and any_matches(change.without, event)


def changed_json(changed: Changed) -> dict[str, Any]:
    """One changed decision as `runledger whatif --json` prints it."""
    return {
        "decision": changed.decision,
        "kind": changed.before.kind,
        "question": changed.before.question,
        "before": msgspec.to_builtins(changed.before),
        "after": msgspec.to_builtins(changed.after),
    }
