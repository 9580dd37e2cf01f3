"""The questions that nobody put: may this run start, at the moment it did?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger import Event, Ledger, new_event
from ledger.canonical import GENESIS
from ledger.identifiers import new_event_id
from ledger.payloads import AsOf, EngineRef, FleetRef, PolicyRef, PreflightDecided
from ledger.times import format_time
from rules.kinds.preflight import no_node
from runledger.backtest.runs import RunRecord
from runledger.version import __version__


def unasked(ledger: Ledger, fleet: str, runs: Iterable[RunRecord]) -> list[Event]:
    """The question for each run that started without anyone asking, at the moment it did."""
    asked: list[Event] = []
    for run in runs:
        if run.preflight is not None or not run.started_us or run.step is None:
            continue
        question: dict[str, Any] = {"step": run.step, "run": run.id}
        if run.trials is not None:
            question["trials"] = run.trials
        if run.seed_count is not None:
            question["seed_count"] = run.seed_count
        run.preflight = _question(ledger, question, run.started_us, fleet)
        asked.append(
            new_event(run.preflight, time_us=run.started_us, source="backtest", subject="fleet")
        )
    return asked


def _question(ledger: Ledger, question: dict[str, Any], at_us: int, fleet: str) -> PreflightDecided:
    head = ledger.head()
    return PreflightDecided(
        decision=new_event_id(),
        kind="preflight",
        question=question,
        as_of=AsOf(sequence=head.sequence, hash=head.hash, time=format_time(at_us)),
        policy=PolicyRef(name="nobody asked", digest=GENESIS),
        fleet=FleetRef(digest=fleet),
        engine=EngineRef(version=__version__, rules=GENESIS),
        verdict="unknown",
        findings=(),
        outcome=no_node(),
    )
