"""Folding events into a state: the pure first half of every decision.

A fold takes events in the order of (time, position), so that its result does
not depend on the order in which they arrived. It looks at no clock, and it
looks past decisions: they are never evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from ledger import Event
from ledger.canonical import digest
from rules.fleet import Fleet
from rules.folds import jobs, lines, looks, nodes, runs, witnesses, words
from rules.folds.context import FoldSettings
from rules.folds.own import OwnFolds
from rules.in_force import with_limit
from rules.policy import Policy
from rules.sources import judge_digest
from rules.state import State

Handler = Callable[[State, Event, Any, FoldSettings], None]

_HANDLERS: dict[str, Handler] = {
    "ssh_probe": nodes.ssh_probe,
    "kernel_log_scanned": nodes.kernel_log_scanned,
    "process_killed": nodes.process_killed,
    "command_hung": looks.command_hung,
    "ramdisk_checked": nodes.ramdisk_checked,
    "inputs_checked": nodes.inputs_checked,
    "cleanup_completed": nodes.cleanup_completed,
    "gpu_probe": looks.gpu_probe,
    "smu_error": lines.smu_error,
    "gpu_fault": lines.gpu_fault,
    "node_fault": lines.node_fault,
    "override_set": words.override_set,
    "repair_done": words.repair_done,
    "job_failed_with_traceback": jobs.job_failed,
    "job_finished": jobs.job_finished,
    "run_started": runs.run_started,
    "run_finished": runs.run_finished,
    "step_started": runs.step_started,
    "step_finished": runs.step_finished,
    "survivors_counted": runs.survivors_counted,
    "trial_completed": runs.trial_completed,
    "head_sealed": witnesses.head_sealed,
    "witness_read": witnesses.witness_read,
    "witness_accepted": witnesses.witness_accepted,
}

FOLDED_TYPES = frozenset(_HANDLERS)
"""The event types that change a state whatever the policy; own facts may need others."""

_WITH_BOOT = frozenset({"smu_error", "gpu_fault", "node_fault"})


class Fold:
    """The fold under one policy and fleet; it holds no state of its own.

    Folds with the same ``key`` give the same states: it covers the code that folds
    and what that knows; most keys of a policy matter only when a state is judged.
    """

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        self.settings = FoldSettings(policy, fleet)
        self._own = OwnFolds(policy.facts, lambda condition: with_limit(condition, policy))
        self.types = FOLDED_TYPES | self._own.types
        """The event types that change a state; the others need not be read."""
        self.key = digest(f"{judge_digest()} {self.settings.key} {self._own.key}".encode())

    def apply(self, state: State, event: Event) -> None:
        """Take one event into the state. Events must come in order of (time, position)."""
        if event.type not in self.types:
            return
        data: Any = event.data
        if event.type in _WITH_BOOT and data.boot_id is not None:
            name = self.settings.node(data.node)
            nodes.observe_boot(state, event, name, data.boot_id, self.settings)
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(state, event, data, self.settings)
        if event.type in self._own.types:
            self._own.take(state, event, self.settings)
        state.newest_us = event.time_us

    def run(self, events: Iterable[Event], state: State | None = None) -> State:
        """Fold events in order, into a new state or on from a given one.

        What a later event of the same moment corrects is passed over: a
        moment's events are to be given all at once.
        """
        state = State() if state is None else state
        for event in without_superseded(events):
            self.apply(state, event)
        return state


def without_superseded(events: Iterable[Event]) -> Iterator[Event]:
    """The events but those that later ones of the same moment correct; in order of time."""
    for _, moment in groupby(events, key=attrgetter("time_us")):
        yield from _left_of(list(moment))


def _left_of(moment: list[Event]) -> list[Event]:
    if len(moment) == 1:
        return moment
    kept: list[Event] = []
    superseded: set[str] = set()
    for event in reversed(moment):
        if event.id not in superseded:
            kept.append(event)
        if event.supersedes is not None:
            superseded.add(event.supersedes)
    kept.reverse()
    return kept
