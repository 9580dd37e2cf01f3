"""Decisions as text that a tired operator can act on at night.

What a recorded decision's outcome lacks, because another program wrote it, is
passed over.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.payloads import DecisionPayload, Finding
from ledger.text.characters import plain
from ledger.text.humanize import to_the_second
from runledger.kinds import SHOWN, Block, Table
from runledger.terminal.output import colour, say, table, wrapped, wrapped_remedy

_KINDS = {"block": "bad", "unknown": "bad", "degrade": "poor", "warn": "poor", "info": "dim"}
_TONES = {"good": "good", "plain": "strong", "poor": "poor", "bad": "bad", "unsure": "bad"}
_INDENT = " " * 8


def print_decision(decision: DecisionPayload, ledger: str) -> None:
    """One decision with its findings, what to do, and the ledger that it speaks of."""
    shown = SHOWN[decision.kind]
    heading = shown.heading(decision)
    if heading is not None:
        verdict = shown.verdicts.get(decision.verdict)
        word = colour(verdict.loud, _TONES[verdict.tone]) if verdict else plain(decision.verdict)
        say(f"{word}  {plain(heading)}  {to_the_second(decision.as_of.time)}")
    _blocks(shown.above(decision))
    _findings(decision.findings)
    _blocks(shown.below(decision))
    where = f"decision {decision.decision} at position {decision.as_of.sequence} of {ledger}"
    say(colour(plain(where), "dim"))


def _blocks(blocks: Iterable[Block]) -> None:
    for block in blocks:
        if isinstance(block, Table):
            table(block.heading, block.rows)
        elif block.wrap:
            for line in wrapped(block.text, first=block.wrap, rest=_INDENT):
                say(line)
        elif block.tone == "plain":
            say(plain(block.text))
        else:
            say(colour(plain(block.text), _TONES[block.tone]))


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
