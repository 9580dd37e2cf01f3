"""Making decisions and writing them down, each with all it needs to be made again."""

from __future__ import annotations

import threading
from typing import Any

from ledger import Ledger, new_event
from ledger.identifiers import new_event_id
from ledger.payloads import (
    AsOf,
    DecisionPayload,
    EngineRef,
    FleetRef,
    PolicyRef,
)
from ledger.times import format_time
from rules.decide import Draft, Judge
from rules.engine import version
from rules.kinds import KINDS
from rules.sources import judge_digest
from runledger.deciding.folding import History
from runledger.version import __version__

OWN_FAILURE = "own_failure"
"""The rule that a decision names where runledger itself failed to decide."""


class Decider:
    """Decides live: on the ledger as it is, and appends every decision to it."""

    def __init__(self, ledger: Ledger, *, source: str) -> None:
        self._ledger = ledger
        self._source = source
        self._histories: dict[tuple[str, bool], History] = {}
        self._one_at_a_time = threading.Lock()

    def decide(
        self,
        kind: str,
        question: dict[str, Any],
        *,
        judge: Judge,
        at_us: int,
        as_of: int | None = None,
        cause: str | None = None,
        record: bool = True,
    ) -> DecisionPayload:
        """Judge at ``at_us`` on the events up to position ``as_of`` (default: the head).

        Without ``record`` nothing is stored, not even a checkpoint.
        """
        head = self._ledger.head()
        sequence = head.sequence if as_of is None else min(as_of, head.sequence)
        chain_hash = head.hash if sequence == head.sequence else self._ledger.hash_at(sequence)
        with self._one_at_a_time:
            history = self._histories.get((judge.fold.key, record))
            if history is None:
                history = History(self._ledger, judge.fold, persist=True, save=record)
                self._histories[judge.fold.key, record] = history
            state = history.state_at(sequence, at_us)
            draft = judge.decide(kind, question, state, at_us)
        cut = AsOf(sequence=sequence, hash=chain_hash, time=format_time(at_us))
        decision = compose(kind, question, draft, cut, judge)
        return self._record(decision, at_us, cause) if record else decision

    def record_draft(
        self,
        kind: str,
        question: dict[str, Any],
        draft: Draft,
        *,
        judge: Judge,
        at_us: int,
        record: bool = True,
    ) -> DecisionPayload:
        """Write down a decision that could not be judged; without ``record``, make it only."""
        head = self._ledger.head()
        cut = AsOf(sequence=head.sequence, hash=head.hash, time=format_time(at_us))
        decision = compose(kind, question, draft, cut, judge)
        return self._record(decision, at_us, None) if record else decision

    def _record(self, decision: DecisionPayload, at_us: int, cause: str | None) -> DecisionPayload:
        question = decision.question
        run = question.get("run")
        event = new_event(
            decision,
            id=decision.decision,
            time_us=at_us,
            source=self._source,
            runid=run if isinstance(run, str) else None,
            step=question.get("step"),
            causationid=cause,
        )
        self._ledger.append(event)
        return decision


def compose(
    kind: str,
    question: dict[str, Any],
    draft: Draft,
    cut: AsOf,
    judge: Judge,
    id: str | None = None,
) -> DecisionPayload:
    """The decision in a draft, with everything it was made from."""
    return KINDS[kind].payload(
        decision=id or new_event_id(),
        kind=kind,
        question=question,
        as_of=cut,
        policy=PolicyRef(name=judge.policy.name, digest=judge.digests.policy),
        fleet=FleetRef(digest=judge.digests.fleet),
        engine=EngineRef(
            version=f"{__version__} ({version(judge.rules.engine)})", rules=judge_digest()
        ),
        verdict=draft.verdict,
        findings=draft.findings,
        outcome=draft.outcome,
    )
