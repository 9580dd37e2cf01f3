"""Decisions on a ledger as it is now; each is recorded.

What waits in the spool is evidence, too, and is delivered first.
A failure of our own is an answer, too, and never "go".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.payloads import DecisionPayload, Finding
from rules.kinds import PREFLIGHT, Draft, Kind, question_problems
from rules.kinds.preflight import no_node
from runledger.config.session import Session, Time
from runledger.deciding.decisions import OWN_FAILURE, Decider
from runledger.errors import BadInput, RunledgerError


class LiveDecisions:
    """Decides under the policy and fleet in force; ``deliver`` stores what waits in a spool."""

    def __init__(self, session: Session, *, source: str, deliver: Callable[[], object]) -> None:
        self._session = session
        self._source = source
        self._deliver = deliver
        self._decider = Decider(session.ledger, source=source)

    def decide(
        self,
        kind: Kind,
        question: dict[str, Any],
        *,
        at: Time,
        as_of: int | None,
        cause: str | None = None,
        record: bool = True,
    ) -> DecisionPayload:
        """Decide and, with ``record``, store it; raises `BadInput` for a position that is none."""
        if as_of is not None and as_of < 0:
            raise BadInput(f"{as_of} is not a position", remedy="give 0 or more")
        session = self._session
        at_us = session.time(at)
        session.ledger.head()  # judging makes no ledger, nor does what waits in the spool
        if record:
            self._deliver()
        judge = session.judge()
        if record:
            session.catalog.activate(judge, now_us=session.now(), source=self._source)
        return self._decider.decide(
            kind.name,
            question,
            judge=judge,
            at_us=at_us,
            as_of=as_of,
            cause=cause,
            record=record,
        )

    def preflight(
        self, question: dict[str, Any], *, at: Time, as_of: int | None, record: bool = True
    ) -> DecisionPayload:
        """A preflight, which is ``unknown`` and says why where we fail ourselves.

        Raises `BadInput` for what is no question.
        """
        problems = question_problems(PREFLIGHT.name, question, "preflight")
        if problems:
            raise BadInput("\n".join(problems))
        try:
            return self.decide(PREFLIGHT, question, at=at, as_of=as_of, record=record)
        except RunledgerError:
            raise
        except Exception as error:  # our own fault must not read as "go"
            return self._failed(question, error, at, record)

    def _failed(
        self, question: dict[str, Any], error: Exception, at: Time, record: bool
    ) -> DecisionPayload:
        finding = Finding(
            rule=OWN_FAILURE,
            severity="unknown",
            subject="fleet",
            message=f"runledger itself failed: {type(error).__name__}: {error}",
            remedy="report it with the output of: runledger doctor",
            evidence=(),
        )
        return self._decider.record_draft(
            PREFLIGHT.name,
            question,
            Draft("unknown", (finding,), no_node()),
            judge=self._session.judge(),
            at_us=self._session.time(at),
            record=record,
        )
