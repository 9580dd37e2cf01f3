"""Errors of cards, and the incidents that they are.

Errors of one card less than the incident gap apart are one incident. Where so
many cards of a node fail together that the node is to blame, their errors are
no incidents: those that they opened are taken back. Ambiguous faults become
incidents where a card stands out in them, losses where a look shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from rules.card import Card, Incident
from rules.folds import clean, jobs, together
from rules.folds.boots import since_boot
from rules.folds.context import FoldSettings
from rules.folds.standing_out import fault_counts, standing_out
from rules.state import CardError, CommonCause, NodeState, State

_KEPT_UNJUDGED = 300
"""So many errors of a node are remembered while nobody knows how many cards it has."""

_STORM_SHARE = 10
"""Of a card's errors, one in this part of the gap is remembered, beside the newest."""

FAULTS_KEPT = 256
"""So many ambiguous faults of a card, and hangs, are counted; more make no difference."""


def card_failed(state: State, name: str, error: CardError, settings: FoldSettings) -> None:
    """An error of a card of the node ``name``, of a kind that counts by itself."""
    card, node, now = state.cards[error.card], state.node(name), error.time_us
    if card.last_error_us is None or now - card.last_error_us >= settings.incident_gap_us:
        card.burst_us = now
    card.last_error_us = now
    clean.interrupt(card, now, settings)
    cards = cards_of(node, name, settings)
    kept = node.errors[-_KEPT_UNJUDGED:] if cards is None else node.errors
    node.errors = _with(kept, error, settings, past_gap=cards is None)
    if cards and common_cause(node.errors, cards, settings):
        _blame(state, name, cards, settings)
        return
    newest = _going_on(card, now, settings)
    if newest is not None:
        newest.last_us, newest.boot = now, error.boot
        newest.errors += 1
        newest.rma = newest.rma or error.rma
        newest.harm = newest.harm or jobs.harmed(state, error.card, now, settings)
        return
    incident = Incident(
        time_us=now,
        sequence=error.sequence,
        last_us=now,
        event=error.event,
        kind=error.kind,
        boot=error.boot,
        rma=error.rma,
    )
    begin(state, name, error.card, incident, settings)


def _going_on(card: Card, now_us: int, settings: FoldSettings) -> Incident | None:
    """The incident that an error is a part of: its burst's, or the loss a look has just shown."""
    for incident in reversed(card.incidents):
        if incident.found == "error":
            return incident if incident.time_us >= card.burst_us else None
        if incident.found == "lost" and now_us - incident.last_us < settings.incident_gap_us:
            return incident
    return None


def begin(state: State, name: str, key: str, incident: Incident, settings: FoldSettings) -> None:
    """A card has an incident: it may have harmed a job, and be one of many."""
    card = state.cards[key]
    incident.harm = jobs.harmed(state, key, incident.time_us, settings)
    card.incidents.append(incident)
    _thin(card, settings)
    together.tell(state, name, incident.time_us, incident.time_us, settings)


def ambiguous(state: State, name: str, error: CardError, settings: FoldSettings) -> None:
    """A fault that may be a card's or its workload's: the card's where it stands out in them."""
    card, now = state.cards[error.card], error.time_us
    last, card.last_fault_us = card.last_fault_us, now
    if last is not None and now - last < settings.incident_gap_us:
        return
    oldest = now - settings.harmless_window_us
    kept = [each for each in zip(card.faults, card.fault_events, strict=True) if each[0] > oldest]
    kept = [*kept[1 - FAULTS_KEPT :], (now, error.event)]
    card.faults, card.fault_events = [each[0] for each in kept], [each[1] for each in kept]
    newest = max((each.time_us for each in card.incidents if each.found == "stands_out"), default=0)
    unclaimed = [time_us for time_us in card.faults if time_us > newest]
    if len(unclaimed) < settings.ambiguous_after:
        return
    compared = standing_out(state, fault_counts(state, now, settings), now, settings).get(
        error.card
    )
    if compared is None:
        return
    clean.interrupt(card, now, settings)
    incident = Incident(
        time_us=now,
        sequence=error.sequence,
        last_us=now,
        event=error.event,
        kind=error.kind,
        found="stands_out",
        boot=error.boot,
        compared=compared,
        errors=len(unclaimed),
    )
    begin(state, name, error.card, incident, settings)


def blame_late(state: State, node: NodeState, name: str, settings: FoldSettings) -> None:
    """At the first probe of a node, judge the errors that came when its cards were not counted."""
    cards = cards_of(node, name, settings)
    if settings.configured_gpus.get(name) is not None:
        return
    unjudged = node.errors
    near: list[CardError] = []
    blamed = False
    for error in unjudged:
        near = _with(near, error, settings)
        blamed = blamed or bool(cards and common_cause(near, cards, settings))
    if blamed:
        take_back(state, name, unjudged, settings)
        for error in unjudged:
            card_failed(state, name, error, settings)
    else:
        node.errors = near
    if node.common is not None and not since_boot(node, node.common.last_us, node.common.boot):
        node.common = None


