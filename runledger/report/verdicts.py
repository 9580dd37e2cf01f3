"""Verdicts as the page shows them: what was found, what to do, and the events behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ledger import Event, Ledger
from ledger.payloads import Finding
from rules.ruleset import SEVERITIES
from runledger.kinds import SHOWN
from runledger.report.decision_entries import Verdict
from runledger.report.headlines import gist

_FINDINGS_SHOWN = 40
_EVIDENCE_SHOWN = 8
_TEXT_LIMIT = 600


@dataclass(slots=True)
class Evidence:
    """One event that a finding rests on; ``found`` is false where the ledger lacks it."""

    id: str
    found: bool
    time_us: int = 0
    type: str = ""
    subject: str = ""
    text: str = ""


@dataclass(slots=True)
class Found:
    """A finding with its evidence; ``more`` events are not listed."""

    finding: Finding
    evidence: list[Evidence]
    more: int


@dataclass(slots=True)
class Told:
    """A verdict with what is shown of it; ``more`` findings are not, the lightest ones."""

    verdict: Verdict
    findings: list[Found]
    more: int
    asked: str
    outcome: str


def tell(ledger: Ledger, verdicts: Iterable[Verdict]) -> list[Told]:
    """Look up the evidence of some verdicts, each event once."""
    worst = [(verdict, _worst(verdict.decision.findings)) for verdict in verdicts]
    wanted: dict[str, None] = {}
    for _, findings in worst:
        for finding in findings:
            wanted |= dict.fromkeys(_shown(finding))
    events = {id: _evidence(event) for id, event in ledger.get_many(wanted).items()}
    return [
        Told(
            verdict,
            [
                Found(
                    finding,
                    [events.get(id) or Evidence(id, False) for id in _shown(finding)],
                    max(0, len(finding.evidence) - _EVIDENCE_SHOWN),
                )
                for finding in findings
            ],
            len(verdict.decision.findings) - len(findings),
            asked(verdict.decision.question),
            SHOWN[verdict.kind].result(verdict.decision.outcome),
        )
        for verdict, findings in worst
    ]


def _worst(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))[:_FINDINGS_SHOWN]


def _shown(finding: Finding) -> tuple[str, ...]:
    return finding.evidence[:_EVIDENCE_SHOWN]


def _evidence(event: Event) -> Evidence:
    text = gist(event)
    if len(text) > _TEXT_LIMIT:
        text = f"{text[:_TEXT_LIMIT]}…"
    return Evidence(event.id, True, event.time_us, event.type, event.subject, text)


def asked(question: dict[str, Any]) -> str:
    """The question in words: ``step 3, run R-7, 50 trials of 100,000 seeds``."""
    parts = [f"{key} {question[key]}" for key in ("step", "run", "study") if key in question]
    sizes = []
    if isinstance(question.get("trials"), int):
        sizes.append(f"{question['trials']:,} trials")
    if isinstance(question.get("seed_count"), int):
        sizes.append(f"{question['seed_count']:,} seeds")
    if sizes:
        parts.append(" of ".join(sizes))
    proposal = question.get("proposal")
    if isinstance(proposal, dict):
        parts.append(
            f"{proposal.get('proposer', 'someone')} proposed "
            f"{proposal.get('trials', '–')} × {proposal.get('seed_count', '–')}"
        )
    return ", ".join(parts)
