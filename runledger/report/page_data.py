"""What the template is given: everything gathered, in the order and the amount to be shown.

Long lists are cut here, and what was cut is counted, so that the page stays
readable and of a bounded size whatever the ledger holds.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ledger import Ledger
from ledger.text import humanize
from ledger.times import to_datetime
from rules.decide import Judge
from rules.facts.card_standing import CardStanding
from runledger.report import phrases
from runledger.report.cards import DAY_US, CardMap, Cell, Column, Row
from runledger.report.gathering import Pass
from runledger.report.marks import Moment
from runledger.report.runs import FOUND_H, TRIALS_H, chart, run_rows
from runledger.report.selection import Selection
from runledger.report.sentences import card_indexes
from runledger.report.summary import summarise
from runledger.report.timeline import draw
from runledger.report.verdicts import tell
from runledger.version import __version__

_TELLING_SHOWN = 40
_QUIET_SHOWN = 300
_MOMENTS_SHOWN = 400
_CARDS_SHOWN = 160
_FAULTS_SHOWN = 200
_FAILURES_SHOWN = 60

_MOMENTS = {
    "decision": "decision",
    "lost": "node lost",
    "back": "node back",
    "boot": "reboot",
    "fault": "fault",
    "failure": "failed job",
    "override": "operator’s word",
    "run_started": "run started",
    "run_finished": "run ended",
    "survivors_counted": "survivors counted",
    "step": "step",
}
_ROUTINE = frozenset({"decision"})
"""Moments that give way to the others where there are too many."""


def view(
    ledger: Ledger, judge: Judge, selection: Selection, gathered: Pass, title: str, now_us: int
) -> dict[str, Any]:
    """The values of the template."""
    collected = gathered.collected
    rows = run_rows(selection, gathered.state, collected)
    telling = [each for each in collected.decisions.groups if each.asks][::-1]
    quiet = [each for each in collected.decisions.groups if not each.asks][::-1]
    told = tell(ledger, telling[:_TELLING_SHOWN])
    told_quietly = tell(ledger, quiet[:_QUIET_SHOWN])
    moments, moments_more = _cut(collected.moments)
    card_rows, cards_hidden = _rows(gathered.cards)
    faults = sorted(collected.faults.values(), key=lambda each: (-each.count, each.first_us))
    failures = sorted(collected.failures.values(), key=lambda each: (-each.count, each.first_us))
    return {
        "version": __version__,
        "title": title,
        "selection": selection,
        "now_us": now_us,
        "head": (selection.upto, ledger.hash_at(selection.upto)),
        "policy": (judge.policy.name, judge.digests.policy),
        "left_out": _left_out(selection),
        "collected": collected,
        "summary": summarise(selection, gathered, rows),
        "timeline": draw(selection, collected, [row.run for row in rows if not row.before]),
        "moments": moments,
        "moments_more": moments_more + collected.moments_dropped,
        "MOMENTS": _MOMENTS,
        "named": partial(_named, card_indexes(gathered)),
        "cards": gathered.cards,
        "card_rows": card_rows,
        "cards_hidden": cards_hidden,
        "column_words": column_words(gathered.cards.columns),
        "column_labels": column_labels(gathered.cards.columns),
        "cell_title": cell_title,
        "standings": [each for each in gathered.standings if _wanted(selection, each)],
        "findings": {finding.subject: finding for finding in gathered.findings},
        "rows": rows,
        "chart": chart(rows),
        "TRIALS_H": TRIALS_H,
        "FOUND_H": FOUND_H,
        "told": told,
        "earlier": len(telling) - len(told),
        "quiet": told_quietly,
        "quiet_more": len(quiet) - len(told_quietly) + collected.decisions.dropped,
        "shown": {each.verdict.number for each in (*told, *told_quietly)},
        "faults": faults[:_FAULTS_SHOWN],
        "failures": failures[:_FAILURES_SHOWN],
    }


def _named(indexes: dict[tuple[str, str], int | None], subject: str) -> str:
    return phrases.named(subject, indexes)


def _wanted(selection: Selection, standing: CardStanding) -> bool:
    return selection.nodes is None or standing.card.node in selection.nodes


def _left_out(selection: Selection) -> str:
    if selection.kind == "run":
        return (
            "Events of the run, of its nodes while it ran, and a margin before and after; other "
            "runs are left out."
        )
    if selection.kind == "node":
        return "Events of the node, decisions that name it, and runs that could use it."
    return ""


def _cut(moments: list[Moment]) -> tuple[list[Moment], int]:
    if len(moments) <= _MOMENTS_SHOWN:
        return moments, 0
    telling = [each for each in moments if each.kind not in _ROUTINE]
    shown = telling[-_MOMENTS_SHOWN:]
    return shown, len(moments) - len(shown)


def _rows(cards: CardMap) -> tuple[list[tuple[str, list[Row]]], int]:
    """Cards by node; where there are too many, those that were ok throughout go first."""
    by_node = cards.by_node()
    total = sum(len(rows) for _, rows in by_node)
    if total > _CARDS_SHOWN:
        by_node = [
            (node, [row for row in rows if row.worst not in ("ok", "unseen")])
            for node, rows in by_node
        ]
    shown: list[tuple[str, list[Row]]] = []
    left = _CARDS_SHOWN
    for node, rows in by_node:
        if rows and left > 0:
            shown.append((node, rows[:left]))
            left -= len(rows[:left])
    return shown, total - sum(len(rows) for _, rows in shown)


# -- columns of the map --------------------------------------------------------


def column_words(columns: list[Column]) -> str:
    """What one column holds of a card, in a sentence."""
    width_us = columns[0].end_us - columns[0].start_us
    span = humanize.span(width_us / 1_000_000).removeprefix("1 ")
    if width_us > DAY_US:
        return f"Each card’s worst standing at the end of a day, over every {span}"
    return f"Each card’s standing at the end of every {span}"


def column_labels(columns: list[Column]) -> list[tuple[str, int]]:
    """Headings and how many columns each covers: about ten, at even distances."""
    width_us = columns[0].end_us - columns[0].start_us
    every = max(1, -(-len(columns) // 10))
    if width_us == DAY_US and len(columns) > 10:
        every = 7 if len(columns) > 28 else 3
    one_day = columns[-1].end_us - columns[0].start_us <= DAY_US
    labels = []
    for at in range(0, len(columns), every):
        start_us = columns[at].start_us
        text = phrases.day(start_us)
        if width_us < DAY_US and (one_day or start_us % DAY_US):
            text = f"{to_datetime(start_us):%H:%M}"
        elif columns[-1].end_us - columns[0].start_us > 366 * DAY_US:
            text = f"{to_datetime(start_us):%b %Y}"
        wide = min(every, len(columns) - at)
        labels.append((text if wide > 1 or every == 1 else "", wide))
    return labels


def cell_title(row: Row, cell: Cell, column: Column) -> str:
    """What one square says when pointed at."""
    card = f"GPU {row.index}" if row.index is not None else row.pci
    parts = [f"{card} of {row.node}, {phrases.when(column.start_us)}: {cell.shown}"]
    if cell.reason:
        parts.append(f"{cell.ladder}: {cell.reason}")
    if cell.errors:
        parts.append(humanize.counted(cell.errors, "error"))
    seen = humanize.counted(cell.probes, "probe")
    parts.append(f"{seen}, {cell.bad_probes} of them bad" if cell.bad_probes else seen)
    return "; ".join(parts)
