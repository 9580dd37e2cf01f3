"""Deciding: the pure second half, from a state to a verdict with its reasons.

`Judge` holds what does not change between decisions (policy, fleet, compiled
rules); every method is a pure function of the state, the question and the
judging time. Nothing here reads a clock, a file or a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ledger.payloads import Finding
from rules.engine import Name, chosen, evaluator
from rules.facts.advice import advise
from rules.facts.budget import budget_fact
from rules.facts.failures import failure_facts, weighing
from rules.facts.gpus import CardStanding, card_standing, gpu_facts, outcome_entry
from rules.facts.parameters import (
    History,
    Numbers,
    history,
    last_run_fact,
    note_facts,
    numbers_for,
)
from rules.facts.preflight import PreflightFacts
from rules.facts.proposals import judge_proposal
from rules.fleet import Fleet
from rules.fold import Fold
from rules.folds.context import Context
from rules.in_force import resolve
from rules.ladder import Standing, worst
from rules.policy import Policy
from rules.ruleset import SEVERITIES, Fact, Fired, Rule, Severity
from rules.rulesets import ALL_RULES
from rules.state import State

Question = dict[str, Any]

_VERDICTS: dict[Severity, str] = {"block": "no_go", "unknown": "unknown", "degrade": "degraded"}
"""What a preflight comes to by its worst finding; worst first."""

_PROPOSAL_VERDICTS = ("rejected", "needs_human", "clamped")
"""What a proposal may come to beside accepted; worst first."""


class Draft(msgspec.Struct, frozen=True):
    """A decision without its identity: what is judged when two are compared."""

    verdict: str
    findings: tuple[Finding, ...]
    outcome: dict[str, Any]


Watch = Callable[[Fact, Sequence[Rule]], None]
"""Called with every fact that is judged, and the rules that hold for it."""


class Judge:
    """Decides under one policy and fleet.

    ``watch`` sees every fact and what fired for it: that is how a decision is
    explained by the very code that makes it. ``engine`` names the evaluator, where
    it shall not be the one that was chosen for this process.
    """

    def __init__(
        self,
        policy: Policy,
        fleet: Fleet,
        *,
        watch: Watch | None = None,
        engine: Name | None = None,
    ) -> None:
        self.policy = policy
        self.fleet = fleet
        self.fold = Fold(policy, fleet)
        self._context = Context(policy, fleet)
        self.engine = engine or chosen()
        self._rules = evaluator(resolve(ALL_RULES, policy), self.engine)
        self._watch = watch

    def decide(self, kind: str, question: Question, state: State, at_us: int) -> Draft:
        """The decision of a kind (``preflight``, ``exclusions``, ``parameters``)."""
        if kind == "preflight":
            return self.preflight(question, state, at_us)
        if kind == "exclusions":
            return self.exclusions(state, at_us)
        if kind == "parameters":
            return self.parameters(question, state, at_us)
        raise ValueError(f"no decision of kind {kind!r}")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force, each limit a value."""
        return self._rules.rules

    # -- which cards sit out ---------------------------------------------------

    def standings(self, state: State, at_us: int) -> tuple[dict[str, CardStanding], list[Fired]]:
        """Every card that is not ok, by its key, and the rules that say so."""
        causes = []
        failures = failure_facts(state, self._context, at_us)
        for (failure, _), fired in zip(
            failures, self._fired([fact for _, fact in failures]), strict=True
        ):
            causes.append((failure, fired[0].rule.name if fired else "unknown"))
        own = weighing(state, self._context, at_us, causes)
        facts = gpu_facts(state, self._context, at_us, own)
        said: list[Fired] = []
        found: dict[str, tuple[Standing, list[Fired]]] = {}
        for (key, standing, _), fired in zip(
            facts, self._fired([fact for _, _, fact in facts]), strict=True
        ):
            said += fired
            found.setdefault(key, (standing, []))[1].extend(fired)
        standings = {
            key: card_standing(key, state.cards[key], standing, fired)
            for key, (standing, fired) in found.items()
            if fired
        }
        return standings, said

    def exclusions(self, state: State, at_us: int) -> Draft:
        """Which GPUs must sit out."""
        standings, fired = self.standings(state, at_us)
        ordered = sorted(
            standings.values(), key=lambda each: (each.card.node, each.card.pci, each.key)
        )
        gpus = [outcome_entry(each, state) for each in ordered]
        return Draft(worst(*(each.state for each in ordered)), _findings(fired), {"gpus": gpus})

    # -- may a step start --------------------------------------------------------

    def preflight(self, question: Question, state: State, at_us: int) -> Draft:
        """May this step start?"""
        standings, _ = self.standings(state, at_us)
        about = PreflightFacts(state, self._context, question, at_us, standings)
        facts = list(about.facts())
        fired = [each for found in self._fired(facts) for each in found]
        findings = [_waived(finding, about) for finding in _findings(fired)]
        blamed = {
            each.fact.subject
            for each, finding in zip(fired, findings, strict=True)
            if each.rule.name in ("node_unreachable", "node_excluded")
            or (each.rule.name == "common_cause" and finding.severity == "block")
        }
        out, bare = _excluded_gpus(facts, standings), _bare_nodes(facts)
        usable: list[str] = []
        excluded: list[str] = []
        for node in about.nodes:
            if f"node/{node.name}" in blamed or node.name in bare:
                excluded.append(node.name)
            elif about.usable(node.name):
                usable.append(node.name)
        left = len(about.nodes) - len(excluded)
        (fleet_fired,) = self._fired([about.fleet(left)])
        findings += _findings(fleet_fired)
        findings.sort(key=_finding_order)
        severities = {finding.severity for finding in findings}
        return Draft(
            next((said for each, said in _VERDICTS.items() if each in severities), "go"),
            tuple(findings),
            {
                "nodes": sorted(usable),
                "excluded_nodes": sorted(excluded),
                "excluded_gpus": {node: out[node] for node in sorted(out)},
            },
        )

    # -- how many trials and seeds next --------------------------------------------

    def parameters(self, question: Question, state: State, at_us: int) -> Draft:
        """The next run's parameters; with a ``proposal`` in the question, the answer to it."""
        scope = {str(key): str(value) for key, value in (question.get("scope") or {}).items()}
        found = history(state, question.get("study"), scope, at_us)
        (speaking,) = self._fired([last_run_fact(found)])
        fired = [each for said in self._fired(note_facts(found)) for each in said]
        counted = found.last.counted if found.last is not None else None
        rule, effect = (
            "no_history",
            {"trials": "default_trials", "seed_count": "default_seed_count"},
        )
        if speaking:
            rule, effect = speaking[0].rule.name, speaking[0].rule.effect
            fired = [speaking[0], *fired]
        numbers = numbers_for(effect, self.policy, counted)
        step = question.get("step")
        timeout_s = None
        if step is not None and str(step) in self.fleet.steps:
            timeout_s = self.fleet.steps[str(step)].timeout_s
        advice, second = advise(self.policy, state, found, numbers, timeout_s)
        if self.policy.tuning.rule == "second_opinion" and second is not None:
            rule, numbers = "second_opinion", second
        outcome: dict[str, Any] = {
            "trials": numbers.trials,
            "seed_count": numbers.seed_count,
            "rule": rule,
            "advice": advice,
        }
        verdict = "proposed"
        proposal = question.get("proposal")
        if proposal is not None:
            verdict, said = self._proposal(proposal, state, found, numbers, at_us, outcome)
            fired += said
            if outcome["applied"] is not None:
                numbers = Numbers(outcome["trials"], outcome["seed_count"])
        if step is not None:
            facts = budget_fact(
                "next_budget",
                state,
                self.policy,
                str(step),
                timeout_s,
                numbers.trials,
                numbers.seed_count,
            )
            fired += [each for said in self._fired(facts) for each in said]
        return Draft(verdict, _findings(fired), outcome)

    def _proposal(
        self,
        proposal: dict[str, Any],
        state: State,
        found: History,
        next_: Numbers,
        at_us: int,
        outcome: dict[str, Any],
    ) -> tuple[str, list[Fired]]:
        judged = judge_proposal(proposal, state, self.policy, found, next_, at_us)
        (fired,) = self._fired([judged.fact])
        said = [each.rule.effect["verdict"] for each in fired]
        verdict = next((each for each in _PROPOSAL_VERDICTS if each in said), "accepted")
        clause = "within_bounds"
        if verdict in said:
            clause = judged.clauses[fired[said.index(verdict)].rule.name]
        outcome["requested"] = judged.requested
        outcome["clause"] = clause
        outcome["applied"] = None
        outcome["next"] = {"trials": next_.trials, "seed_count": next_.seed_count}
        if verdict in ("accepted", "clamped"):
            outcome["applied"] = {
                "trials": judged.applied.trials,
                "seed_count": judged.applied.seed_count,
            }
            outcome |= outcome["applied"]
        return verdict, fired

    # -- rules -------------------------------------------------------------------

    def _fired(self, facts: Sequence[Fact]) -> list[list[Fired]]:
        hits = self._rules.fired([(fact.kind, fact.features) for fact in facts])
        rules = self.rules
        if self._watch is not None:
            for fact, positions in zip(facts, hits, strict=True):
                self._watch(fact, [rules[position] for position in positions])
        return [
            [Fired(rules[position], fact) for position in positions]
            for fact, positions in zip(facts, hits, strict=True)
        ]


