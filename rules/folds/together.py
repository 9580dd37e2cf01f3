"""Incidents that cards had together: of one node one after another, or of many nodes.

Three cards of a node within some hours are a *series*: the node is to blame. Many
nodes within some hours are a *fleet cause*: power, heat or the network. Which
incidents belong to one is told again whenever one is added or taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from rules.card import Incident
from rules.folds.context import FoldSettings
from rules.state import CommonCause, NodeState, State

FLEET_SHARE = 0.25
"""A fleet cause takes at least this share of the fleet's nodes."""

_NAMED = 8


class _Each(NamedTuple):
    """An incident, with the node and the card that had it."""

    incident: Incident
    node: str
    key: str


def tell(state: State, name: str, since_us: int, now_us: int, settings: FoldSettings) -> None:
    """Tell again which incidents are part of a series or a fleet cause.

    Those of the node ``name`` changed from ``since_us`` on; one at ``now_us`` may be new.
    """
    span_us = 2 * max(settings.series_us, settings.fleet_cause_us)
    near = _near(state, since_us - span_us)
    mine = [each for each in near if each.node == name]
    _series(state, name, mine, since_us, now_us, settings)
    _fleet(state, near, since_us, now_us, settings)
    node = state.node(name)
    node.series = _without(node.series, near, "series", since_us)
    for other in state.nodes.values():
        other.fleet = _without(other.fleet, near, "fleet", since_us)


def _near(state: State, oldest_us: int) -> list[_Each]:
    found = []
    for key, card in state.cards.items():
        for incident in reversed(card.incidents):
            if incident.time_us < oldest_us:
                break
            found.append(_Each(incident, card.node, key))
    return sorted(found, key=lambda each: each.incident.when)


def _series(
    state: State,
    name: str,
    mine: Sequence[_Each],
    since_us: int,
    now_us: int,
    settings: FoldSettings,
) -> None:
    groups = _grouped(
        mine,
        settings.series_us,
        lambda each: each.key,
        lambda keys: len(keys) >= settings.series_cards,
    )
    changed_us = since_us - settings.series_us
    _flag(mine, groups, changed_us, "series", lambda each: state.cards[each.key].pci)
    if groups and groups[-1][-1].incident.time_us == now_us:
        node = state.node(name)
        keys = {each.key for each in groups[-1]}
        node.series = _cause(node.series, groups[-1], len(keys), 0.0)


def _fleet(
    state: State, near: Sequence[_Each], since_us: int, now_us: int, settings: FoldSettings
) -> None:
    configured = settings.configured_gpus
    fleet = configured or [name for name, node in state.nodes.items() if node.probe is not None]
    near = [each for each in near if not configured or each.node in configured]

    def many(nodes: Collection[str]) -> bool:
        share = len(nodes) / len(fleet) if fleet else 0.0
        return len(nodes) >= settings.fleet_cause_nodes and share >= FLEET_SHARE

    groups = _grouped(near, settings.fleet_cause_us, lambda each: each.node, many)
    _flag(near, groups, since_us - settings.fleet_cause_us, "fleet", lambda each: each.node)
    if groups and groups[-1][-1].incident.time_us == now_us:
        nodes = {each.node for each in groups[-1]}
        for name in nodes:
            node = state.node(name)
            held = [each for each in groups[-1] if each.node == name]
            node.fleet = _cause(node.fleet, held, len(nodes), len(nodes) / len(fleet))


def _grouped(
    incidents: Sequence[_Each],
    span_us: int,
    of: Callable[[_Each], str],
    many: Callable[[Collection[str]], bool],
) -> list[list[_Each]]:
    """Every stretch of incidents within the span that so many had."""
    found, start = [], 0
    for end, each in enumerate(incidents):
        while each.incident.time_us - incidents[start].incident.time_us > span_us:
            start += 1
        stretch = list(incidents[start : end + 1])
        if many({of(other) for other in stretch}):
            found.append(stretch)
    return found


def _flag(
    incidents: Sequence[_Each],
    groups: Sequence[Sequence[_Each]],
    since_us: int,
    cause: str,
    label: Callable[[_Each], str],
) -> None:
    """Mark the incidents of the groups; of those that may have changed, unmark the others."""
    beside: dict[int, list[str]] = {}
    for group in groups:
        labels = sorted({label(each) for each in group})
        for each in group:
            beside[id(each.incident)] = [other for other in labels if other != label(each)]
    for each in incidents:
        incident = each.incident
        if id(incident) in beside:
            if incident.cause in ("", cause) or cause == "series":
                incident.cause, incident.beside = cause, beside[id(incident)][:_NAMED]
        elif incident.cause == cause and incident.time_us >= since_us:
            incident.cause, incident.beside = "", []


def _cause(
    before: CommonCause | None, group: Sequence[_Each], cards: int, share: float
) -> CommonCause:
    newest = group[-1].incident
    since_us = group[0].incident.time_us
    evidence = [each.incident.event for each in group]
    if before is not None and since_us <= before.last_us:
        since_us, cards = min(since_us, before.since_us), max(cards, before.cards)
        share = max(share, before.share)
        evidence = list(dict.fromkeys([*before.evidence, *evidence]))[-4 * _NAMED :]
    return CommonCause(
        since_us=since_us,
        last_us=newest.time_us,
        sequence=newest.sequence,
        cards=cards,
        share=share,
        boot=newest.boot,
        evidence=evidence,
    )


def _without(
    cause: CommonCause | None, near: Sequence[_Each], name: str, since_us: int
) -> CommonCause | None:
    """The cause, unless what it was made of was taken back."""
    if cause is None or cause.last_us < since_us:
        return cause
    left = any(
        each.incident.event in cause.evidence and each.incident.cause in (name, "series")
        for each in near
    )
    return cause if left else None


def ongoing(node: NodeState) -> list[CommonCause]:
    """The common causes of a node that go on."""
    return [cause for cause in (node.common, node.series, node.fleet) if cause is not None]
