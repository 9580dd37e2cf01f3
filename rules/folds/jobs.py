"""Jobs: on which cards they ran, which failed, and what else happened on their node then.

A failure weighs on its card where its cause is the card's, unless as many cards of
the node failed alike at the same time, or the same happened on several nodes and the
card does not stand out in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger import Event
from ledger.payloads import JobFailedWithTraceback, JobFinished
from rules.card import Charge
from rules.causes import says, weighs
from rules.folds import clean
from rules.folds.context import FoldSettings
from rules.folds.identity import card_at
from rules.folds.kept import keep
from rules.folds.standing_out import standing_out
from rules.state import Failure, Kept, Mark, State

_NAMED = 20
"""Of the failed jobs that take a card out, so many are named."""


def job_finished(state: State, event: Event, data: JobFinished, settings: FoldSettings) -> None:
    """A card was at work."""
    if data.node is None or data.pci is None:
        return
    key = state.places.get(f"{settings.node(data.node)} {data.pci}")
    if key is not None:
        state.cards[key].worked_us = event.time_us


def job_failed(
    state: State, event: Event, data: JobFailedWithTraceback, settings: FoldSettings
) -> None:
    """Remember a failure while it is within the window, with what may explain it."""
    name = "" if data.node is None else settings.node(data.node)
    card = _card_of(state, name, data)
    failure = Failure(
        time_us=event.time_us,
        sequence=event.sequence,
        event=event.id,
        node=name,
        card=card,
        fingerprint=data.fingerprint,
        says=says(data.exception, data.message, data.traceback),
    )
    for mark_ in state.node(name).marks if name else ():
        _explain(failure, mark_, settings)
    state.failures.append(failure)
    if name:
        node = state.node(name)
        node.failed = node.failed or Kept()
        keep(node.failed, event, settings.window_us)
        state.fingerprints.setdefault(data.fingerprint, {})[name] = event.time_us
    if card:
        state.cards[card].worked_us = event.time_us
        _alike(state, failure, settings)
        _weigh(state, failure, event.time_us, settings)
    if len(state.failures) > 2 * state.failures_kept + 64:
        _forget(state, event.time_us, settings)


def _card_of(state: State, name: str, data: JobFailedWithTraceback) -> str:
    """The card that a job ran on; an index alone is that of the newest look at its node."""
    if not name:
        return ""
    if data.pci is not None:
        return card_at(state, name, data.pci)
    probe = state.node(name).probe
    if data.index is None or probe is None:
        return ""
    return next((seen.card for seen in probe.gpus if seen.index == data.index), "")


def mark(state: State, name: str, new: Mark, settings: FoldSettings) -> None:
    """Something happened on a node: it may explain failures shortly before and after."""
    node = state.node(name)
    node.marks = [
        each
        for each in node.marks
        if new.time_us - each.time_us <= settings.explains_us
        and (each.kind, each.card) != (new.kind, new.card)
    ]
    node.marks.append(new)
    for failure in reversed(state.failures):
        if new.time_us - failure.time_us > settings.explains_us:
            break
        if failure.node == name and _explain(failure, new, settings) and failure.card:
            _weigh(state, failure, new.time_us, settings)


def _explain(failure: Failure, near: Mark, settings: FoldSettings) -> bool:
    """Whether something explains a failure that nothing of its kind did before."""
    if abs(failure.time_us - near.time_us) > settings.explains_us or near.kind in failure.near:
        return False
    if near.card and near.card != failure.card:
        return False
    failure.near = sorted([*failure.near, near.kind])
    return True


def _alike(state: State, failure: Failure, settings: FoldSettings) -> None:
    """So many cards of a node failing alike at once: that is the launcher's or the code's."""
    oldest = failure.time_us - settings.incident_gap_us
    same = []
    for each in reversed(state.failures):
        if each.time_us <= oldest:
            break
        if (each.node, each.fingerprint) == (failure.node, failure.fingerprint) and each.card:
            same.append(each)
    failing = len({each.card for each in same})
    probe, cards = state.node(failure.node).probe, settings.configured_gpus.get(failure.node)
    cards = len(probe.gpus) if cards is None and probe is not None else cards
    if failing < settings.common_cause_min_gpus or not cards:
        return
    if failing / cards >= settings.common_cause_share:
        for each in same:
            each.alike = True


def is_weighing(failure: Failure, settings: FoldSettings) -> bool:
    """Whether a failure's cause is its card's, and not its launcher's."""
    return (
        bool(failure.card)
        and not failure.alike
        and weighs(failure.says, tuple(failure.near), settings.causes_off)
    )


