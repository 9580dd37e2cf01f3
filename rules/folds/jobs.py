"""Failed jobs, and what else happened on their node at the time."""

from __future__ import annotations

from ledger import Event
from ledger.payloads import JobFailedWithTraceback
from rules.causes import says
from rules.folds.context import FoldSettings
from rules.folds.identity import card_at
from rules.folds.kept import keep
from rules.state import Failure, Kept, Mark, State


def job_failed(
    state: State, event: Event, data: JobFailedWithTraceback, settings: FoldSettings
) -> None:
    """Remember a failure while it is within the window, with what may explain it."""
    name = "" if data.node is None else settings.node(data.node)
    card = card_at(state, name, data.pci) if name and data.pci else ""
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
    if len(state.failures) > 2 * state.failures_kept + 64:
        _forget(state, event.time_us, settings)


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
        if failure.node == name:
            _explain(failure, new, settings)


def _explain(failure: Failure, near: Mark, settings: FoldSettings) -> None:
    if abs(failure.time_us - near.time_us) > settings.explains_us or near.kind in failure.near:
        return
    if not near.card or near.card == failure.card:
        failure.near = sorted([*failure.near, near.kind])


def _forget(state: State, now: int, settings: FoldSettings) -> None:
    """Drop what the window no longer holds, and more of the same than a rule can count."""
    oldest = now - settings.window_us
    enough = settings.job_failures_kept
    kept: dict[tuple[str, str, str, int | None], int] = {}
    failures: list[Failure] = []
    for failure in reversed(state.failures):
        why = failure.says + ",".join(failure.near)
        same = (failure.card, failure.fingerprint, why, failure.clean_us)
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
