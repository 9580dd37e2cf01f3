"""Errors of cards, and the incidents that they are.

Errors of one card less than the incident gap apart are one incident. Where so
many cards of a node fail together that the node is to blame, their errors are
no incidents: those that they opened are taken back.
"""

from __future__ import annotations

from itertools import takewhile

from ledger import Event
from rules.folds import clean, jobs
from rules.folds.boots import since_boot
from rules.folds.context import FoldSettings
from rules.state import Card, CardError, CommonCause, Incident, Mark, NodeState, State

_KEPT_UNJUDGED = 300
"""So many errors of a node are remembered while nobody knows how many cards it has."""

_STORM_SHARE = 10
"""Of a card's errors, one in this part of the gap is remembered, beside the newest."""


def card_failed(
    state: State,
    event: Event,
    name: str,
    key: str,
    kind: str,
    boot: str | None,
    settings: FoldSettings,
) -> None:
    """An error of the card ``key`` on the node ``name``, of a kind that counts."""
    card, node, now = state.cards[key], state.node(name), event.time_us
    if card.last_error_us is None or now - card.last_error_us >= settings.incident_gap_us:
        card.burst_us = now
    card.last_error_us = now
    clean.interrupt(card, now, settings)
    near = "smu" if event.type == "smu_error" else "gpu"
    jobs.mark(state, name, Mark(time_us=now, kind=near, card=key), settings)
    error = CardError(time_us=now, sequence=event.sequence, card=key, event=event.id)
    cards = _cards_of(node, name, settings)
    kept = node.errors[-_KEPT_UNJUDGED:] if cards is None else node.errors
    node.errors = _with(kept, error, settings, past_gap=cards is None)
    if cards and common_cause(node.errors, cards, settings):
        _blame(state, node, cards, settings)
        return
    newest = card.incidents[-1] if card.incidents else None
    if newest is not None and newest.time_us >= card.burst_us:
        newest.last_us, newest.boot = now, boot
        newest.errors += 1
        return
    card.incidents.append(
        Incident(
            time_us=now, sequence=event.sequence, last_us=now, event=event.id, kind=kind, boot=boot
        )
    )
    _thin(card, settings)


def blame_late(state: State, node: NodeState, name: str, settings: FoldSettings) -> None:
    """At the first probe of a node, judge the errors that came when its cards were not counted."""
    cards = _cards_of(node, name, settings)
    if settings.configured_gpus.get(name) is not None:
        return
    unjudged, node.errors = node.errors, []
    for error in unjudged:
        node.errors = _with(node.errors, error, settings)
        if cards and common_cause(node.errors, cards, settings):
            _blame(state, node, cards, settings)
    if node.common is not None and not since_boot(node, node.common.last_us):
        node.common = None


def _with(
    errors: list[CardError], error: CardError, settings: FoldSettings, *, past_gap: bool = False
) -> list[CardError]:
    """The errors that may yet turn out to have a common cause, and one more; few of a storm."""
    now, gap_us = error.time_us, settings.incident_gap_us
    errors = [each for each in errors if past_gap or now - each.time_us < gap_us]
    mine = [each for each in errors if each.card == error.card]
    if len(mine) > 1 and mine[-1].time_us - mine[-2].time_us < gap_us / _STORM_SHARE:
        errors.remove(mine[-1])
    return [*errors, error]


def _cards_of(node: NodeState, name: str, settings: FoldSettings) -> int | None:
    """How many cards a node has, as configured, else as its newest probe shows; None: unknown."""
    configured = settings.configured_gpus.get(name)
    if configured is not None or node.probe is None:
        return configured
    return len(node.probe.gpus)


def common_cause(errors: list[CardError], cards: int, settings: FoldSettings) -> bool:
    """Whether so many of a node's cards failed within the gap that the node is to blame."""
    failing = len({each.card for each in errors})
    return (
        failing >= settings.common_cause_min_gpus
        and share_of(failing, cards) >= settings.common_cause_share
    )


def share_of(failing: int, cards: int) -> float:
    """The share of a node's cards, as it is compared with the policy's."""
    # A division rounds once: 11 of 20 cards are exactly 0.55, 0.55 x 20 is more than 11.
    return failing / cards


def _blame(state: State, node: NodeState, cards: int, settings: FoldSettings) -> None:
    """The errors in the gap are the node's: what they did to their cards is taken back."""
    first: dict[str, CardError] = {}
    for each in node.errors:
        first.setdefault(each.card, each)
    newest = node.errors[-1]
    now = newest.time_us
    for key in first:
        card = state.cards[key]
        card.incidents = [
            each
            for each in card.incidents
            if not now - settings.incident_gap_us < each.time_us <= now
        ]
        clean.resume(state, key, now, settings)
    since = min(each.time_us for each in first.values())
    if node.common is not None and since <= node.common.last_us:
        since = node.common.since_us
    node.common = CommonCause(
        since_us=since,
        last_us=now,
        sequence=newest.sequence,
        cards=len(first),
        share=share_of(len(first), cards),
        evidence=[each.event for each in first.values()],
    )


def _thin(card: Card, settings: FoldSettings) -> None:
    """Of incidents without end, keep those that can matter.

    When as many as any policy in question counts have come within one window,
    with no word and no clean run between, the card sits out; of those that
    follow only the newest matter, and the newest but one, should the newest
    turn out to be the node's.
    """
    kept = settings.incidents_kept
    changes = [*card.clean[-1:], *card.overrides[-1:]]
    since = max((each.when for each in changes), default=(0, 0))
    of_late = list(takewhile(lambda each: each.when > since, reversed(card.incidents)))
    settled = of_late[:1:-1]
    if len(settled) > kept and any(
        last.time_us - first.time_us < settings.window_us
        for first, last in zip(settled, settled[kept - 1 :], strict=False)
    ):
        del card.incidents[-3]


def mark_crashes(state: State, name: str, lost_us: int, settings: FoldSettings) -> None:
    """The node was lost or rebooted: incidents shortly before were crashes."""
    for card in state.cards.values():
        for incident in reversed(card.incidents if card.node == name else ()):
            if lost_us - incident.last_us > settings.crash_link_us:
                break
            incident.crash = incident.crash or incident.last_us <= lost_us
