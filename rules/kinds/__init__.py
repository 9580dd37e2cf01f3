"""The kinds of decision there are. A new one is one more object here, and its payload.

Its payload type goes into `ledger.payloads`, what people are shown of it into
`runledger.kinds`.
"""

from __future__ import annotations

from typing import Any

from rules.kinds.exclusions import Exclusions
from rules.kinds.kind import Decided, Draft, Kind, Question, Stakes
from rules.kinds.parameters import Parameters
from rules.kinds.preflight import MAY_START, Preflight
from rules.toml import check

PREFLIGHT = Preflight()
EXCLUSIONS = Exclusions()
PARAMETERS = Parameters()

KINDS: dict[str, Kind] = {each.name: each for each in (PREFLIGHT, EXCLUSIONS, PARAMETERS)}
"""Every kind, by name."""

DECIDED_TYPES = tuple(each.payload.event_type for each in KINDS.values())
"""The event types that record decisions."""


def question_problems(kind: str, question: Any, where: str) -> list[str]:
    """Everything that keeps a JSON value from being a question of this kind."""
    problems: list[str] = []
    check(question, KINDS[kind].question, where, problems)
    return problems


__all__ = [
    "DECIDED_TYPES",
    "EXCLUSIONS",
    "KINDS",
    "MAY_START",
    "PARAMETERS",
    "PREFLIGHT",
    "Decided",
    "Draft",
    "Kind",
    "Question",
    "Stakes",
    "question_problems",
]
