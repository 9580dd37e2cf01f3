"""One screen's worth of how things are, as typed values that `msgspec` makes JSON of.

Nodes, cards and findings are what the rules say now of the events up to the
head, as a preflight of no particular step would: nothing of it is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ledger import Event
from ledger.identifiers import node_subject
from ledger.payloads import DecisionPayload, Finding
from ledger.times import SECOND_US, format_time
from rules.decide import Draft, Judge
from rules.kinds import DECIDED_TYPES, EXCLUSIONS, PREFLIGHT
from rules.state import NodeState, Run, State
from runledger.config.session import Session
from runledger.deciding.folding import History
from runledger.intake.spooling import Waiting, waiting
from runledger.status.storage import Storage, storage_of

_NO_STEP = "S"
"""What is asked of the rules; a person puts a step's name in its place."""


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One node. ``verdict`` is that of a preflight, of what is known of it and its cards alone.

    It is None for a node that is not configured, as are ``reachable``,
    ``last_look`` and its age in seconds where nobody looked.
    """

    node: str
    configured: bool
    verdict: str | None
    reachable: bool | None
    error: str
    last_look: str | None
    age_s: float | None
    cards: int | None
    expected: int | None


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was started and has not ended; ``age_s`` is how long ago, in seconds."""

    run: str
    started: str
    age_s: float
    study: str | None
    trials: int | None
    seed_count: int | None
    nodes_lost: list[str]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How things are ``at`` a time (RFC 3339), at the ledger's head.

    ``cards`` are those not ok, as `exclusions` lists them; ``decisions`` the
    newest of each kind; ``findings`` what the rules hold against nodes and cards.
    """

    at: str
    ledger: Storage
    nodes: list[NodeStatus]
    cards: list[dict[str, Any]]
    runs: list[RunStatus]
    decisions: list[DecisionPayload]
    findings: list[Finding]
    spool: Waiting


def status_of(session: Session) -> Status:
    """How things are now; raises as reading does."""
    now_us = session.now()
    head = session.ledger.head()
    judge = session.judge()
    # What it reads of checkpoints it may use; it leaves none, so that a look stays one.
    history = History(session.ledger, judge.fold, persist=True, save=False)
    state = history.state_at(head.sequence, now_us)
    draft = judge.decide(PREFLIGHT.name, {"step": _NO_STEP}, state, now_us)
    findings = [each for each in draft.findings if _of_fleet(each) and each.severity != "info"]
    return Status(
        at=format_time(now_us),
        ledger=storage_of(session, head, now_us),
        nodes=list(_nodes(judge, state, draft, findings, now_us)),
        cards=judge.decide(EXCLUSIONS.name, {}, state, now_us).outcome["gpus"],
        runs=_runs(state.runs.values(), now_us),
        decisions=_newest(session),
        findings=findings,
        spool=waiting(session.settings),
    )


def _of_fleet(finding: Finding) -> bool:
    return finding.subject.partition("/")[0] in ("node", "gpu")


def _nodes(
    judge: Judge, state: State, draft: Draft, findings: list[Finding], now_us: int
) -> Iterable[NodeStatus]:
    configured = {node.name: node for node in judge.fleet.nodes}
    strangers = sorted(name for name in state.nodes if name and name not in configured)
    for name in (*configured, *strangers):
        node = configured.get(name)
        seen = state.nodes.get(name) or NodeState()
        looks = [each.time_us for each in (seen.reach, seen.probe, seen.scan) if each is not None]
        last_us = max(looks, default=None)
        reach = seen.reach
        yield NodeStatus(
            node=name,
            configured=node is not None,
            verdict=None if node is None else _verdict(name, draft, findings),
            reachable=None if reach is None else reach.reachable,
            error="" if reach is None or reach.reachable else reach.error,
            last_look=None if last_us is None else format_time(last_us),
            age_s=None if last_us is None else (now_us - last_us) / SECOND_US,
            cards=None if seen.probe is None else len(seen.probe.gpus),
            expected=None if node is None else node.gpus,
        )


def _verdict(name: str, draft: Draft, findings: list[Finding]) -> str:
    """The worst of what is held against a node and its cards; "no_go" for one left out."""
    if name in draft.outcome["excluded_nodes"]:
        return "no_go"
    own = node_subject(name)
    severities = {
        each.severity
        for each in findings
        if each.subject == own or each.subject.startswith(f"gpu/{name}/")
    }
    asked = ("no_go", "unknown", "degraded")
    return next((each for each in asked if PREFLIGHT.deciding(each) in severities), "go")


def _runs(runs: Iterable[Run], now_us: int) -> list[RunStatus]:
    """Those going on, the newest first."""
    found = [
        (
            run.started_us,
            RunStatus(
                run=run.id,
                started=format_time(run.started_us),
                age_s=(now_us - run.started_us) / SECOND_US,
                study=run.study,
                trials=run.trials,
                seed_count=run.seed_count,
                nodes_lost=list(dict.fromkeys(loss.node for loss in run.losses)),
            ),
        )
        for run in runs
        if run.started_us is not None and run.ended_us is None
    ]
    return [each for _, each in sorted(found, key=lambda pair: (-pair[0], pair[1].run))]


def _newest(session: Session) -> list[DecisionPayload]:
    newest: list[Event] = []
    for type_ in DECIDED_TYPES:
        newest += session.ledger.newest(1, types=[type_])
    return [event.data for event in newest if isinstance(event.data, DecisionPayload)]
