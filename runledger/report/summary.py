"""The report in plain words: what happened, what blocks, what to do.

Says only what the events and the recorded decisions say. Where nobody looked,
or nobody asked, that is what is said: silence is not health.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ledger.payloads import Finding
from rules import words
from rules.facts.gpus import CardStanding, card_label
from runledger.report import phrases
from runledger.report.collect import Collected
from runledger.report.decided import FINE, Verdict
from runledger.report.reading import Pass
from runledger.report.runs import RunRow
from runledger.report.selection import Selection

_LISTED = 6


@dataclass(slots=True)
class Line:
    """One sentence; ``number`` links to a verdict on the page."""

    text: str
    tone: str = "plain"
    number: int | None = None


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
    happened = [
        *_runs(selection, within),
        *_nodes(selection, collected),
        *_faults(gathered),
        *_failures(collected),
        *_decisions(collected),
    ]
    newest = collected.decisions.newest("preflight")
    blocking = [
        (verdict, finding)
        for verdict in newest
        for finding in verdict.decision.findings
        if finding.severity in ("block", "unknown") and verdict.verdict not in FINE
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


# -- what happened -----------------------------------------------------------------


def _runs(selection: Selection, rows: list[RunRow]) -> list[Line]:
    if len(rows) == 1 or selection.kind == "run":
        return _one_run(rows[0]) if rows else []
    if not rows:
        return []
    ended = Counter(row.run.outcome or ("counted" if row.run.counted else "open") for row in rows)
    told = [
        f"{ended[key]} {text}"
        for key, text in (
            ("succeeded", "succeeded"),
            ("failed", "failed"),
            ("aborted", "aborted"),
            ("counted", "counted without an end on record"),
            ("open", "with no end on record"),
        )
        if ended[key]
    ]
    bad = ended["failed"] + ended["aborted"]
    lines = [
        Line(f"{words.count(len(rows), 'run')}: {', '.join(told)}.", "poor" if bad else "plain")
    ]
    unknown = [row for row in rows if row.survivors is None and row.end_us is not None]
    zero = [row for row in rows if row.survivors == 0]
    found = [row for row in rows if row.survivors]
    if found:
        best = max(found, key=lambda row: row.survivors or 0)
        lines.append(
            Line(
                f"Survivors were found by {words.count(len(found), 'run')}; most by "
                f"{best.run.id}: {best.survivors:,}.",
            )
        )
    if zero or unknown:
        parts = []
        if zero:
            parts.append(f"{words.count(len(zero), 'run')} found none")
        if unknown:
            parts.append(
                f"{words.count(len(unknown), 'run')} ended without a count "
                "(unknown, which is not zero)"
            )
        text = "; ".join(parts)
        lines.append(Line(f"{_capital(text)}.", "poor" if unknown else "plain"))
    return lines


def _one_run(row: RunRow) -> list[Line]:
    run = row.run
    asked = ""
    if row.trials is not None and row.seed_count is not None:
        asked = f" asked for {row.trials:,} trials of {row.seed_count:,} seeds"
    if run.outcome is None:
        end = "no end is on record"
    else:
        took = "" if row.end_us is None else f" after {phrases.lasted(row.end_us - row.time_us)}"
        was = "was " if run.outcome == "aborted" else ""
        end = f"it {was}{run.outcome}{took}" + (f" ({run.reason})" if run.reason else "")
    lines = [Line(f"{run.id}{asked}; {end}.", phrases.tone(run.outcome or "unknown"))]
    if row.survivors is not None:
        part = f", on a part only ({row.partial})" if row.partial else ""
        lines.append(Line(f"{row.survivors:,} survivors were counted{part}."))
    elif run.outcome is not None:
        lines.append(
            Line("Nothing was counted: its yield is unknown, which is not zero.", "unsure")
        )
    if row.parameters is not None and row.parameters.followed is False:
        lines.append(
            Line(
                f"It did not follow the decision before it: {row.parameters.text}.",
                "poor",
                row.parameters.number,
            )
        )
    return lines


def _nodes(selection: Selection, collected: Collected) -> list[Line]:
    lines = []
    for track in sorted(collected.nodes.values(), key=lambda each: each.name):
        if track.up is False:
            down = next((each for each in reversed(track.stretches) if each.state == "down"), None)
            since = track.seen_us if down is None else down.start_us
            lines.append(
                Line(
                    f"{track.name} stopped answering by {phrases.when(since)} UTC and had not "
                    "answered again when last asked.",
                    "bad",
                )
            )
    back = [each for each in collected.nodes.values() if each.lost and each.up]
    if back:
        names = words.listed(
            [f"{each.name} ({each.lost}×)" for each in sorted(back, key=lambda each: -each.lost)], 4
        )
        lines.append(Line(f"Lost, and back again: {names}.", "poor"))
    looked = [each for each in collected.nodes.values() if each.probes]
    if not looked and selection.kind != "run":
        lines.append(
            Line(
                "Nobody looked: no probe of a node is on record, so nothing here says that "
                "one was well.",
                "unsure",
            )
        )
    elif looked and not lines:
        probes = sum(each.probes for each in looked)
        lines.append(
            Line(f"{words.count(len(looked), 'node')} answered each of {probes:,} probes.", "good")
        )
    return lines


def _faults(gathered: Pass) -> list[Line]:
    faults = gathered.collected.faults.values()
    if not faults:
        return []
    subjects: dict[str, int] = {}
    for fault in faults:
        subjects[fault.subject] = subjects.get(fault.subject, 0) + fault.count
    worst = sorted(subjects.items(), key=lambda each: -each[1])
    indexes = card_indexes(gathered)
    total = sum(subjects.values())
    names = words.listed(
        [f"{phrases.named(subject, indexes)} ({count:,})" for subject, count in worst], 3
    )
    return [Line(f"{words.count(total, 'fault')}: {names}.", "poor")]


def _failures(collected: Collected) -> list[Line]:
    failures = sorted(collected.failures.values(), key=lambda each: -each.count)
    if not failures:
        return []
    total = sum(each.count for each in failures)
    most = failures[0]
    often = f", most often {most.exception}" if len(failures) > 1 else f": {most.exception}"
    ways = f" in {len(failures)} different ways" if len(failures) > 1 else ""
    given_up = sum(each.given_up for each in failures)
    end = f" {words.count(given_up, 'of them was')} not to be retried." if given_up == 1 else ""
    if given_up > 1:
        end = f" {given_up:,} of them were not to be retried."
    return [Line(f"{words.count(total, 'job')} failed{ways}{often}.{end}", "poor")]


def _decisions(collected: Collected) -> list[Line]:
    made = collected.decisions
    if not made.total:
        return [Line("No decision was recorded.", "unsure")]
    kinds: dict[str, list[str]] = {}
    for (kind, verdict), count in sorted(made.verdicts.items(), key=lambda each: -each[1]):
        kinds.setdefault(kind, []).append(f"{count:,} {phrases.spoken(verdict)}")
    told = "; ".join(f"{kind}: {', '.join(kinds[kind])}" for kind in sorted(kinds))
    return [Line(f"{words.count(made.total, 'decision')} – {told}.")]


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
    cards = words.listed(
        [card_label(each.card.node, each.card.pci, each.card.index) for each in out], 4
    )
    verb = "sits" if len(out) == 1 else "sit"
    return Line(f"{words.count(len(out), 'card')} {verb} out: {cards}.", "poor")


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
    return [Line(_capital(line.text), line.tone, line.number) for line in lines.values()]


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


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
        steps = words.listed([str(each.decision.question.get("step", "?")) for each in blocked])
        worst = "bad" if any(each.verdict == "no_go" for each in blocked) else "unsure"
        word = "may not start" if worst == "bad" else "cannot be judged"
        return f"Step {steps} {word}", worst
    if down:
        return f"{words.listed(sorted(down), 3)} does not answer", "bad"
    if out:
        return f"Running on, with {words.count(len(out), 'card')} sitting out", "poor"
    if not newest:
        return "No preflight on record", "unsure"
    return "Clear to start", "good"


def card_indexes(gathered: Pass) -> dict[tuple[str, str], int | None]:
    """The index of each card, by node and address, where one is known."""
    found: dict[tuple[str, str], int | None] = {
        (card.node, card.pci): card.index for card in gathered.state.cards.values()
    }
    found |= {place: row.index for place, row in gathered.cards.rows.items()}
    return found
