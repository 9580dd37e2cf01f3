"""What is shown of a preflight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.payloads import DecisionPayload
from ledger.text import humanize
from rules.kinds import PREFLIGHT, Decided
from rules.kinds.preflight import cards_to_skip
from runledger.kinds.shown import NEEDS_PERSON, NO_GO, Block, Line, Said, Shown, Verdict


class Expected(Said, kw_only=True):
    """``excluded_gpus``: PCI addresses, by node."""

    nodes: list[str] | None = None
    excluded_nodes: list[str] | None = None
    excluded_gpus: dict[str, list[str]] | None = None


class ShownPreflight(Shown):
    """The verdict, the findings, and which nodes and cards to use."""

    kind = PREFLIGHT
    verdicts = {
        "go": Verdict("GO", "good"),
        "degraded": Verdict("GO, DEGRADED", "poor"),
        "no_go": Verdict("NO-GO", "bad", NO_GO, "no-go"),
        "unknown": Verdict("UNKNOWN: not a go", "unsure", NEEDS_PERSON),
    }
    expects = Expected
    cut = ("nodes", "excluded_nodes", "excluded_gpus")

    def heading(self, decision: DecisionPayload) -> str:
        return f"step {decision.question.get('step')}"

    def below(self, decision: DecisionPayload) -> Iterable[Block]:
        outcome = decision.outcome
        if outcome.get("nodes"):
            yield Line(f"usable nodes: {', '.join(outcome['nodes'])}")
        if outcome.get("excluded_nodes"):
            yield Line(f"left out:     {', '.join(outcome['excluded_nodes'])}")
        for node, cards in outcome.get("excluded_gpus", {}).items():
            named = ", ".join(
                f"GPU {card['index']} ({card['pci']})" if "index" in card else card["pci"]
                for card in cards
            )
            yield Line(f"cards to skip on {node}: {named}")

    def effect(self, decided: Decided) -> str:
        outcome = decided.outcome
        cards = [f"{node} {pci}" for node, pci in cards_to_skip(outcome)]
        left_out = [*outcome["excluded_nodes"], *cards]
        return f"{decided.verdict}; nodes {', '.join(outcome['nodes']) or 'none'}" + (
            f"; without {', '.join(left_out)}" if left_out else ""
        )

    def changes(self, before: Decided, after: Decided) -> list[str]:
        lines = [f"{before.verdict} → {after.verdict}"] if before.verdict != after.verdict else []
        for what, verb in (("nodes", "uses"), ("excluded_nodes", "leaves out")):
            lines += _came_and_went(before.outcome[what], after.outcome[what], verb)
        old, new = (
            [f"{node} {pci}" for node, pci in cards_to_skip(each.outcome)]
            for each in (before, after)
        )
        return lines + _came_and_went(old, new, "leaves out")

    def result(self, outcome: dict[str, Any]) -> str:
        said = [f"usable: {', '.join(outcome.get('nodes', ())) or 'no node'}"]
        if outcome.get("excluded_nodes"):
            said.append(f"left out: {', '.join(outcome['excluded_nodes'])}")
        cards = sum(len(each) for each in outcome.get("excluded_gpus", {}).values())
        if cards:
            said.append(f"{humanize.counted(cards, 'card')} sit out")
        return "; ".join(said)

    def expected(self, field: str, value: Any) -> Any:
        if field == "excluded_gpus":
            return {node: [card["pci"] for card in cards] for node, cards in value.items()}
        return super().expected(field, value)


def _came_and_went(old: Sequence[str], new: Sequence[str], verb: str) -> list[str]:
    """``leaves out rig`` for what is new, ``no longer leaves out rig`` for what is gone."""
    came = [f"{verb} {each}" for each in new if each not in old]
    return came + [f"no longer {verb} {each}" for each in old if each not in new]
