"""Decisions as text that a tired operator can act on at night.

What a recorded decision's outcome lacks, because another program wrote it, is
passed over.
"""

from __future__ import annotations

from typing import Any

from ledger.payloads import DecisionPayload, Finding
from runledger.cli.output import colour, plain, say, table, to_the_second, wrapped, wrapped_remedy

_WORDS = {
    "go": ("GO", "good"),
    "degraded": ("GO, DEGRADED", "poor"),
    "no_go": ("NO-GO", "bad"),
    "unknown": ("UNKNOWN: not a go", "bad"),
    "accepted": ("ACCEPTED", "good"),
    "clamped": ("ACCEPTED, CLAMPED", "poor"),
    "rejected": ("REJECTED", "bad"),
    "needs_human": ("A PERSON MUST DECIDE", "bad"),
}
_KINDS = {"block": "bad", "unknown": "bad", "degrade": "poor", "warn": "poor", "info": "dim"}
_INDENT = " " * 8


def print_decision(decision: DecisionPayload) -> None:
    """One decision with its findings and what to do."""
    if decision.kind == "preflight":
        _verdict(decision, f"step {decision.question.get('step')}")
        _findings(decision.findings)
        _nodes(decision.outcome)
    elif decision.kind == "exclusions":
        _cards(decision.outcome.get("gpus", []))
        _findings(decision.findings)
    else:
        _parameters(decision)
        _findings(decision.findings)
    say(colour(plain(f"decision {decision.decision} at position {decision.as_of.sequence}"), "dim"))


def _verdict(decision: DecisionPayload, what: str) -> None:
    word, kind = _WORDS.get(decision.verdict, (decision.verdict.upper(), "strong"))
    say(f"{colour(word, kind)}  {plain(what)}  {to_the_second(decision.as_of.time)}")


def _findings(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        first, *rest = wrapped(finding.message, first=_INDENT, rest=_INDENT)
        label = colour(f"{finding.severity:<8}", _KINDS[finding.severity])
        say(label + first.removeprefix(_INDENT))
        for line in rest:
            say(line)
        if finding.remedy:
            for line in wrapped_remedy(finding.remedy, first=f"{_INDENT}→ ", rest=f"{_INDENT}  "):
                say(line)


def _nodes(outcome: dict[str, Any]) -> None:
    if outcome.get("nodes"):
        say(plain(f"usable nodes: {', '.join(outcome['nodes'])}"))
    if outcome.get("excluded_nodes"):
        say(plain(f"left out:     {', '.join(outcome['excluded_nodes'])}"))
    for node, cards in outcome.get("excluded_gpus", {}).items():
        named = ", ".join(
            f"GPU {card['index']} ({card['pci']})" if "index" in card else card["pci"]
            for card in cards
        )
        say(plain(f"cards to skip on {node}: {named}"))


def _cards(gpus: list[dict[str, Any]]) -> None:
    if not gpus:
        say(colour("no card is watched or out", "good"))
        return
    table(
        ("STATE", "NODE", "GPU", "PCI", "SINCE", "WHY"),
        (
            (
                card["state"],
                card["node"],
                "gone" if card.get("gone") else card.get("index", "?"),
                card["pci"],
                to_the_second(card["since"]),
                card["reason"],
            )
            for card in gpus
        ),
    )


def _parameters(decision: DecisionPayload) -> None:
    outcome = decision.outcome
    if "clause" in outcome:
        _verdict(decision, f"by {outcome['clause']}")
    not_applied = decision.verdict in ("rejected", "needs_human")
    numbers = outcome.get("next", outcome) if not_applied else outcome
    if {"trials", "seed_count"} <= set(numbers):
        say(
            f"{numbers['trials']:,} trials x {numbers['seed_count']:,} seeds"
            + plain(f"  (rule: {outcome.get('rule')})")
        )
    for advice in outcome.get("advice", ()):
        text = advice.get("text") if isinstance(advice, dict) else advice
        if text:
            for line in wrapped(text, first="advice: ", rest=_INDENT):
                say(line)
