"""A preflight judged the slow way: every question looks at the whole list of events again.

No fold, no facts, no rules. Which cards sit out is given: that has a slow way
of its own. Boots are known by their ids alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from ledger import Event
from ledger.times import SECOND_US, parse_time
from rules.fleet import Fleet, Node, Step
from rules.policy import Policy

Place = tuple[str, str]
Finding = tuple[str, str, str]
"""Rule, severity, subject."""

_SILENT = ("unresponsive", "missing")
_WORST_FIRST = {"block": "no_go", "unknown": "unknown", "degrade": "degraded"}


class Judged(NamedTuple):
    """What a preflight comes to."""

    verdict: str
    findings: set[Finding]
    nodes: list[str]
    excluded_nodes: list[str]
    excluded_gpus: dict[str, list[str]]


class Recomputed:
    """One question, asked of events (in any order) at one time."""

    def __init__(
        self,
        events: Iterable[Event],
        fleet: Fleet,
        policy: Policy,
        question: dict[str, Any],
        at_us: int,
        out: Collection[Place],
    ) -> None:
        known = [event for event in events if event.time_us <= at_us]
        self.events = sorted(known, key=lambda event: (event.time_us, event.sequence))
        self.fleet, self.policy, self.question, self.at_us = fleet, policy, question, at_us
        self.out = out
        self.step = fleet.steps.get(question["step"], Step())
        self.controller = next(node.name for node in fleet.nodes if node.address == "localhost")
        self.findings: set[Finding] = set()

    def judge(self) -> Judged:
        """The verdict, and what it rests on."""
        wanted = [node for node in self.fleet.nodes if node.name in self._names()]
        operator = [node for node in wanted if self._taken_out(node.name)]
        rest = [node for node in wanted if node not in operator]
        lost = [node for node in rest if self._is_lost(node.name)]
        here = [node for node in rest if node not in lost]
        for node in operator:
            self._say("node_excluded", "degrade", f"node/{node.name}")
            if self._is_lost(node.name):
                self._say("node_unreachable", "degrade", f"node/{node.name}")
        if self.question["step"] not in self.fleet.steps:
            severity = self.policy.preflight.unconfigured_step if self.fleet.steps else "info"
            self._say("step_not_configured", severity, f"step/{self.question['step']}")
        allowed = len(lost) <= self.policy.preflight.allow_missing_nodes
        for node in lost:
            self._say("node_unreachable", "degrade" if allowed else "block", f"node/{node.name}")
        blamed = {node.name for node in rest if self._has_common_cause(node)}
        for name in blamed:
            self._say("common_cause", "block", f"node/{name}")
        gone: dict[str, list[str]] = {}
        self.dead = sum(len(self._dead(node)) for node in here)
        for node in here:
            self._evidence(node.name)
            self._troubles(node.name)
            gone[node.name] = self._cards(node)
            if node.ramdisk:
                self._ramdisk(node.name)
            if node.name != self.controller:
                self._inputs(node.name, asked=False)
        self._inputs(self.controller, asked=True)
        self._budget()
        self._parameters()
        self._waive()
        blocked = {
            node for node in blamed if ("common_cause", "block", f"node/{node}") in self.findings
        }
        bare = {node.name for node in here if self._is_bare(node, gone[node.name])}
        left_out = {node.name for node in (*operator, *lost)} | blocked | bare
        if left_out == {node.name for node in wanted}:
            self._say("no_usable_node", "block", "fleet")
        severities = {severity for _, severity, _ in self.findings}
        verdict = next((say for s, say in _WORST_FIRST.items() if s in severities), "go")
        usable = {node.name for node in here if self._may_be_used(node.name)} - left_out
        listed = {name: cards for name, cards in gone.items() if cards}
        return Judged(verdict, self.findings, sorted(usable), sorted(left_out), listed)

    def _say(self, rule: str, severity: str, subject: str) -> None:
        self.findings.add((rule, severity, subject))

    # -- looking at events -------------------------------------------------------

    def _of(self, node: str, *types: str) -> Iterator[Event]:
        for event in self.events:
            name = getattr(event.data, "node", None)
            if event.type in types and name is not None and self.fleet.resolve(name) == node:
                yield event

    def _newest(self, node: str, type_: str) -> Any:
        return next(reversed(list(self._of(node, type_))), None)

    def _fresh(self, event: Event | None) -> bool:
        limit_us = self.policy.preflight.evidence_max_age_s * SECOND_US
        return event is not None and self.at_us - event.time_us <= limit_us

    def _since_boot(self, node: str, event: Event) -> bool:
        seen = [
            (each.time_us, each.sequence, each.data.boot_id)
            for each in self._of(node, "ssh_probe", "kernel_log_scanned", "smu_error", "gpu_fault")
            if each.data.boot_id is not None and getattr(each.data, "reachable", True)
        ]
        if not seen:
            return True
        then = [boot for *when, boot in seen if tuple(when) <= (event.time_us, event.sequence)]
        if not then:
            return len({boot for *_, boot in seen}) == 1  # it may have been in that boot
        return (getattr(event.data, "boot_id", None) or then[-1]) == seen[-1][-1]

    def _words(self, subject: str) -> list[Any]:
        """The active words on a subject, newest last."""
        return [
            event.data
            for event in self.events
            if event.type == "override_set"
            and self._named(event.data.subject) == subject
            and (event.data.expires is None or self.at_us < parse_time(event.data.expires))
        ]

    def _named(self, subject: str) -> str:
        kind, *rest = subject.split("/")
        return "/".join([kind, self.fleet.resolve(rest[0]), *rest[1:]]) if rest else subject

    # -- nodes ---------------------------------------------------------------------

    def _names(self) -> list[str]:
        return [
            node.name
            for node in self.fleet.nodes
            if self.step.nodes is None or node.name in self.step.nodes
        ]

    def _taken_out(self, node: str) -> bool:
        actions = [each.action for each in self._words(f"node/{node}") if each.action != "waive"]
        return actions[-1:] in (["exclude"], ["retire"])

    def _is_lost(self, node: str) -> bool:
        newest = self._newest(node, "ssh_probe")
        return newest is not None and not newest.data.reachable

    def _may_be_used(self, node: str) -> bool:
        required = "ssh_probe" in self.policy.preflight.required_evidence
        return not required or self._newest(node, "ssh_probe") is not None

    def _errors(self, node: str) -> list[Event]:
        return [
            event
            for event in self._of(node, "smu_error", "gpu_fault")
            if event.data.pci is not None
            and (event.type == "smu_error" or event.data.fault in self.policy.gpu.incident_faults)
        ]

    def _common_errors(self, node: Node) -> list[Event]:
        errors, gpu = self._errors(node.name), self.policy.gpu
        common: dict[str, Event] = {}
        for position, last in enumerate(errors):
            together = [
                each
                for each in errors[: position + 1]
                if last.time_us - each.time_us < gpu.incident_gap_s * SECOND_US
            ]
            failing = len({each.data.pci for each in together})
            total = self._cards_then(node, last)
            if total and failing >= max(gpu.common_cause_min_gpus, gpu.common_cause_share * total):
                common |= {each.id: each for each in together}
        return [error for error in errors if error.id in common]

    def _cards_then(self, node: Node, event: Event) -> int | None:
        """How many cards the node had: configured, else by the probe before, else by the first."""
        probes: list[Any] = list(self._of(node.name, "gpu_probe"))
        when = event.time_us, event.sequence
        before = [each for each in probes if (each.time_us, each.sequence) < when]
        if node.gpus is not None or not probes:
            return node.gpus
        return len((before[-1] if before else probes[0]).data.gpus)

    def _has_common_cause(self, node: Node) -> bool:
        words = [
            (event.time_us, event.sequence)
            for event in self.events
            if event.type == "override_set"
            and event.data in self._words(f"node/{node.name}")
            and event.data.action == "reinstate"
        ]
        errors = [
            error for error in self._common_errors(node) if self._since_boot(node.name, error)
        ]
        if not errors or self._looked_well_since(node, errors[-1]):
            return False
        return (errors[-1].time_us, errors[-1].sequence) > max(words, default=(0, 0))

    def _looked_well_since(self, node: Node, error: Event) -> bool:
        """Whether looks over an hour showed all cards ok that do not sit out."""
        looks: list[tuple[int, set[str]]] = []
        for probe, missed in self._looks(node):
            if (probe.time_us, probe.sequence) > (error.time_us, error.sequence):
                data: Any = probe.data
                bad = {gpu.pci for gpu in data.gpus if gpu.state != "ok"} | set(missed)
                looks.append((probe.time_us, bad))
        least = self.policy.gpu.reinstate_clean_probes
        for end in range(len(looks)):
            start = end
            while start > 0 and looks[start - 1][1] == looks[end][1]:
                start -= 1
            long = looks[end][0] - looks[start][0] >= 3600 * SECOND_US
            out = all((node.name, pci) in self.out for pci in looks[end][1])
            if long and end - start + 1 >= least and out:
                return True
        return False

    def _looks(self, node: Node) -> Iterator[tuple[Event, list[str]]]:
        """Each look at a node, with the cards that it misses of those shown before."""
        shown_before: list[str] = []
        missed: list[str] = []
        for probe in self._of(node.name, "gpu_probe"):
            data: Any = probe.data
            shown = [gpu.pci for gpu in data.gpus]
            known = dict.fromkeys([*missed, *shown_before])
            missed = [pci for pci in known if pci not in shown]
            expected = node.gpus if node.gpus is not None else data.expected
            if expected is not None and len(shown) >= expected:
                missed = []
            yield probe, missed
            shown_before = shown

    def _is_bare(self, node: Node, left_out: list[str]) -> bool:
        """Whether the node should have cards, and none of them may be used."""
        shown, short = self._shown(node)
        hidden = self._hidden(node)
        if not shown and not hidden:
            return short > 0
        return all(pci in left_out for pci in shown)

    def _evidence(self, node: str) -> None:
        for what in self.policy.preflight.required_evidence:
            newest = self._newest(node, what)
            unreadable = what == "kernel_log_scanned" and newest and not newest.data.readable
            if not self._fresh(newest) or unreadable:
                self._say("evidence_missing", "unknown", f"node/{node}")

    def _troubles(self, node: str) -> None:
        cleanup = self._newest(node, "cleanup_completed")
        if cleanup is not None and self._since_boot(node, cleanup):
            if cleanup.data.warnings:
                self._say("cleanup_warning", "warn", f"node/{node}")
            for pci, size in (cleanup.data.orphaned_vram_mib or {}).items():
                if size > 0:
                    self._say("cleanup_warning", "warn", f"gpu/{node}/{pci}")
        nameless = [each for each in self._of(node, "smu_error") if each.data.pci is None]
        if nameless and self._since_boot(node, nameless[-1]):
            self._say("node_smu_error", "warn", f"node/{node}")

    # -- cards ---------------------------------------------------------------------

    def _cards(self, node: Node) -> list[str]:
        """Judge the cards of a node; returns those that sit out."""
        name, probe = node.name, self._newest(node.name, "gpu_probe")
        for event in self._of(name, "command_hung"):
            newer = probe is None or (event.time_us, event.sequence) > (
                probe.time_us,
                probe.sequence,
            )
            if newer and (name, event.data.pci) not in self.out:
                pci = event.data.pci
                about = f"node/{name}" if pci is None else f"gpu/{name}/{pci}"
                self._say("command_hung", "unknown", about)
        if probe is None:
            return []
        shown, short = self._shown(node)
        hidden = self._hidden(node)
        allowed = self.dead <= self.policy.preflight.allow_dead_cards
        for pci, state in shown.items():
            self._card(node, pci, state, allowed)
        for pci in hidden:
            self._say("gpu_missing", "degrade", f"gpu/{name}/{pci}")
        left = {pci for pci in shown if (name, pci) in self.out or shown[pci] in _SILENT}
        left |= set(hidden) | set(self._asking(node, [*shown, *hidden]))
        if short > len(hidden):
            self._say("gpu_missing", "degrade" if allowed else "block", f"node/{name}")
            *_, (_, missed) = self._looks(node)
            absent = [pci for pci in missed if pci not in hidden]
            left |= set(absent if len(absent) <= short - len(hidden) else ())
        return sorted(left)

    def _shown(self, node: Node) -> tuple[dict[str, str], int]:
        """The cards that the newest look shows, with their states, and how many it lacks."""
        probe = self._newest(node.name, "gpu_probe")
        if probe is None:
            return {}, 0
        shown = {gpu.pci: gpu.state for gpu in probe.data.gpus}
        expected = node.gpus if node.gpus is not None else probe.data.expected
        return shown, 0 if expected is None else max(0, expected - len(shown))

    def _hidden(self, node: Node) -> list[str]:
        """Cards that sit out and are among the missing."""
        shown, short = self._shown(node)
        return [
            pci
            for place, pci in self.out
            if short > 0
            and place == node.name
            and pci not in shown
            and not self._is_gone(node, pci)
        ]

    def _dead(self, node: Node) -> list[str]:
        """The cards of a node that do not answer, or are missing, and do not sit out."""
        shown, short = self._shown(node)
        silent = [
            pci for pci in shown if shown[pci] in _SILENT and (node.name, pci) not in self.out
        ]
        return [*silent, *[""] * max(0, short - len(self._hidden(node)))]

    def _asking(self, node: Node, cards: list[str]) -> Iterator[str]:
        """The cards lost since the node's boot of which nobody said that they are back."""
        for pci in cards:
            lost = [
                each
                for each in self._of(node.name, "gpu_fault")
                if each.data.pci == pci and each.data.fault == "device_lost"
            ]
            words = [
                (event.time_us, event.sequence)
                for event in self.events
                if event.type == "override_set"
                and event.data in self._words(f"gpu/{node.name}/{pci}")
                and event.data.action == "reinstate"
            ]
            if not lost or not self._since_boot(node.name, lost[-1]):
                continue
            if max(words, default=(0, 0)) > (lost[-1].time_us, lost[-1].sequence):
                continue
            out = (node.name, pci) in self.out
            severity = "warn" if out else "degrade"
            self._say("gpu_needs_reset", severity, f"gpu/{node.name}/{pci}")
            if not out:
                yield pci

    def _losses(self, node: Node) -> Iterator[tuple[Event, str]]:
        """Each look that shows a card lost, by nothing that had shown before."""
        up: dict[str, Event] = {}
        silent: set[str] = set()
        for look, missed in self._looks(node):
            data: Any = look.data
            shown = {gpu.pci: gpu.state for gpu in data.gpus}
            expected = node.gpus if node.gpus is not None else data.expected
            enough = expected is None or len(missed) > expected - len(shown)
            down = [pci for pci in shown if shown[pci] in _SILENT]
            lost = [
                pci
                for pci in dict.fromkeys([*down, *([] if enough else missed)])
                if pci in up and pci not in silent
            ]
            silent |= set(lost)
            then = self._as_of(look)
            total = len(shown) if node.gpus is None else node.gpus
            gpu = self.policy.gpu
            many = total and len(lost) >= max(
                gpu.common_cause_min_gpus, gpu.common_cause_share * total
            )
            for pci in [] if many else lost:
                if not then.explained(node, pci, up[pci]):
                    yield look, pci
            for pci in shown:
                if shown[pci] == "ok":
                    up[pci] = look
                    silent.discard(pci)

    def _as_of(self, event: Event) -> Recomputed:
        """What was known when an event came."""
        when = event.time_us, event.sequence
        known = [each for each in self.events if (each.time_us, each.sequence) <= when]
        return Recomputed(known, self.fleet, self.policy, self.question, event.time_us, self.out)

    def explained(self, node: Node, pci: str, shown_ok: Event) -> bool:
        """Whether an error after a look, of the card or of so many, told that it was lost."""
        common = self._common_errors(node)
        going_on = [each for each in common if self._since_boot(node.name, each)]
        own = [
            each
            for each in self._errors(node.name)
            if each.data.pci == pci and each.id not in {error.id for error in common}
        ]
        if going_on and self._looked_well_since(node, going_on[-1]):
            going_on = []
        return any(each.time_us > shown_ok.time_us for each in [*own, *going_on[-1:]])

    def _is_gone(self, node: Node, pci: str) -> bool:
        """Whether a probe has missed a card shown before, and shown as many as there should be."""
        gone = shown = False
        for probe in self._of(node.name, "gpu_probe"):
            data: Any = probe.data
            expected = node.gpus if node.gpus is not None else data.expected
            if pci in {gpu.pci for gpu in data.gpus}:
                gone, shown = False, True
            elif shown and expected is not None and len(data.gpus) >= expected:
                gone = True
        return gone

    def _card(self, node: Node, pci: str, state: str, allowed: bool) -> None:
        about, out = f"gpu/{node.name}/{pci}", (node.name, pci) in self.out
        if out and state != "missing":
            self._say("gpu_excluded", "degrade", about)
        if state in _SILENT:
            self._say(f"gpu_{state}", "degrade" if out or allowed else "block", about)
        if state == "unknown" and not out:
            self._say("gpu_unknown", "unknown", about)
        common = {error.id for error in self._common_errors(node)}
        mine = [each for each in self._errors(node.name) if each.data.pci == pci]
        own = [each for each in mine if each.id not in common]
        own += [look for look, lost in self._losses(node) if lost == pci]
        if state == "ok" and any(self._since_boot(node.name, each) for each in own):
            self._say("smu_error_since_boot", "warn", about)

    # -- files ---------------------------------------------------------------------

    def _ramdisk(self, node: str) -> None:
        checks = list(self._of(node, "ramdisk_checked"))
        for check in self.step.ramdisk:
            event, file = _newest_look(checks, check.path)
            if not self._fresh(event):
                self._say("evidence_missing", "unknown", f"node/{node}")
            if event is None:
                continue
            filled = self.step.ramdisk_filled_by_step
            if not file.present or file.bytes == 0:
                self._say("ramdisk_missing", "warn" if filled else "block", f"node/{node}")
            if not filled and not self._since_boot(node, event):
                self._say("rebooted_since_check", "unknown", f"node/{node}")

    def _inputs(self, node: str, *, asked: bool) -> None:
        checks = [
            event
            for event in self.events
            if event.type == "inputs_checked"
            and self.fleet.resolve(event.data.node or self.controller) == node
        ]
        for check in self.step.inputs:
            event, file = _newest_look(checks, check.path)
            hashless = event and file.present and file.expected_sha256 and not file.sha256
            if asked and (not self._fresh(event) or hashless):
                self._say("evidence_missing", "unknown", f"node/{node}")
            if event is None or not (asked or self._fresh(event)):
                continue
            if not file.present or file.bytes == 0:
                self._say("input_missing", "block", f"node/{node}")
            if file.present and file.sha256 and file.expected_sha256 not in (None, file.sha256):
                self._say("input_changed", "block", f"node/{node}")

    # -- the question --------------------------------------------------------------

    def _budget(self) -> None:
        trials, seeds = self.question.get("trials"), self.question.get("seed_count")
        if trials is None or self.step.timeout_s is None:
            return
        times = [
            event.data.duration_s
            for event in self.events
            if event.type == "trial_completed"
            and event.data.state == "COMPLETE"
            and event.data.duration_s is not None
            and event.data.seed_count is not None
            and event.data.seed_count == seeds
        ]
        about = f"step/{self.question['step']}"
        if not times:
            self._say("no_comparable_trials", "info", about)
            return
        budget_s = self.step.timeout_s * self.policy.preflight.time_budget_share
        if trials * statistics.median(times) > budget_s:
            self._say("over_time_budget", "block", about)

    def _parameters(self) -> None:
        run = self.question.get("run")
        starts = [each for each in self.events if each.type == "run_started" and each.runid == run]
        data: Any = starts[-1].data if starts else None
        if data is None or None in (data.requested, data.effective):
            return
        if any(data.effective.get(key) != value for key, value in data.requested.items()):
            self._say("parameters_dropped", "warn", f"run/{run}")

    def _waive(self) -> None:
        for rule, severity, subject in list(self.findings):
            words = self._words(subject)
            if severity == "block" and words and words[-1].action == "waive":
                self.findings.remove((rule, severity, subject))
                self._say(rule, "warn", subject)


def _newest_look(checks: list[Event], path: str) -> tuple[Event | None, Any]:
    """The newest check that looked for a file, and what it says of it."""
    looks = [(each, file) for each in checks for file in each.data.files if file.path == path]  # type: ignore[attr-defined]
    return looks[-1] if looks else (None, None)
