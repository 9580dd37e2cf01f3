"""Advice beside the chosen parameters: what other rules would say."""

from __future__ import annotations

from typing import Any

from rules.facts.parameters import History, Numbers
from rules.policy import Policy
from rules.state import State


def advise(
    policy: Policy, state: State, found: History, numbers: Numbers, timeout_s: float | None
) -> tuple[list[dict[str, Any]], Numbers | None]:
    """The advice, and the numbers that the second opinion would choose (None: no opinion)."""
    return [], None