def harmed(state: State, key: str, time_us: int, settings: FoldSettings) -> bool:
    """Whether a job failed by a card's fault around a time."""
    for failure in reversed(state.failures):
        if time_us - failure.time_us > settings.crash_link_us:
            return False
        near = failure.time_us - time_us <= settings.crash_link_us
        if near and failure.card == key and is_weighing(failure, settings):
            return True
    return False


def _weigh(state: State, failure: Failure, now_us: int, settings: FoldSettings) -> None:
    """A failure of the card's own doing: incidents around it did harm; it may be one too many."""
    if not is_weighing(failure, settings):
        return
    card = state.cards[failure.card]
    for incident in card.incidents:
        before = failure.time_us - incident.last_us <= settings.crash_link_us
        after = incident.time_us - failure.time_us <= settings.crash_link_us
        incident.harm = incident.harm or (before and after)
    least = settings.exclude_after_job_failures
    mine = [
        each
        for each in state.failures
        if each.card == failure.card
        and each.when > card.counted_from
        and each.time_us > now_us - settings.harmless_window_us
        and is_weighing(each, settings)
    ]
    if len(mine) < least or _sits_out_for_it(state, failure.card):
        return
    counts = weighing_counts(state, now_us, settings)
    compared = standing_out(state, counts, now_us, settings, least).get(failure.card)
    if compared is None:
        return
    clean.interrupt(card, now_us, settings)
    card.doubts = []  # nothing takes it back
    card.charges.append(
        Charge(
            time_us=now_us,
            sequence=failure.sequence,
            event=failure.event,
            since_us=mine[0].time_us,
            compared=compared,
            evidence=[each.event for each in mine[-_NAMED:]],
        )
    )
    card.counted_from = failure.when


def _sits_out_for_it(state: State, key: str) -> bool:
    """Whether failed jobs took the card out already, and nothing has brought it back since."""
    card = state.cards[key]
    if not card.charges:
        return False
    newest = max((each.when for each in (*card.clean, *card.overrides)), default=(0, 0))
    return card.charges[-1].when > newest


def weighing_counts(state: State, now_us: int, settings: FoldSettings) -> dict[str, int]:
    """By card, the failed jobs of its own doing within the harmless window, since forgiven.

    A fingerprint seen on many nodes is the code's, but on a card that stands out in it.
    """
    oldest = now_us - settings.harmless_window_us
    by_fingerprint: dict[str, dict[str, int]] = {}
    for failure in state.failures:
        if failure.time_us <= oldest or not is_weighing(failure, settings):
            continue
        if failure.when > state.cards[failure.card].counted_from:
            counts = by_fingerprint.setdefault(failure.fingerprint, {})
            counts[failure.card] = counts.get(failure.card, 0) + 1
    total: dict[str, int] = {}
    for fingerprint, counts in by_fingerprint.items():
        own: Iterable[str] = counts
        if is_common(state, fingerprint, now_us, settings):
            own = standing_out(state, counts, now_us, settings)
        for key in own:
            total[key] = total.get(key, 0) + counts[key]
    return total


def is_common(state: State, fingerprint: str, at_us: int, settings: FoldSettings) -> bool:
    """Whether jobs failed so on so many nodes that it is the code's doing."""
    oldest = at_us - settings.window_us
    nodes = state.fingerprints.get(fingerprint, {})
    return sum(each > oldest for each in nodes.values()) >= settings.common_traceback_nodes


def _forget(state: State, now: int, settings: FoldSettings) -> None:
    """Drop what the window no longer holds, and more of the same than a rule can count."""
    oldest = now - settings.window_us
    enough = settings.job_failures_kept
    kept: dict[tuple[str, str, str, bool], int] = {}
    failures: list[Failure] = []
    for failure in reversed(state.failures):
        why = failure.says + ",".join(failure.near)
        same = (failure.card, failure.fingerprint, why, failure.alike)
        kept[same] = kept.get(same, 0) + 1
        if failure.time_us > oldest and kept[same] <= enough:
            failures.append(failure)
    state.failures = failures[::-1]
    state.failures_kept = len(failures)
    state.fingerprints = {
        fingerprint: nodes
        for fingerprint, nodes in state.fingerprints.items()
        if max(nodes.values()) > oldest
    }
