"""What decisions are asked about: the shape of a question of each kind.

A judge takes questions as plain JSON objects. Here is what may be in one, for
those that people write.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rules.toml import check

Amount = Annotated[int, Meta(ge=0, le=2**53)]


class PreflightQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May this step start?"""

    step: str
    run: str | None = None
    trials: Amount | None = None
    seed_count: Amount | None = None


class ExclusionsQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which cards must sit out?"""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What someone asked for; what is no number is part of what is judged."""

    trials: Any = None
    seed_count: Any = None
    proposer: str = ""
    rationale: str = ""
    event: str | None = None


class ParametersQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """How many trials and seeds next, or: is this proposal acceptable?"""

    study: str | None = None
    scope: dict[str, Any] | None = None
    step: str | None = None
    proposal: Proposal | None = None


QUESTIONS: dict[str, type[msgspec.Struct]] = {
    "preflight": PreflightQuestion,
    "exclusions": ExclusionsQuestion,
    "parameters": ParametersQuestion,
}
"""The shape of a question, by kind of decision."""


def question_problems(kind: str, question: Any, where: str) -> list[str]:
    """Everything that keeps a JSON value from being a question of this kind."""
    problems: list[str] = []
    check(question, QUESTIONS[kind], where, problems)
    return problems
