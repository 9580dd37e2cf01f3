"""Facts about what many cards had in common: of one node, or of many."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ledger.identifiers import node_subject
from ledger.text import humanize
from rules.fleet import Node
from rules.folds.context import Context
from rules.folds.incidents import common_cause, share_of
from rules.ruleset import Fact, known
from rules.state import CommonCause, State

_NAMED = 20


def goes_on(
    state: State, cause: CommonCause, subjects: Collection[str], out: Collection[str], at_us: int
) -> bool:
    """Whether no word on one of some subjects, and no clean looks, have ended a common cause.

    Clean looks that showed all cards ok but those that sit out (``out``) are clean.
    """
    if any(set(bad) <= set(out) for bad in cause.quiet_but):
        return False
    return not any(
        word.action == "reinstate"
        and word.when > (cause.last_us, cause.sequence)
        and word.active(at_us)
        for subject in subjects
        for word in state.overrides.get(subject, ())
    )


def node_facts(
    state: State,
    context: Context,
    node: Node,
    out: Collection[str],
    at_us: int,
    show: dict[str, Any],
) -> Iterator[Fact]:
    """Cards of a node that failed together, or one after another, and what nearly was that."""
    held, subject = state.nodes.get(node.name), node_subject(node.name)
    if held is None:
        return
    for kind, cause in (("common", held.common), ("series", held.series)):
        if cause is None:
            if kind == "common":
                yield from _nearly_common(state, context, node, at_us, show)
        elif goes_on(state, cause, [subject], out, at_us):
            yield Fact(
                kind=kind,
                subject=subject,
                features=known(cards=cause.cards, share=cause.share if kind == "common" else None),
                show=show
                | {
                    "cards": cause.cards,
                    "since": humanize.moment(cause.since_us),
                    "until": humanize.moment(cause.last_us),
                    "looks": context.policy.gpu.reinstate_clean_probes,
                },
                evidence=tuple(cause.evidence),
            )


def _nearly_common(
    state: State, context: Context, node: Node, at_us: int, show: dict[str, Any]
) -> Iterator[Fact]:
    """A few cards of the node failed together of late: too few for it to be to blame."""
    seen = state.nodes[node.name]
    shown = 0 if seen.probe is None else len(seen.probe.gpus)
    cards = shown if node.gpus is None else node.gpus
    newest_us = max((each.time_us for each in seen.errors), default=None)
    if newest_us is None or at_us - newest_us >= context.incident_gap_us:
        return
    if cards and common_cause(seen.errors, cards, context):
        return  # a newer boot ended it, or the node shows fewer cards than it did then
    failing = len({each.card for each in seen.errors})
    yield Fact(
        kind="common",
        subject=node_subject(node.name),
        features=known(cards=failing, share=share_of(failing, cards) if cards else None),
        show=show,
        evidence=tuple(each.event for each in seen.errors),
    )


def fleet_facts(state: State, out: Collection[str], at_us: int) -> list[Fact]:
    """Cards of many nodes failed within hours, as far as that goes on."""
    held = {
        name: node.fleet
        for name, node in sorted(state.nodes.items())
        if node.fleet is not None
        and goes_on(state, node.fleet, ["fleet", node_subject(name)], out, at_us)
    }
    if not held:
        return []
    causes = list(held.values())
    evidence = [event for cause in causes for event in cause.evidence]
    return [
        Fact(
            kind="fleet_cause",
            subject="fleet",
            features={
                "nodes": max(cause.cards for cause in causes),
                "share": max(cause.share for cause in causes),
            },
            show={
                "nodes": max(cause.cards for cause in causes),
                "which": humanize.listed(list(held)),
                "since": humanize.moment(min(cause.since_us for cause in causes)),
            },
            evidence=tuple(dict.fromkeys(evidence))[:_NAMED],
        )
    ]