def _findings(fired: Iterable[Fired]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            rule=each.rule.name,
            severity=each.rule.severity,
            subject=each.fact.subject,
            message=each.message,
            remedy=each.remedy,
            evidence=each.fact.evidence,
        )
        for each in fired
    )


def _finding_order(finding: Finding) -> tuple[int, str, str, str]:
    return SEVERITIES.index(finding.severity), finding.subject, finding.rule, finding.message


def _waived(finding: Finding, about: PreflightFacts) -> Finding:
    """A block on a waived subject as the warning that is left of it."""
    waiver = about.waived(finding.subject) if finding.severity == "block" else None
    if waiver is None:
        return finding
    return msgspec.structs.replace(
        finding,
        severity="warn",
        message=f"{finding.message} (waived by {waiver.by}: {waiver.reason})",
        evidence=(*finding.evidence, waiver.event),
    )


def _excluded_gpus(
    facts: Iterable[Fact], standings: dict[str, CardStanding]
) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = {}
    for fact in facts:
        if fact.kind == "card" and fact.features["out"]:
            entry: dict[str, Any] = {"pci": fact.show["pci"]}
            if fact.show["index"] is not None:
                entry["index"] = fact.show["index"]
            entry["reason"] = standings[fact.show["key"]].reason
            out.setdefault(fact.show["node"], []).append(entry)
    return {node: sorted(cards, key=lambda each: str(each["pci"])) for node, cards in out.items()}


def _bare_nodes(facts: Iterable[Fact]) -> set[str]:
    """The nodes that have cards, every one of which sits out."""
    cards = [fact for fact in facts if fact.kind == "card"]
    with_one = {fact.show["node"] for fact in cards if not fact.features["out"]}
    return {fact.show["node"] for fact in cards} - with_one
