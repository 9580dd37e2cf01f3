"""May this step start?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ledger.payloads import Finding, Identifier, PreflightDecided
from rules.facts.own import OwnFacts
from rules.facts.preflight import PreflightFacts
from rules.folds.identity import place_key
from rules.kinds.kind import Decided, Draft, Kind, Question, Stakes, bounded, findings
from rules.rulebook import Rulebook
from rules.ruleset import SEVERITIES, Fact, Fired, Severity
from rules.standings import standings
from rules.state import State

Amount = Annotated[int, Meta(ge=0, le=2**53)]

MAY_START = ("go", "degraded")
"""Verdicts that let a step begin."""

_VERDICTS: dict[Severity, str] = {"block": "no_go", "unknown": "unknown", "degrade": "degraded"}
"""What a preflight comes to by its worst finding; worst first."""


class PreflightQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May this step start?"""

    step: Identifier
    run: Identifier | None = None
    trials: Amount | None = None
    seed_count: Amount | None = None


class Preflight(Kind):
    """Nodes and cards to use, and whether to begin at all."""

    name = "preflight"
    payload = PreflightDecided
    question = PreflightQuestion

    def judge(self, rules: Rulebook, question: Question, state: State, at_us: int) -> Draft:
        placed = standings(rules, state, at_us)
        about = PreflightFacts(state, rules.context, question, at_us, placed.cards, placed.climbed)
        facts = list(about.facts())
        own = OwnFacts(rules.own, state, rules.context, at_us)
        facts += own.preflight(question, list(facts), placed.ladder)
        fired = rules.all_fired(facts)
        found = [_waived(finding, about) for finding in findings(fired)]
        blamed = {
            each.fact.subject
            for each, finding in zip(fired, found, strict=True)
            if each.rule.name in ("node_unreachable", "node_excluded")
            or (each.rule.name == "common_cause" and finding.severity == "block")
        }
        out = _excluded_gpus(fired, facts, about)
        bare = _bare_nodes(facts, out)
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
        found = bounded(found)
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
    fired: Iterable[Fired], facts: Iterable[Fact], about: PreflightFacts
) -> dict[str, list[dict[str, Any]]]:
    """By node, the cards to leave out: those that sit out, do not answer, or need a reset.

    One that is missing has no index, since another may have it now.
    """
    cards: dict[tuple[str, str], dict[str, Any]] = {}

    def leave_out(show: dict[str, Any], *, down: bool, missing: bool = False) -> None:
        place = show["node"], show["pci"]
        if about.state.places.get(place_key(*place), show["key"]) != show["key"]:
            return  # another card is there now
        entry: dict[str, Any] = {"pci": show["pci"]}
        if show["index"] is not None and not missing:
            entry["index"] = show["index"]
        if down:
            entry["down"] = True
        cards.setdefault(place, entry | {"reason": show["reason"]})

    for fact in facts:
        if fact.kind == "card" and (fact.features["out"] or fact.features["down"]):
            missing = fact.features["state"] == "missing"
            leave_out(fact.show, down=bool(fact.features["down"]), missing=missing)
        elif fact.kind == "shortage":
            for key in fact.show["absent"]:
                card = about.state.cards[key]
                show = {"node": card.node, "pci": card.pci, "index": None, "key": key}
                leave_out(show | {"reason": "is missing"}, down=True)
    for each in fired:
        if each.rule.name == "gpu_needs_reset" and each.severity in ("block", "degrade"):
            leave_out(each.fact.show, down=False)
    found: dict[str, list[dict[str, Any]]] = {}
    for (node, _), entry in sorted(cards.items()):
        found.setdefault(node, []).append(entry)
    return found


def _bare_nodes(facts: Iterable[Fact], out: dict[str, list[dict[str, Any]]]) -> set[str]:
    """The nodes that should have cards, none of which may be used."""
    cards = [fact for fact in facts if fact.kind == "card"]
    left_out = {(node, card["pci"]) for node, held in out.items() for card in held}
    with_one = {
        fact.show["node"] for fact in cards if (fact.show["node"], fact.show["pci"]) not in left_out
    }
    empty = {
        fact.show["node"]
        for fact in facts
        if fact.kind == "shortage" and fact.features["shown"] == 0
    }
    return ({fact.show["node"] for fact in cards} | empty) - with_one
