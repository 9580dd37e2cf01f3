"""What a report remembers of the events it reads: groups and counts, not the events.

Memory is bounded by the fleet, the page and the number of different things that
went wrong, not by the number of events. Events come in the order of (time, position).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ledger import Event
from ledger.identifiers import node_subject
from ledger.payloads import DecisionPayload
from ledger.times import SECOND_US
from runledger.report.decision_entries import Decisions, told_briefly
from runledger.report.headlines import gist
from runledger.report.marks import Failures, Faults, Mark, Moment, Step
from runledger.report.reachability import NodeTrack
from runledger.report.selection import CONFIGURING, Selection

MARK_BINS = 160
"""Marks of a lane that fall into the same of so many bins are drawn as one."""

_MOMENTS_KEPT = 2_000
_GROUPS_KEPT = 500
_BURST_US = 600 * SECOND_US


class Collected:
    """Everything gathered in one pass; `take` it event by event."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.events = 0
        self.about = 0
        self.told = 0
        self.types: Counter[str] = Counter()
        self.nodes: dict[str, NodeTrack] = {}
        self.marks: dict[tuple[str, str, int], Mark] = {}
        self.moments: list[Moment] = []
        self.moments_dropped = 0
        self.faults: dict[tuple[str, str], Faults] = {}
        self.failures: dict[str, Failures] = {}
        self.groups_dropped = 0
        self.steps: dict[tuple[str, str], Step] = {}
        self.trials: dict[str, Counter[str]] = {}
        self.decisions = Decisions()
        self._bursts: dict[tuple[str, str], Moment] = {}

    def take(self, event: Event) -> None:
        """Take one event that the selection includes."""
        self.events += 1
        self.types[event.type] += 1
        self.told += event.type not in CONFIGURING
        node = self.selection.node_of(event)
        if node is not None and (self.selection.nodes is None or node in self.selection.nodes):
            self.about += 1
            if node not in self.nodes:
                self._track(node)
        if isinstance(event.data, DecisionPayload):
            self._decided(event, event.data)
            return
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(self, event, event.data, node)

    def _track(self, node: str) -> NodeTrack:
        found = self.nodes.get(node)
        if found is None:
            pixel_us = self.selection.span_us // 1_000
            found = self.nodes[node] = NodeTrack(name=node, pixel_us=pixel_us)
        return found

    # -- keeping -------------------------------------------------------------

    def _mark(self, event: Event, lane: str, kind: str, text: str) -> None:
        share = (event.time_us - self.selection.since_us) / self.selection.span_us
        key = (lane, kind, int(share * MARK_BINS))
        mark = self.marks.get(key)
        if mark is None:
            self.marks[key] = Mark(lane, kind, event.time_us, event.time_us, text)
        else:
            mark.count += 1
            mark.last_us = event.time_us

    def _moment(self, event: Event, kind: str, text: str, subject: str | None = None) -> None:
        """A line in the chronicle; the same again within minutes is counted with the first."""
        subject = event.subject if subject is None else subject
        burst = self._bursts.get((kind, subject))
        if kind in _BURSTING and burst is not None and event.time_us - burst.last_us < _BURST_US:
            burst.count += 1
            burst.last_us = event.time_us
            return
        if len(self.moments) >= _MOMENTS_KEPT:
            self.moments_dropped += 1
            return
        moment = Moment(event.time_us, kind, subject, text, last_us=event.time_us)
        self.moments.append(moment)
        if kind in _BURSTING:
            self._bursts[kind, subject] = moment

    # -- by type -------------------------------------------------------------

    def _decided(self, event: Event, decision: DecisionPayload) -> None:
        fresh = self.decisions.take(event, decision)
        self._mark(
            event,
            f"decided/{decision.kind}",
            decision.verdict,
            f"{decision.kind}: {decision.verdict}",
        )
        if fresh:
            self._moment(event, "decision", told_briefly(decision), "")

    def _probed(self, event: Event, data: Any, node: str | None) -> None:
        assert node is not None
        track = self._track(node)
        before = track.up
        rebooted = track.probed(event.time_us, data.reachable, data.boot_id)
        if before is not False and not data.reachable:
            self._moment(event, "lost", gist(event), node_subject(node))
        elif before is False and data.reachable:
            self._moment(event, "back", "answers again", node_subject(node))
        if rebooted:
            self._mark(event, node, "boot", "rebooted")
            self._moment(event, "boot", "rebooted", node_subject(node))

    def _looked(self, event: Event, data: Any, node: str | None) -> None:
        if node is not None:
            self._mark(event, node, "probe", "probed")

    def _fault(self, event: Event, data: Any, node: str | None) -> None:
        kind = _fault_kind(event.type, data)
        key = (event.subject, kind)
        group = self.faults.get(key)
        if group is not None:
            group.count += 1
            group.last_us = event.time_us
        elif len(self.faults) < _GROUPS_KEPT:
            text = gist(event)
            self.faults[key] = Faults(event.subject, kind, event.time_us, event.time_us, text)
        else:
            self.groups_dropped += 1
        self._mark(event, node or "", "fault", f"{kind}, {event.subject}")
        self._moment(event, "fault", kind)

    def _failed(self, event: Event, data: Any, node: str | None) -> None:
        group = self.failures.get(data.fingerprint)
        if group is None:
            if len(self.failures) >= _GROUPS_KEPT:
                self.groups_dropped += 1
                return
            group = self.failures[data.fingerprint] = Failures(
                data.fingerprint, "", "", "", event.time_us, event.time_us
            )
        group.exception, group.message = data.exception, data.message
        group.traceback = data.traceback
        group.count += 1
        group.given_up += not data.will_retry
        group.last_us = event.time_us
        group.where[event.subject] += 1
        self._mark(event, node or "", "failure", f"{data.job}: {data.exception}")
        self._moment(event, "failure", f"{data.exception}: {data.message}")

    def _override(self, event: Event, data: Any, node: str | None) -> None:
        self._mark(event, node or "", "override", f"{data.action} {data.subject} by {data.by}")
        self._moment(event, "override", gist(event))

    def _repair(self, event: Event, data: Any, node: str | None) -> None:
        self._mark(event, node or "", "override", f"{data.subject} repaired by {data.by}")
        self._moment(event, "override", gist(event))

    def _run(self, event: Event, data: Any, node: str | None) -> None:
        self._moment(event, event.type, gist(event), f"run/{event.run or '?'}")

    def _step(self, event: Event, data: Any, node: str | None) -> None:
        key = (event.run or "", event.step or "")
        if key not in self.steps and len(self.steps) >= _GROUPS_KEPT:
            self.groups_dropped += 1
            return
        step = self.steps.setdefault(key, Step(*key))
        if event.type == "step_started":
            step.started_us = event.time_us
        else:
            step.finished_us, step.outcome = event.time_us, data.outcome
        if event.type == "step_started" or data.outcome != "succeeded":
            told = "began" if event.type == "step_started" else gist(event)
            self._moment(event, "step", f"step {event.step}: {told}", f"run/{event.run or '?'}")

    def _trial(self, event: Event, data: Any, node: str | None) -> None:
        self.trials.setdefault(event.run or "", Counter())[data.state] += 1


_BURSTING = frozenset({"fault", "failure"})


def _fault_kind(type_: str, data: Any) -> str:
    if type_ == "smu_error":
        return f"SMU {data.signature}"
    if type_ in ("gpu_fault", "node_fault"):
        return str(data.fault).replace("_", " ")
    return "process killed" if type_ == "process_killed" else "command hung"


_Handler = Callable[[Collected, Event, Any, str | None], None]
_HANDLERS: dict[str, _Handler] = {
    "ssh_probe": Collected._probed,
    "gpu_probe": Collected._looked,
    "smu_error": Collected._fault,
    "gpu_fault": Collected._fault,
    "node_fault": Collected._fault,
    "process_killed": Collected._fault,
    "command_hung": Collected._fault,
    "job_failed_with_traceback": Collected._failed,
    "override_set": Collected._override,
    "repair_done": Collected._repair,
    "run_started": Collected._run,
    "run_finished": Collected._run,
    "survivors_counted": Collected._run,
    "step_started": Collected._step,
    "step_finished": Collected._step,
    "trial_completed": Collected._trial,
}
