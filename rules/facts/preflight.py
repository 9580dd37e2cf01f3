"""Facts about a step: its nodes, the evidence on them, their cards and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.identifiers import gpu_subject, node_subject
from rules import words
from rules.facts import files
from rules.facts.budget import budget_fact
from rules.facts.evidence import Asked
from rules.facts.gpus import CardStanding, card_label, operator_says
from rules.fleet import Node, Step
from rules.folds.boots import since_boot
from rules.folds.context import Context
from rules.ruleset import Fact
from rules.state import NodeState, Override, State

Question = dict[str, Any]


class PreflightFacts:
    """Builds the facts of one preflight; each method is one kind of fact."""

    def __init__(
        self,
        state: State,
        context: Context,
        question: Question,
        at_us: int,
        standings: dict[str, CardStanding],
    ) -> None:
        self.state = state
        self.context = context
        self.question = question
        self.at_us = at_us
        self.standings = standings
        self.step_name = str(question["step"])
        self.step: Step | None = context.fleet.steps.get(self.step_name)
        self.nodes: tuple[Node, ...] = context.fleet.nodes_of(self.step_name)
        self.preflight = context.policy.preflight
        self._asked = Asked(self.step_name, at_us, self.preflight.evidence_max_age_s)
        missing = [node for node in self.nodes if self.reachable(node.name) == "no"]
        self.allowed = len(missing) <= self.preflight.allow_missing_nodes

    def node_state(self, name: str) -> NodeState:
        """What is remembered of a node; nothing, where it was never seen."""
        return self.state.nodes.get(name) or NodeState()

    def reachable(self, name: str) -> str:
        """``yes``, ``no``, or ``unknown`` where it was never probed."""
        reach = self.node_state(name).reach
        return "unknown" if reach is None else "yes" if reach.reachable else "no"

    def facts(self) -> Iterator[Fact]:
        """Every fact but the fleet's."""
        for node in self.nodes:
            yield self._node(node)
            if self.reachable(node.name) == "no" or self.node_word(node.name) is not None:
                continue
            seen = self.node_state(node.name)
            yield from self._evidence(node)
            yield from self._cards(node)
            if node.ramdisk:
                yield from files.ramdisk(self._asked, self.step, node.name, seen)
            if node.name != self.context.controller:
                yield from files.known_inputs(self._asked, self.step, node.name, seen)
        if self.nodes:
            controller = self.context.controller
            seen = self.node_state(controller)
            yield from files.inputs(self._asked, self.step, controller, seen)
        timeout_s = None if self.step is None else self.step.timeout_s
        yield from budget_fact(
            "budget",
            self.state,
            self.context.policy,
            self.step_name,
            timeout_s,
            self.question.get("trials"),
            self.question.get("seed_count"),
        )
        yield from self._run()

    # -- nodes ---------------------------------------------------------------

    def node_word(self, name: str) -> Override | None:
        """The newest active word that takes a whole node out, if it is the newest."""
        word = _newest(self.state, node_subject(name), self.at_us)
        return word if word is not None and word.action in ("exclude", "retire") else None

    def _blamed(self, name: str) -> bool:
        common = self.node_state(name).common
        if common is None:
            return False
        words_on = self.state.overrides.get(node_subject(name), ())
        return not any(
            word.action == "reinstate"
            and word.active(self.at_us)
            and word.time_us >= common.last_us
            for word in words_on
        )

    def _node(self, node: Node) -> Fact:
        seen = self.node_state(node.name)
        reach, common, cleanup = seen.reach, seen.common, seen.cleanup
        blamed = self._blamed(node.name)
        word = self.node_word(node.name)
        lost = reach is not None and not reach.reachable
        hung = [each for each in seen.hung if each.pci is None] if not lost else []
        warned = (not lost and cleanup is not None and bool(cleanup.warnings)) and since_boot(
            seen, cleanup.time_us if cleanup else 0
        )
        smu = not lost and seen.smu is not None and since_boot(seen, seen.smu.time_us)
        evidence: list[str] = []
        if lost and reach is not None:
            evidence.append(reach.event)
        if blamed and common is not None:
            evidence += common.evidence
        if word is not None:
            evidence.append(word.event)
        evidence += [each.event for each in hung]
        if warned and cleanup is not None:
            evidence.append(cleanup.event)
        if smu and seen.smu is not None:
            evidence.append(seen.smu.event)
        return Fact(
            kind="node",
            subject=node_subject(node.name),
            features={
                "reachable": self.reachable(node.name),
                "allowed": self.allowed,
                "common": blamed,
                "out": word is not None,
                "hung": bool(hung),
                "cleanup": warned,
                "smu": smu,
            },
            show={
                "node": node.name,
                "address": node.address,
                "subject": node_subject(node.name),
                "step": self.step_name,
                "why": _why_unreachable(seen),
                "allowance": self.preflight.allow_missing_nodes,
                "common_cards": common.cards if common else 0,
                "common_since": words.moment(common.since_us) if common else "",
                "operator_says": operator_says(word),
                "hung_command": words.listed([_hung(each) for each in hung]),
                "cleanup_warnings": words.listed(cleanup.warnings) if cleanup else "",
            },
            evidence=tuple(evidence),
        )

    # -- evidence ------------------------------------------------------------

    def _evidence(self, node: Node) -> Iterator[Fact]:
        seen = self.node_state(node.name)
        looked = {"ssh_probe": seen.reach, "gpu_probe": seen.probe, "kernel_log_scanned": seen.scan}
        for what in self.preflight.required_evidence:
            if what in ("ramdisk_checked", "inputs_checked"):
                continue  # required by the step, wherever it lists such files
            newest = looked.get(what)
            unreadable = what == "kernel_log_scanned" and seen.scan and not seen.scan.readable
            yield self._asked.evidence(
                node.name,
                what,
                None if newest is None else newest.time_us,
                () if newest is None else (newest.event,),
                "could not be read" if unreadable else "",
            )

    # -- cards ---------------------------------------------------------------

    def _cards(self, node: Node) -> Iterator[Fact]:
        seen = self.node_state(node.name)
        if seen.probe is None:
            return
        hung = {each.pci: each for each in seen.hung if each.pci is not None}
        shown = {gpu.card for gpu in seen.probe.gpus}
        for gpu in seen.probe.gpus:
            yield self._card(
                node.name, gpu.pci, gpu.index, gpu.state, gpu.card, hung.pop(gpu.pci, None), seen
            )
        for pci, each in sorted(hung.items()):
            key = self.state.places.get(f"{node.name} {pci}", "")
            yield self._card(node.name, pci, None, "not shown", key, each, seen)
        expected = node.gpus if node.gpus is not None else seen.probe.expected
        short = 0 if expected is None else expected - len(seen.probe.gpus)
        if short <= 0:
            return
        absent = [
            each
            for key, each in self.standings.items()
            if each.sits_out and each.card.node == node.name and key not in shown
        ][:short]
        for standing in absent:
            card = standing.card
            yield self._card(node.name, card.pci, None, "missing", standing.key, None, seen)
        yield Fact(
            kind="shortage",
            subject=node_subject(node.name),
            features={"unexplained": short - len(absent)},
            show={
                "node": node.name,
                "shown": len(seen.probe.gpus),
                "expected": expected,
                "unexplained": short - len(absent),
            },
            evidence=(seen.probe.event,),
        )

    def _card(
        self,
        node: str,
        pci: str,
        index: int | None,
        state: str,
        key: str,
        hung: Any,
        seen: NodeState,
    ) -> Fact:
        standing = self.standings.get(key)
        card = self.state.cards.get(key)
        incidents = [
            each
            for each in (card.incidents if card is not None else ())
            if since_boot(seen, each.last_us, each.boot)
        ]
        cleanup = seen.cleanup
        orphaned = 0.0
        if cleanup is not None and since_boot(seen, cleanup.time_us):
            orphaned = cleanup.orphans.get(pci, 0.0)
        evidence = [] if seen.probe is None else [seen.probe.event]
        if standing is not None and standing.sits_out:
            evidence += standing.evidence
        evidence += [each.event for each in incidents]
        evidence += [hung.event] if hung is not None else []
        evidence += [cleanup.event] if orphaned and cleanup is not None else []
        newest = incidents[-1] if incidents else None
        return Fact(
            kind="card",
            subject=gpu_subject(node, pci),
            features={
                "state": state,
                "out": standing is not None and standing.sits_out,
                "hung": hung is not None,
                "since_boot": newest is not None,
                "orphaned": orphaned > 0,
            },
            show={
                "node": node,
                "pci": pci,
                "index": index,
                "key": key,
                "subject": gpu_subject(node, pci),
                "step": self.step_name,
                "card": card_label(node, pci, index),
                "reason": standing.reason if standing is not None else "",
                "hung_command": _hung(hung) if hung is not None else "",
                "incident": f"{newest.kind} at {words.moment(newest.time_us)}" if newest else "",
                "orphaned_mib": words.number(orphaned),
            },
            evidence=tuple(dict.fromkeys(evidence)),
        )

    # -- the run and the fleet -------------------------------------------------

    def _run(self) -> Iterator[Fact]:
        run = self.state.runs.get(str(self.question.get("run")))
        if run is None or run.started_event is None:
            return
        yield Fact(
            kind="run",
            subject=f"run/{run.id}",
            features={"dropped": bool(run.dropped)},
            show={"run": run.id, "dropped": words.listed(run.dropped)},
            evidence=(run.started_event,),
        )

    def fleet(self, usable: int) -> Fact:
        """What is left of the fleet."""
        return Fact(
            kind="fleet",
            subject="fleet",
            features={"configured": len(self.nodes), "usable": usable},
            show={"step": self.step_name},
        )

    def waived(self, subject: str) -> Override | None:
        """The newest active waiver on exactly this subject."""
        held = self.state.overrides.get(subject, ())
        kind, _, rest = subject.partition("/")
        if kind == "gpu":
            node, _, pci = rest.partition("/")
            card = self.state.cards.get(self.state.places.get(f"{node} {pci}", ""))
            held = card.overrides if card is not None else ()
        waivers = [each for each in held if each.action == "waive" and each.active(self.at_us)]
        return max(waivers, key=lambda each: each.when, default=None)


def _newest(state: State, subject: str, at_us: int) -> Override | None:
    held = [
        each
        for each in state.overrides.get(subject, ())
        if each.action != "waive" and each.active(at_us)
    ]
    return max(held, key=lambda each: each.when, default=None)


def _why_unreachable(seen: NodeState) -> str:
    if seen.reach is None or seen.reach.reachable:
        return ""
    parts = [part for part in (seen.reach.error, seen.reach.detail) if part]
    return ": ".join(parts) or "no reason given"


def _hung(each: Any) -> str:
    return f"{each.command!r} ({words.span(each.timeout_s)})"
