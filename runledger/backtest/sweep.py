"""Policies to compare: none at all, and one for each value of a key, or each pair of two keys."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from rules.policy import Policy, default_policy, with_settings
from rules.rulesets import RULE_NAMES
from runledger.backtest.scoring import Candidate
from runledger.errors import BadInput

_MOST_VALUES = 100


def no_rules() -> Policy:
    """A policy under which no rule fires: nothing is blocked and no card sits out."""
    names = ", ".join(f'"{name}"' for name in sorted(RULE_NAMES))
    return with_settings(default_policy(), [f"rules.disabled=[{names}]"])


class Sweep(NamedTuple):
    """A key of the policy, and the values to try for it, as they are written."""

    key: str
    values: list[str]


def parse_sweep(text: str) -> Sweep:
    """The sweep in ``KEY=A..B`` (whole numbers) or ``KEY=A,B,C``; raises `BadInput`."""
    key, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not key or not values:
        raise BadInput(f"--sweep {text!r}", remedy="write KEY=A..B or KEY=A,B,C")
    return Sweep(key, _values(text, values))


def swept(name: str, policy: Policy, sweeps: Sequence[Sweep]) -> list[Candidate]:
    """A policy for each value, or for each pair of values of two keys.

    Raises `BadInput`, or `rules.policy.InvalidPolicy` for a key or value that
    a policy cannot have.
    """
    keys = [sweep.key for sweep in sweeps]
    if len(sweeps) > 2 or len(set(keys)) < len(keys):
        raise BadInput(
            "--sweep sweeps one key, or two different ones for a map", remedy="give no more"
        )
    count = math.prod(len(sweep.values) for sweep in sweeps)
    if count > _MOST_VALUES:
        raise BadInput(
            f"--sweep: {count} policies are more than {_MOST_VALUES}", remedy="try fewer values"
        )
    found = []
    for values in itertools.product(*(sweep.values for sweep in sweeps)):
        settings = dict(zip(keys, values, strict=True))
        texts = [f"{key}={value}" for key, value in settings.items()]
        label = " ".join(texts if name == "default" else [name, *texts])
        found.append(Candidate(label, with_settings(policy, texts), settings))
    return found


def _values(sweep: str, values: str) -> list[str]:
    match = re.fullmatch(r"(-?\d{1,15})\.\.(-?\d{1,15})", values)
    if match is None:
        listed = [each.strip() for each in values.split(",")]
    else:
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise BadInput(f"--sweep {sweep!r}: {last} comes before {first}")
        if last - first >= _MOST_VALUES:
            raise BadInput(f"--sweep {sweep!r}: more than {_MOST_VALUES} values; list some of them")
        listed = [str(each) for each in range(first, last + 1)]
    if not all(listed) or len(listed) > _MOST_VALUES:
        raise BadInput(f"--sweep {sweep!r}", remedy="write KEY=A..B or KEY=A,B,C")
    return listed
