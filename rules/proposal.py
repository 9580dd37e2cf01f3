"""What a proposal looks like, and reading one as it comes from people and language models."""

from __future__ import annotations

import re
from decimal import Decimal
from numbers import Integral
from typing import Any

from rules.policy import Policy

_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[,_ ]\d{3})+(?:\.0+)?")
_PLAIN = re.compile(r"[+-]?\d+(?:_\d+)*(?:\.\d+)?(?:[eE][+-]?\d{1,6})?")

LARGEST = 2**53
"""Numbers beyond this one, either way, count as this one."""


def whole_number(value: Any) -> int | None:
    """The whole number in ``value``, which may be text (``"100"``, ``"1e7"``); None if it is none.

    >>> whole_number("10,000,000"), whole_number(100.0), whole_number("fifty"), whole_number(True)
    (10000000, 100, None, None)
    """
    if isinstance(value, str):
        text = value.strip()
        if not (_GROUPED.fullmatch(text) or _PLAIN.fullmatch(text)):
            return None
        number = Decimal(re.sub("[,_ ]", "", text))
    elif isinstance(value, Integral | float) and not isinstance(value, bool):
        number = Decimal(int(value) if isinstance(value, Integral) else value)  # NumPy's, too
    else:
        return None
    if not number.is_finite() or number != number.to_integral_value():
        return None
    return int(max(Decimal(-LARGEST), min(Decimal(LARGEST), number)))


def proposal_schema(policy: Policy) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a proposal, fit to be the parameters of a model's tool.

    The policy's bounds stand in the descriptions, as information: what lies
    beyond them is judged and recorded like any other proposal, and must not be
    lost in a validator on the way. Frozen keys cannot be proposed.
    """
    limits, tuning, names = policy.proposal, policy.tuning, policy.proposal.names
    change = f"{limits.max_change:g} times"
    properties = {
        "trials": {
            "type": "integer",
            "description": "Number of Optuna trials of the next run (unit: trials). The policy "
            f"allows {limits.min_trials} to {limits.max_trials}, and at most {change} more or "
            f"less than the last run; beyond that it is clamped. Default: {tuning.default_trials}.",
        },
        "seed_count": {
            "type": "integer",
            "description": "Number of seeds that each trial tests (unit: seeds). The policy "
            f"allows {limits.min_seed_count} to {limits.max_seed_count}, and at most {change} "
            "more or less than the last run; beyond that it is clamped. "
            f"Default: {tuning.default_seed_count}.",
        },
    }
    numbers = {
        getattr(names, key): schema
        for key, schema in properties.items()
        if key not in limits.frozen
    }
    at_least_one = [{"required": [name]} for name in numbers]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "propose_parameters",
        "description": f"Propose {names.trials} and {names.seed_count} of the next search run. "
        "Give at least one of them as a whole number; one left out stays what runledger would "
        "choose itself. The answer is accepted, clamped, rejected or needs_human.",
        "type": "object",
        "properties": {
            **numbers,
            "rationale": {
                "type": "string",
                "minLength": 1,
                "description": "Why: what in the history speaks for these numbers. An empty "
                "rationale is rejected.",
            },
            "evidence": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Ids of the ledger events that it rests on, as the context names "
                "them.",
            },
        },
        "required": ["rationale"],
        **({"anyOf": at_least_one} if at_least_one else {}),
        "additionalProperties": False,
    }
