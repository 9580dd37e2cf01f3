"""Facts about a step: its nodes, the evidence on them, their cards and files.

Longer than most: a method a kind of fact, in the order in which findings are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ledger.identifiers import node_subject
from ledger.text import humanize
from ledger.times import SECOND_US
from rules.card import Override
from rules.facts import files
from rules.facts.budget import budget_fact
from rules.facts.card_standing import CardStanding
from rules.facts.card_words import operator_says
from rules.facts.common import fleet_facts, node_facts
from rules.facts.evidence import Asked
from rules.facts.node_cards import CardFacts, hung_fact
from rules.facts.witnesses import witness_fact
from rules.fleet import Node, Step
from rules.folds.boots import since_boot
from rules.folds.context import Context
from rules.folds.identity import place_key
from rules.folds.kept import within
from rules.ladder import Standing
from rules.ruleset import Fact, known
from rules.state import Cleanup, Kept, NodeState, Noted, Reach, State

Question = dict[str, Any]

_MEND = {
    "dns": "check how {address} is spelt and resolved",
    "refused": "{node} answers, its SSH server does not: start it, or check port",
    "auth": "check user and key: ssh {address} true",
    "host_key": "find out why the host key of {address} is not the known one",
}
"""What to do about a node, by why it did not answer."""

_UNREADABLE = (
    "says that the log could not be read",
    "let the user who probes {node} read its kernel log (group systemd-journal or adm)",
)
"""What is wrong with a scan of a kernel log that could not be read, and what to do."""

_NODE_FAULTS = frozenset({"readonly_fs", "machine_check", "lockup", "storage", "fabric"})
"""The faults of a node that are told; the others explain jobs at most."""


class PreflightFacts:
    """Builds the facts of one preflight; each method is one kind of fact."""

    def __init__(
        self,
        state: State,
        context: Context,
        question: Question,
        at_us: int,
        standings: dict[str, CardStanding],
        climbed: dict[str, Standing],
    ) -> None:
        self.state = state
        self.context = context
        self.question = question
        self.at_us = at_us
        self.standings = standings
        self.step_name = str(question["step"])
        self.step: Step | None = context.fleet.step(self.step_name)
        self.nodes: tuple[Node, ...] = context.fleet.nodes_of(self.step_name)
        self.preflight = context.policy.preflight
        max_age_s = self.preflight.evidence_max_age_s
        self._asked = Asked(self.step_name, at_us, max_age_s, humanize.span(max_age_s))
        self._unreachable = sum(
            self.reachable(node.name) is False and self.sits_out(node.name) is None
            for node in self.nodes
        )
        self._out = {key for key, each in standings.items() if each.sits_out}
        self._cards = {
            node.name: CardFacts(state, context, at_us, node, standings, climbed, self.step_name)
            for node in self.nodes
            if self.reachable(node.name) is not False and self.sits_out(node.name) is None
        }
        self._dead = sum(cards.dead for cards in self._cards.values())

    def node_state(self, name: str) -> NodeState:
        """What is remembered of a node; nothing, where it was never seen."""
        return self.state.nodes.get(name) or NodeState()

    def reachable(self, name: str) -> bool | None:
        """Whether it answered the newest probe; None where it was never probed."""
        reach = self.node_state(name).reach
        return None if reach is None else reach.reachable

    def usable(self, name: str) -> bool:
        """Whether a node answered; where the policy asks for no answer, whether it may have."""
        reachable = self.reachable(name)
        asked = "ssh_probe" in self.preflight.required_evidence
        return reachable is True or (reachable is None and not asked)

    def facts(self) -> Iterator[Fact]:
        """Every fact but the fleet's."""
        yield self._question()
        for node in self.nodes:
            yield self._node(node)
            if self.sits_out(node.name) is not None:
                continue
            yield from node_facts(
                self.state, self.context, node, self._out, self.at_us, self._show(node)
            )
            if self.reachable(node.name) is False:
                continue
            seen = self.node_state(node.name)
            yield from self._evidence(node)
            yield from self._troubles(node)
            yield from self._cards[node.name].facts(self._dead)
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
        yield from fleet_facts(self.state, self._out, self.at_us)
        yield from witness_fact(self.state)

    def _question(self) -> Fact:
        asked = {name: self.question.get(name) for name in ("trials", "seed_count")}
        fleet = self.context.fleet
        return Fact(
            kind="question",
            subject=f"step/{self.step_name}",
            features=known(
                step=self.step_name,
                configured=self.step is not None,
                steps=len(fleet.steps),
                **asked,
            ),
            show={
                "step": self.step_name,
                "nearest": fleet.nearest_step(self.step_name) if self.step is None else "",
            },
        )

    # -- nodes ---------------------------------------------------------------

    def sits_out(self, name: str) -> Override | None:
        """The operator's word that takes a whole node out, if one does."""
        held = self.state.overrides.get(node_subject(name), ())
        words_on = [each for each in held if each.action != "waive" and each.active(self.at_us)]
        newest = words_on[-1] if words_on else None
        return newest if newest is not None and newest.action in ("exclude", "retire") else None

    def _node(self, node: Node) -> Fact:
        seen = self.node_state(node.name)
        reach, started_us = seen.reach, None if seen.boot is None else seen.boot.started_us
        lost = reach if reach is not None and not reach.reachable else None
        old = lost is not None and not self._asked.is_fresh(lost.time_us)
        word = self.sits_out(node.name)
        evidence = [] if word is None else [word.event]
        evidence += [] if lost is None else [lost.event]
        return Fact(
            kind="node",
            subject=node_subject(node.name),
            features=known(
                reachable=self.reachable(node.name),
                out=word is not None,
                unreachable_nodes=self._unreachable,
                cards=None if seen.probe is None else len(seen.probe.gpus),
                uptime_s=None if started_us is None else (self.at_us - started_us) / SECOND_US,
                mem_total_mib=None if reach is None else reach.mem_total_mib,
                mem_available_mib=None if reach is None else reach.mem_available_mib,
                ramdisk_free_mib=None if seen.ramdisk_free is None else seen.ramdisk_free.mib,
                jobs_failed=self._jobs_failed(seen),
            ),
            show=self._show(node)
            | {
                "why": "" if lost is None else _why(lost),
                "since": f" at {humanize.moment(lost.time_us)}" if lost is not None and old else "",
                "mend": "probe again, that look is old" if old else _mend(node, lost),
                "allowance": self.preflight.allow_missing_nodes,
                "operator_says": operator_says(word),
            },
            evidence=tuple(evidence),
        )

    def _jobs_failed(self, seen: NodeState) -> int:
        failed = seen.failed or Kept()
        return len(within(failed, self.context.window_us, self.at_us).times)

    def _show(self, node: Node) -> dict[str, Any]:
        return {
            "node": node.name,
            "address": node.address,
            "subject": node_subject(node.name),
            "step": self.step_name,
        }

    def _troubles(self, node: Node) -> Iterator[Fact]:
        """What is known against a node that answers, beside its cards and files."""
        seen, subject, show = self.node_state(node.name), node_subject(node.name), self._show(node)
        hung = [each for each in seen.hung if each.pci is None]
        if hung:
            yield hung_fact(subject, node.name, hung, show, out=False)
        cleanup, scan = seen.cleanup, seen.scan
        if cleanup is not None and since_boot(seen, cleanup.time_us):
            warnings = [each for each in cleanup.warnings if not _of_orphans(each, cleanup)]
            yield Fact(
                kind="cleanup",
                subject=subject,
                features={"warnings": len(warnings)},
                show=show | {"warnings": humanize.listed(warnings)},
                evidence=(cleanup.event,),
            )
        if scan is not None and since_boot(seen, scan.time_us, scan.boot):
            yield Fact(
                kind="log",
                subject=subject,
                features={"unread": scan.unread},
                show=show | {"unread": humanize.counted(scan.unread, "line")},
                evidence=(scan.event,),
            )
        smu = {} if seen.smu is None else {"SMU error": seen.smu}
        for kind, noted in (
            ("node_smu", smu),
            ("node_gpu_fault", seen.gpu_faults),
            ("node_fault", {what.replace("_", " "): held for what, held in seen.faults.items()}),
        ):
            yield from self._noted(kind, node, noted)

    def _noted(self, kind: str, node: Node, noted: dict[str, Noted]) -> Iterator[Fact]:
        """Lines of a node that blame no card: those since its boot."""
        seen = self.node_state(node.name)
        counted = {
            what: held
            for what, held in sorted(noted.items())
            if since_boot(seen, held.time_us, held.boot)
            and (kind != "node_fault" or what.replace(" ", "_") in _NODE_FAULTS)
        }
        if noted:
            yield Fact(
                kind=kind,
                subject=node_subject(node.name),
                features={"since_boot": bool(counted)},
                show=self._show(node) | {"what": humanize.listed(list(counted))},
                evidence=tuple(held.event for held in (counted or noted).values()),
            )

    # -- evidence ------------------------------------------------------------

    def _evidence(self, node: Node) -> Iterator[Fact]:
        seen = self.node_state(node.name)
        looked = {"ssh_probe": seen.reach, "gpu_probe": seen.probe, "kernel_log_scanned": seen.scan}
        wrong = seen.reach if seen.reach is not None and seen.reach.is_wrong else None
        required = self.preflight.required_evidence
        for what in dict.fromkeys(["ssh_probe", *required] if wrong else required):
            if what in ("ramdisk_checked", "inputs_checked"):
                continue  # required by the step, wherever it lists such files
            newest = looked.get(what)
            unreadable = what == "kernel_log_scanned" and seen.scan and not seen.scan.readable
            problem, mend = _UNREADABLE if unreadable else ("", "")
            if what == "ssh_probe" and wrong is not None:
                # What was known before cannot stand in for what was asked now.
                problem, mend = f"says: {wrong.detail}", _remedy(wrong)
            yield self._asked.evidence(
                node.name,
                what,
                None if newest is None else newest.time_us,
                () if newest is None else (newest.event,),
                problem,
                mend.replace("{node}", node.name),
            )

    # -- the run and the fleet -------------------------------------------------

    def _run(self) -> Iterator[Fact]:
        run = self.state.runs.get(str(self.question.get("run")))
        if run is None:
            return
        asked = self.context.fleet.step_name(self.step_name)
        steps = [
            step
            for name, step in run.steps.items()
            if step.event and self.context.fleet.step_name(name) == asked
        ]
        evidence = [step.event for step in steps]
        if run.started_event is not None:
            evidence.insert(0, run.started_event)
        if not evidence:
            return
        dropped = [run.dropped, *(step.dropped for step in steps)]
        differing = list(dict.fromkeys(each for listed in dropped for each in listed))
        counted = run.counted
        yield Fact(
            kind="run",
            subject=f"run/{run.id}",
            features=known(
                dropped=len(differing),
                trials=run.trials,
                seed_count=run.seed_count,
                completed_trials=None if counted is None else counted.completed_trials,
                survivors=None if counted is None else counted.survivors,
            ),
            show={"run": run.id, "dropped": humanize.listed(differing)},
            evidence=tuple(evidence),
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
        """The waiver on exactly this subject, where it is the newest active word there."""
        held = self.state.overrides.get(subject, ())
        kind, _, rest = subject.partition("/")
        if kind == "gpu":
            node, _, pci = rest.partition("/")
            card = self.state.cards.get(self.state.places.get(place_key(node, pci), ""))
            held = card.overrides if card is not None else ()
        newest = next((each for each in reversed(held) if each.active(self.at_us)), None)
        return newest if newest is not None and newest.action == "waive" else None


def _of_orphans(warning: str, cleanup: Cleanup) -> bool:
    """Whether a warning is about memory left on a card, which is told of the card itself."""
    about_memory = re.search(r"orphan|vram|memory", warning, re.IGNORECASE) is not None
    return about_memory and any(pci in warning.lower() for pci in cleanup.orphans)


def _why(lost: Reach) -> str:
    return ": ".join(part for part in (lost.error, lost.detail) if part) or "no reason given"


def _mend(node: Node, lost: Reach | None) -> str:
    if lost is not None and lost.remedy:
        return _remedy(lost)
    error = "" if lost is None else lost.error
    advice = _MEND.get(error, "check the power and network of {node} ({address})")
    return advice.format(node=node.name, address=node.address)


def _remedy(reach: Reach) -> str:
    """What whoever looked says to do; that one then looks again goes without saying."""
    return reach.remedy.removesuffix(", then rerun")
