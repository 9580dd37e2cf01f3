"""Own rules as rules that the engines evaluate, each about a kind of fact of its own.

So nothing that an own rule looks at is seen by a built-in one: with own rules
that never fire, every decision is what it is without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rules.conditions import Condition, Scalar, parse_condition
from rules.own.declared import Own, OwnRule, RuleAbout
from rules.own.texts import with_values
from rules.ruleset import Rule

EXCLUSIONS = "own.exclusions"
"""The kind of fact that own rules for exclusions are about: one for each card."""

STEP = "step"
"""The feature that ``steps`` of a rule are compared with."""

_STATES = {"watch": "watch", "exclude": "excluded"}
_SEVERITIES = {"watch": "warn", "exclude": "degrade"}


def kind_of(about: RuleAbout) -> str:
    """The kind of fact that own rules for a preflight are about."""
    return f"own.{about}"


def compiled(
    own: Own, value: Callable[[str], Scalar], step_name: Callable[[str], str]
) -> Iterator[Rule]:
    """Every own rule, once for each step that it is for.

    ``value`` gives the values of policy keys, ``step_name`` what a step is called
    where it is configured: a rule may name one by an alias.
    """
    for rule in own.rules:
        steps = dict.fromkeys(map(step_name, rule.steps))
        for when in _conditions(rule, list(steps)):
            yield _rule(rule, when, value)


def _conditions(rule: OwnRule, steps: list[str]) -> Iterator[tuple[Condition, ...]]:
    asked = tuple(map(parse_condition, rule.when))
    if not steps:
        yield asked
    for step in steps:
        yield (*asked, Condition(STEP, "==", step))


def _rule(rule: OwnRule, when: tuple[Condition, ...], value: Callable[[str], Scalar]) -> Rule:
    effect = rule.effect or ""
    excludes = rule.decides == "exclusions"
    return Rule(
        name=rule.name,
        about=EXCLUSIONS if excludes else kind_of(rule.about),
        when=when,
        severity=rule.severity or _SEVERITIES[effect],
        message=with_values(rule.message, value),
        remedy=with_values(rule.remedy, value),
        effect={"state": _STATES[effect]} if excludes else {},
    )
