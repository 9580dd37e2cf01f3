"""May this step start?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ledger.payloads import Finding, PreflightDecided
from rules.facts.gpus import CardStanding
from rules.facts.own import OwnFacts
from rules.facts.preflight import PreflightFacts
from rules.kinds.kind import Decided, Draft, Kind, Question, Stakes, findings
from rules.rulebook import Rulebook
from rules.ruleset import SEVERITIES, Fact, Severity
from rules.standings import standings
from rules.state import State

Amount = Annotated[int, Meta(ge=0, le=2**53)]

MAY_START = ("go", "degraded")
"""Verdicts that let a step begin."""

_VERDICTS: dict[Severity, str] = {"block": "no_go", "unknown": "unknown", "degrade": "degraded"}
"""What a preflight comes to by its worst finding; worst first."""


class PreflightQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May this step start?"""

    step: str
    run: str | None = None
    trials: Amount | None = None
    seed_count: Amount | None = None


class Preflight(Kind):
    """Nodes and cards to use, and whether to begin at all."""

    name = "preflight"
    payload = PreflightDecided
    question = PreflightQuestion

    def judge(self, rules: Rulebook, question: Question, state: State, at_us: int) -> Draft:
        cards, _, ladder = standings(rules, state, at_us)
        about = PreflightFacts(state, rules.context, question, at_us, cards)
        facts = list(about.facts())
        own = OwnFacts(rules.own, state, rules.context, at_us)
        facts += own.preflight(question, list(facts), ladder)
        fired = rules.all_fired(facts)
        found = [_waived(finding, about) for finding in findings(fired)]
        blamed = {
            each.fact.subject
            for each, finding in zip(fired, found, strict=True)
            if each.rule.name in ("node_unreachable", "node_excluded")
            or (each.rule.name == "common_cause" and finding.severity == "block")
        }
        out, bare = _excluded_gpus(facts, cards), _bare_nodes(facts)
        usable: list[str] = []
        excluded: list[str] = []
        for node in about.nodes:
            if f"node/{node.name}" in blamed or node.name in bare:
                excluded.append(node.name)
            elif about.usable(node.name):
                usable.append(node.name)
        left = len(about.nodes) - len(excluded)
        fleet = about.fleet(left)
        found += findings(rules.all_fired([fleet]))
        of_fleet = findings(rules.all_fired(list(own.fleet(fleet))))
        found += [_waived(finding, about) for finding in of_fleet]
        found.sort(key=_finding_order)
        severities = {finding.severity for finding in found}
        return Draft(
            next((said for each, said in _VERDICTS.items() if each in severities), "go"),
            tuple(found),
            {
                "nodes": sorted(usable),
                "excluded_nodes": sorted(excluded),
                "excluded_gpus": {node: out[node] for node in sorted(out)},
            },
        )

    def effect(self, decided: Decided) -> Any:
        outcome = decided.outcome
        return decided.verdict, outcome["nodes"], outcome["excluded_nodes"], cards_to_skip(outcome)

    def deciding(self, verdict: str) -> Severity | None:
        return next((each for each, said in _VERDICTS.items() if said == verdict), None)

    def stakes(self, decided: Decided) -> Stakes:
        return Stakes(starts=decided.verdict in MAY_START)


def no_node() -> dict[str, Any]:
    """The outcome of a preflight that could not be judged."""
    return {"nodes": [], "excluded_nodes": [], "excluded_gpus": {}}


def cards_to_skip(outcome: dict[str, Any]) -> list[tuple[str, str]]:
    """Node and PCI address of the cards that an outcome leaves out."""
    return sorted(
        (node, card["pci"]) for node, out in outcome["excluded_gpus"].items() for card in out
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
