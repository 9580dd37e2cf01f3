"""The report in plain words: what happened, what blocks, what to do.

Says only what the events and the recorded decisions say. Where nobody looked,
or nobody asked, that is what is said: silence is not health.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.payloads import Finding
from ledger.text import humanize
from rules.facts.card_standing import CardStanding, card_label
from rules.kinds import PREFLIGHT
from runledger.report import phrases
from runledger.report.collect import Collected
from runledger.report.decision_entries import Verdict
from runledger.report.gathering import Pass
from runledger.report.runs import RunRow
from runledger.report.selection import Selection
from runledger.report.sentences import Line, capital, what_happened

_LISTED = 6


@dataclass(slots=True)
class Summary:
    """Three short lists, the worst first; ``blocks`` and ``todo`` may be empty."""

    happened: list[Line]
    blocks: list[Line]
    todo: list[Line]
    clear: str
    headline: str
    tone: str


def summarise(selection: Selection, gathered: Pass, rows: list[RunRow]) -> Summary:
    """Say it in plain words."""
    collected = gathered.collected
    within = [row for row in rows if not row.before]
    happened = what_happened(selection, gathered, within)
    newest = collected.decisions.newest(PREFLIGHT)
    blocking = [
        (verdict, finding)
        for verdict in newest
        for finding in verdict.decision.findings
        if finding.severity in ("block", "unknown") and not phrases.fine(verdict.verdict)
    ]
    blocks = _blocks(blocking)
    out = [each for each in gathered.standings if _counts(selection, each) and each.sits_out]
    blocks = blocks[: _LISTED - 1]
    if out:
        blocks.append(_sit_out(out))
    todo = _todo(selection, blocking, gathered)
    clear = _clear(newest)
    headline, tone = _headline(selection, newest, out, collected)
    return Summary(happened, blocks, todo[:_LISTED], clear, headline, tone)


def _counts(selection: Selection, standing: CardStanding) -> bool:
    return selection.nodes is None or standing.card.node in selection.nodes


# -- what blocks, what to do ---------------------------------------------------------


def _blocks(blocking: list[tuple[Verdict, Finding]]) -> list[Line]:
    """A line for each rule that blocks a step; the same rule on many things is told once."""
    by_rule: dict[tuple[int, str, str], list[Finding]] = {}
    verdicts = {verdict.number: verdict for verdict, _ in blocking}
    for verdict, finding in blocking:
        by_rule.setdefault((verdict.number, finding.severity, finding.rule), []).append(finding)
    lines = []
    for (number, severity, _), findings in by_rule.items():
        step = verdicts[number].decision.question.get("step", "?")
        more = f", and {len(findings) - 1} more of the kind" if len(findings) > 1 else ""
        lines.append(
            Line(f"Step {step}: {findings[0].message}{more}.", phrases.tone(severity), number)
        )
    return sorted(lines, key=lambda each: each.tone != "bad")


def _sit_out(out: list[CardStanding]) -> Line:
    cards = humanize.listed(
        [card_label(each.card.node, each.card.pci, each.card.index) for each in out], 4
    )
    verb = "sits" if len(out) == 1 else "sit"
    return Line(f"{humanize.counted(len(out), 'card')} {verb} out: {cards}.", "poor")


def _todo(
    selection: Selection, blocking: list[tuple[Verdict, Finding]], gathered: Pass
) -> list[Line]:
    lines: dict[str, Line] = {}
    for verdict, finding in blocking:
        lines.setdefault(
            finding.remedy, Line(finding.remedy, phrases.tone(finding.severity), verdict.number)
        )
    labels = {
        f"{each.card.node}/{each.card.pci}": card_label(
            each.card.node, each.card.pci, each.card.index
        )
        for each in gathered.standings
        if each.sits_out and _counts(selection, each)
    }
    for finding in gathered.findings:
        if finding.subject.removeprefix("gpu/") in labels and finding.severity == "degrade":
            _, _, place = finding.subject.partition("/")
            text = f"{labels.get(place, place)}: {finding.remedy}"
            lines.setdefault(text, Line(text, "poor"))
    return [Line(capital(line.text), line.tone, line.number) for line in lines.values()]


def _clear(newest: list[Verdict]) -> str:
    if not newest:
        return "No preflight was recorded in this time, so nothing here says that a step may start."
    first = newest[0]
    return (
        f"Nothing, by the newest preflight (step {first.decision.question.get('step', '?')}, "
        f"{phrases.when(first.last_us)} UTC): {phrases.spoken(first.verdict)}."
    )


def _headline(
    selection: Selection, newest: list[Verdict], out: list[CardStanding], collected: Collected
) -> tuple[str, str]:
    blocked = [each for each in newest if phrases.tone(each.verdict) in ("bad", "unsure")]
    down = [each.name for each in collected.nodes.values() if each.up is False]
    if blocked:
        steps = humanize.listed([str(each.decision.question.get("step", "?")) for each in blocked])
        worst = "bad" if any(each.verdict == "no_go" for each in blocked) else "unsure"
        word = "may not start" if worst == "bad" else "cannot be judged"
        return f"Step {steps} {word}", worst
    if down:
        return f"{humanize.listed(sorted(down), 3)} does not answer", "bad"
    if out:
        return f"Running on, with {humanize.counted(len(out), 'card')} sitting out", "poor"
    if not newest:
        return "No preflight on record", "unsure"
    return "Clear to start", "good"
