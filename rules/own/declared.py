"""The shapes of own facts and rules, as a policy file spells them, and their bounds."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ledger.text.characters import WITHOUT_CONTROL
from rules.conditions import Scalar

About = Literal["card", "node", "run", "study", "fleet"]
"""What an own fact can be about."""
RuleAbout = Literal["card", "node", "run", "study", "fleet", "question"]
Keep = Literal["count", "distinct", "newest", "max", "min", "sum"]
OwnSeverity = Literal["block", "unknown", "degrade", "warn", "info"]

MOST_FACTS = 1_000
MOST_RULES = 5_000
MOST_THRESHOLDS = 1_000
MOST_COMPILED = 10_000
"""Rules are compiled once for each of the steps that they name."""
MOST_TEXT_BYTES = 900_000
"""The whole policy is recorded in one event, and must fit into it."""
LARGEST = 2**53
"""Every JSON reader keeps whole numbers up to this exact."""

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*\Z"
Name = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=_NAME,
        description="a name of letters, digits and _, not beginning with a digit",
    ),
]
RuleName = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=r"^own\.[A-Za-z0-9_][A-Za-z0-9_.-]*\Z",
        description='"own." and a name of letters, digits, _, - and .',
    ),
]
Text = Annotated[
    str,
    Meta(
        max_length=2_000,
        pattern=WITHOUT_CONTROL,
        description="a text of one line, without control characters",
    ),
]
Conditions = Annotated[tuple[Text, ...], Meta(max_length=50)]
Seconds = Annotated[int, Meta(gt=0, le=10**10)] | Annotated[float, Meta(gt=0, le=1e10)]


class OwnFact(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What to remember of events: one value for each subject, over a window of event time."""

    name: Name
    about: About
    from_: Text = msgspec.field(name="from")
    where: Conditions = ()
    keep: Keep
    field: Name | None = None
    timespan_s: Seconds | None = None


class OwnRule(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What to say of a subject when all conditions hold."""

    name: RuleName
    decides: Literal["preflight", "exclusions"] = "preflight"
    about: RuleAbout
    steps: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()
    when: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=50)]
    severity: OwnSeverity | None = None
    message: Text
    remedy: Text = "look at it with: runledger why DECISION"
    effect: Literal["watch", "exclude"] | None = None


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """All that a policy declares of its own."""

    thresholds: dict[str, Scalar] = {}
    facts: tuple[OwnFact, ...] = ()
    rules: tuple[OwnRule, ...] = ()
