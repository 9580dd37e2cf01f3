"""Shadows: policies that decide nothing, and what they would have decided otherwise.

The newest decisions are made again under each, on the states that they were made
on, and nothing is recorded of it. One that cannot be read is said, and stops nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ledger import Event
from ledger.payloads import DecisionPayload
from rules.kinds import DECIDED_TYPES, KINDS
from rules.policy import Policy, policy_digest
from runledger.config.policy_files import read_policy_file
from runledger.config.session import Session
from runledger.config.trusted import require_trusted
from runledger.deciding.folding import History
from runledger.errors import RunledgerError
from runledger.replaying.replay import recorded_cut

MOST_DECISIONS = 200
"""So many of the newest decisions are compared."""


class Shadow(NamedTuple):
    """How often a shadow would have decided otherwise: ``differs`` holds ids, oldest first.

    ``problem`` says why it could not be asked.
    """

    policy: str
    digest: str = ""
    decisions: int = 0
    differs: tuple[str, ...] = ()
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        shown: dict[str, Any] = {
            "policy": self.policy,
            "digest": self.digest,
            "decisions": self.decisions,
            "differ": len(self.differs),
            "in": list(self.differs),
        }
        return shown | ({"problem": self.problem} if self.problem else {})


def shadow_reports(session: Session, *, most: int = MOST_DECISIONS) -> list[Shadow]:
    """What each configured shadow would have decided otherwise, of the newest decisions."""
    files = session.settings.shadow_files
    if not files:
        return []
    decided = list(session.ledger.read(types=DECIDED_TYPES))[-most:]
    return [_report(session, file, decided) for file in files]


def _report(session: Session, file: Path, decided: Sequence[Event]) -> Shadow:
    try:
        policy = read_policy_file(file, types=session.own_types.types(), trust=require_trusted)
    except (RunledgerError, OSError) as error:
        return Shadow(file.stem, problem=str(error))
    histories: dict[str, History] = {}
    asked, differs = 0, []
    for event in sorted(decided, key=_cut):
        said = _differs(session, policy, event, histories)
        if said is not None:
            asked += 1
            differs += [event] if said else []
    in_order = sorted(differs, key=lambda event: event.sequence)
    return Shadow(file.stem, policy_digest(policy), asked, tuple(each.id for each in in_order))


def _cut(event: Event) -> tuple[int, int]:
    assert isinstance(event.data, DecisionPayload)
    return recorded_cut(event.data)


def _differs(
    session: Session, policy: Policy, event: Event, histories: dict[str, History]
) -> bool | None:
    """Whether a decision would be another; None where it cannot be made again."""
    decision = event.data
    assert isinstance(decision, DecisionPayload)
    kind = KINDS[decision.kind]
    try:
        fleet = session.catalog.fleet(decision.fleet.digest)
        judge = session.catalog.judge(policy, fleet, recorded_fleet=decision.fleet.digest)
        history = histories.get(judge.fold.key)
        if history is None:
            history = histories[judge.fold.key] = History(session.ledger, judge.fold, persist=True)
        sequence, at_us = recorded_cut(decision)
        draft = judge.decide(
            decision.kind, decision.question, history.state_at(sequence, at_us), at_us
        )
        return bool(kind.effect(draft) != kind.effect(decision))
    except Exception:  # what another program recorded may be no question, or have no effect
        return None
