"""A report: one HTML file that tells what happened to a run, a node or a fleet.

The file needs no network, no scripts and no other file, and prints. It shows
what is recorded and what the fold makes of it; it decides nothing and
leaves the ledger as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ledger import Ledger
from ledger.times import format_time
from rules.decide import Judge
from runledger.config.session import Session, Time
from runledger.errors import Missing
from runledger.report.gathering import read
from runledger.report.page import render
from runledger.report.page_data import view
from runledger.report.selection import Selection, choose

__all__ = ["Report", "Selection", "choose", "make_report", "report_of"]


class Report(NamedTuple):
    """A finished report: the page, and how much it tells of."""

    html: str
    selection: Selection
    events: int
    decisions: int
    runs: int

    def summary(self) -> dict[str, Any]:
        """What it covers and how much it tells of, for programs."""
        return {
            "since": format_time(self.selection.since_us),
            "until": format_time(self.selection.until_us),
            "events": self.events,
            "decisions": self.decisions,
            "runs": self.runs,
        }


def report_of(
    session: Session,
    *,
    run: str | None = None,
    node: str | None = None,
    since: Time = None,
    until: Time = None,
    title: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """The report of a run, a node or a period of an open ledger; both ends belong to it.

    With nothing chosen: the 30 days up to the newest event. Raises `Missing`
    where there is nothing to report, `BadInput` and `InvalidTime`.
    """
    now_us = session.now()
    judge = session.judge()
    selection = choose(
        session.ledger,
        judge.fleet,
        run=run,
        node=node,
        since_us=None if since is None else session.time(since),
        until_us=None if until is None else session.time(until),
        now_us=now_us,
    )
    return make_report(
        session.ledger, judge, selection, now_us=now_us, title=title, progress=progress
    )


def make_report(
    ledger: Ledger,
    judge: Judge,
    selection: Selection,
    *,
    now_us: int,
    title: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """The report of a selection; ``judge`` holds the policy and fleet that cards are shown by.

    ``now_us`` is the time of making, in microseconds since the epoch. Raises
    `Missing` where the selection holds no event.
    """
    gathered = read(ledger, judge, selection, progress)
    collected = gathered.collected
    if not (collected.about if selection.kind == "node" else collected.told):
        raise Missing(_nothing(selection))
    values = view(ledger, judge, selection, gathered, title or _title(selection), now_us)
    runs = sum(not row.before for row in values["rows"])
    return Report(render(values), selection, collected.events, collected.decisions.total, runs)


def _title(selection: Selection) -> str:
    if selection.kind == "run":
        return f"Run {selection.run}"
    return f"Node {_node(selection)}" if selection.kind == "node" else "The fleet"


def _node(selection: Selection) -> str:
    return ", ".join(sorted(selection.nodes or ()))


def _nothing(selection: Selection) -> str:
    about = f" about node {_node(selection)!r}" if selection.kind == "node" else ""
    return (
        f"no event{about} from {format_time(selection.since_us)} to "
        f"{format_time(selection.until_us)}: see `runledger events`"
    )
