"""Decisions on a ledger as it is now; each is recorded.

What waits in the spool is evidence, too, and is delivered first.
A failure of our own is an answer, too, and never "go".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.payloads import DecisionPayload, Finding
from rules.kinds import PREFLIGHT, Draft, Kind
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
        self._decider = Decider(session.ledger, session.catalog, source=source)

    def decide(
        self,
        kind: Kind,
        question: dict[str, Any],
        *,
        at: Time,
        as_of: int | None,
        cause: str | None = None,
    ) -> DecisionPayload:
        """Decide and record; raises `BadInput` for a position that cannot be."""
        if as_of is not None and as_of < 0:
            raise BadInput(f"{as_of} is not a position: give 0 or more")
        self._deliver()
        session = self._session
        policy, fleet = session.policy, session.fleet
        session.catalog.activate(policy, fleet, now_us=session.now(), source=self._source)
        return self._decider.decide(
            kind.name,
            question,
            policy=policy,
            fleet=fleet,
            at_us=session.time(at),
            as_of=as_of,
            cause=cause,
        )

    def preflight(
        self, question: dict[str, Any], *, at: Time, as_of: int | None
    ) -> DecisionPayload:
        """A preflight, which is ``unknown`` and says why where we fail ourselves."""
        try:
            return self.decide(PREFLIGHT, question, at=at, as_of=as_of)
        except RunledgerError:
            raise
        except Exception as error:  # our own fault must not read as "go"
            return self._failed(question, error, at)

    def _failed(self, question: dict[str, Any], error: Exception, at: Time) -> DecisionPayload:
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
            policy=self._session.policy,
            fleet=self._session.fleet,
            at_us=self._session.time(at),
        )
