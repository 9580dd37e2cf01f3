"""What happened, in single sentences: runs, nodes, faults, failed jobs, decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ledger.text import humanize
from runledger.report import phrases
from runledger.report.collect import Collected
from runledger.report.gathering import Pass
from runledger.report.runs import RunRow
from runledger.report.selection import Selection


@dataclass(slots=True)
class Line:
    """One sentence; ``number`` links to a verdict on the page."""

    text: str
    tone: str = "plain"
    number: int | None = None


def what_happened(selection: Selection, gathered: Pass, rows: list[RunRow]) -> list[Line]:
    """The lines, runs first."""
    collected = gathered.collected
    return [
        *_runs(selection, rows),
        *_nodes(selection, collected),
        *_faults(gathered),
        *_failures(collected),
        *_decisions(collected),
    ]


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
        Line(
            f"{humanize.counted(len(rows), 'run')}: {', '.join(told)}.", "poor" if bad else "plain"
        )
    ]
    unknown = [row for row in rows if row.survivors is None and row.end_us is not None]
    zero = [row for row in rows if row.survivors == 0]
    found = [row for row in rows if row.survivors]
    if found:
        best = max(found, key=lambda row: row.survivors or 0)
        lines.append(
            Line(
                f"Survivors were found by {humanize.counted(len(found), 'run')}; most by "
                f"{best.run.id}: {best.survivors:,}.",
            )
        )
    if zero or unknown:
        parts = []
        if zero:
            parts.append(f"{humanize.counted(len(zero), 'run')} found none")
        if unknown:
            parts.append(
                f"{humanize.counted(len(unknown), 'run')} ended without a count "
                "(unknown, which is not zero)"
            )
        text = "; ".join(parts)
        lines.append(Line(f"{capital(text)}.", "poor" if unknown else "plain"))
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
        names = humanize.listed(
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
        answered = "the only probe" if probes == 1 else f"each of {probes:,} probes"
        lines.append(Line(f"{humanize.counted(len(looked), 'node')} answered {answered}.", "good"))
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
    names = humanize.listed(
        [f"{phrases.named(subject, indexes)} ({count:,})" for subject, count in worst], 3
    )
    return [Line(f"{humanize.counted(total, 'fault')}: {names}.", "poor")]


def _failures(collected: Collected) -> list[Line]:
    failures = sorted(collected.failures.values(), key=lambda each: -each.count)
    if not failures:
        return []
    total = sum(each.count for each in failures)
    most = failures[0]
    often = f", most often {most.exception}" if len(failures) > 1 else f": {most.exception}"
    ways = f" in {len(failures)} different ways" if len(failures) > 1 else ""
    given_up = sum(each.given_up for each in failures)
    end = (
        f" {humanize.counted(given_up, 'of them was')} not to be retried." if given_up == 1 else ""
    )
    if given_up > 1:
        end = f" {given_up:,} of them were not to be retried."
    return [Line(f"{humanize.counted(total, 'job')} failed{ways}{often}.{end}", "poor")]


def _decisions(collected: Collected) -> list[Line]:
    made = collected.decisions
    if not made.total:
        return [Line("No decision was recorded.", "unsure")]
    kinds: dict[str, list[str]] = {}
    for (kind, verdict), count in sorted(made.verdicts.items(), key=lambda each: -each[1]):
        kinds.setdefault(kind, []).append(f"{count:,} {phrases.spoken(verdict)}")
    told = "; ".join(f"{kind}: {', '.join(kinds[kind])}" for kind in sorted(kinds))
    return [Line(f"{humanize.counted(made.total, 'decision')} – {told}.")]


def capital(text: str) -> str:
    """The text with its first letter large."""
    return f"{text[:1].upper()}{text[1:]}"


def card_indexes(gathered: Pass) -> dict[tuple[str, str], int | None]:
    """The index of each card, by node and address, where one is known."""
    found: dict[tuple[str, str], int | None] = {
        (card.node, card.pci): card.index for card in gathered.state.cards.values()
    }
    found |= {place: row.index for place, row in gathered.cards.rows.items()}
    return found