def take_back(state: State, name: str, errors: Iterable[CardError], settings: FoldSettings) -> None:
    """Undo the incidents that some errors of a node, all that it had since the first, opened."""
    node, held = state.node(name), list(errors)
    since_us = min(each.time_us for each in held)
    for key in {each.card for each in held}:
        card = state.cards[key]
        card.incidents = [
            each for each in card.incidents if each.found != "error" or each.time_us < since_us
        ]
        card.last_error_us = None if (card.last_error_us or 0) >= since_us else card.last_error_us
        clean.resume(state, key, since_us)
    node.errors = [each for each in node.errors if each.time_us < since_us]
    if node.common is not None and node.common.since_us >= since_us:
        node.common = None
    together.tell(state, name, since_us, max(each.time_us for each in held), settings)


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


def cards_of(node: NodeState, name: str, settings: FoldSettings) -> int | None:
    """How many cards a node has, as configured, else as its newest probe shows; None: unknown."""
    configured = settings.configured_gpus.get(name)
    if configured is not None or node.probe is None:
        return configured
    return len(node.probe.gpus)


def common_cause(errors: list[CardError], cards: int, settings: FoldSettings) -> bool:
    """Whether so many of a node's cards failed within the gap that the node is to blame."""
    return so_many(len({each.card for each in errors}), cards, settings)


def so_many(failing: int, cards: int, settings: FoldSettings) -> bool:
    """Whether so many of a node's cards are too many to be at fault themselves."""
    return (
        failing >= settings.common_cause_min_gpus
        and share_of(failing, cards) >= settings.common_cause_share
    )


def share_of(failing: int, cards: int) -> float:
    """The share of a node's cards, as it is compared with the policy's."""
    # A division rounds once: 11 of 20 cards are exactly 0.55, 0.55 x 20 is more than 11.
    return failing / cards


def _blame(state: State, name: str, cards: int, settings: FoldSettings) -> None:
    """The errors in the gap are the node's: what they did to their cards is taken back."""
    node = state.node(name)
    first: dict[str, CardError] = {}
    for each in node.errors:
        first.setdefault(each.card, each)
    newest = node.errors[-1]
    now = newest.time_us
    undone_us = now
    for key in first:
        card = state.cards[key]
        undone = [
            each
            for each in card.incidents
            if each.found == "error" and now - settings.incident_gap_us < each.time_us <= now
        ]
        if undone:
            undone_us = min(undone_us, undone[0].time_us)
            card.incidents = [each for each in card.incidents if each not in undone]
        clean.resume(state, key, now - settings.incident_gap_us + 1)
    since = min(each.time_us for each in first.values())
    if node.common is not None and since <= node.common.last_us:
        since = node.common.since_us
    node.common = CommonCause(
        since_us=since,
        last_us=now,
        sequence=newest.sequence,
        cards=len(first),
        share=share_of(len(first), cards),
        boot=newest.boot,
        evidence=[each.event for each in first.values()],
    )
    together.tell(state, name, undone_us, now, settings)


def _thin(card: Card, settings: FoldSettings) -> None:
    """Of incidents without end, keep those that can matter.

    When as many as any policy in question counts have come within one window,
    with no word and no clean run between, the card sits out; of those that
    follow only the newest matter (they may turn out to be the node's, or one of many),
    and the crashes. What is one of many already, takes nothing out.
    """
    changes = [*card.clean[-1:], *card.overrides[-1:], *card.charges[-1:]]
    since = max((each.when for each in changes), default=(0, 0))
    of_late = list(takewhile(lambda each: each.when > since, reversed(card.incidents)))[::-1]
    kept = settings.incidents_kept
    now = card.incidents[-1].time_us
    open_us = now - max(settings.series_us, settings.fleet_cause_us, settings.incident_gap_us)
    settled = [each for each in of_late if each.time_us < open_us]
    alone = [each for each in settled if not each.cause]
    window_us = min(settings.window_us, settings.harmless_window_us)
    if len(settled) <= 2 * kept or not any(
        last.time_us - first.time_us < window_us
        for first, last in zip(alone, alone[kept - 1 :], strict=False)
    ):
        return
    spare = settled[2 * kept :]
    crashes = [each for each in of_late if each.crashes][: settings.crashes_kept]
    dropped = [each for each in spare[:-1] if each not in crashes]
    card.incidents = [each for each in card.incidents if each not in dropped]


def mark_crashes(
    state: State, name: str, lost_us: int, boot_us: int, settings: FoldSettings
) -> None:
    """The node was rebooted, and lost before: incidents shortly before that were crashes."""
    for card in state.cards.values():
        for incident in card.incidents if card.node == name else ():
            linked = 0 <= lost_us - incident.last_us <= settings.crash_link_us
            if linked and boot_us not in incident.crashes:
                incident.crashes = [*incident.crashes, boot_us][-settings.crashes_kept :]
