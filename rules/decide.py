"""Deciding: the pure second half, from a state to a verdict with its reasons.

`Judge` holds what does not change between decisions (policy, fleet, compiled
rules); how each kind of decision is judged is in `rules.kinds`. Nothing here
reads a clock, a file or a network.
"""

from __future__ import annotations

from typing import NamedTuple

from rules.engine import Name
from rules.fleet import Fleet, fleet_digest
from rules.fold import Fold
from rules.kinds import KINDS, Draft, Question
from rules.policy import Policy, policy_digest
from rules.rulebook import Rulebook, Watch
from rules.state import State

__all__ = ["Digests", "Draft", "Judge", "Question"]


class Digests(NamedTuple):
    """The SHA-256 of the texts that a policy and a fleet were read from."""

    policy: str
    fleet: str


class Judge:
    """Decides under one policy and fleet; every decision is a pure function of its question.

    ``digests`` are what decisions name; without them, those of today's texts.
    """

    def __init__(
        self,
        policy: Policy,
        fleet: Fleet,
        *,
        digests: Digests | None = None,
        watch: Watch | None = None,
        engine: Name | None = None,
    ) -> None:
        self.policy = policy
        self.fleet = fleet
        self.digests = digests or Digests(policy_digest(policy), fleet_digest(fleet))
        self.fold = Fold(policy, fleet)
        self.rules = Rulebook(policy, fleet, watch=watch, engine=engine)

    def decide(self, kind: str, question: Question, state: State, at_us: int) -> Draft:
        """The decision of a kind (one of `rules.kinds`), on what was folded up to ``at_us``."""
        if kind not in KINDS:
            raise ValueError(f"no decision of kind {kind!r}")
        return KINDS[kind].judge(self.rules, question, state, at_us)
