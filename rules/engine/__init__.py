"""Which rules hold for a fact: one question, and two evaluators that answer it alike.

`durable` asks durable-rules, `plain` compares in plain Python. Where the C part
of durable-rules loads it decides, else plain Python does; tests hold the two to
the same answers, so that a decision does not tell by which it was made. Nothing
else in the project touches durable-rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, get_args

from rules.conditions import when
from rules.engine.evaluator import EngineFailure, Evaluator
from rules.engine.plain import PlainEvaluator
from rules.ruleset import Rule

Name = Literal["durable", "plain"]

EVALUATORS: tuple[Name, ...] = get_args(Name)
"""The names of the evaluators, the preferred one first."""


@cache
def chosen() -> Name:
    """The evaluator that decides in this process."""
    return "plain" if why_not("durable") else "durable"


def why_not(name: Name) -> str:
    """Why an evaluator cannot be used here; nothing where it can."""
    if name == "plain":
        return ""
    from rules.engine.durable import why_not_loaded

    return why_not_loaded()


def version(name: Name) -> str:
    """An evaluator's name and version, as decisions tell it."""
    if name == "plain":
        return "plain Python"
    from rules.engine.durable import library_version

    return f"durable-rules {library_version()}"


def problem_of(name: Name) -> str:
    """What goes wrong when an evaluator fires a rule; nothing where it does as it should."""
    rule = Rule(
        name="fires",
        about="trial",
        when=when("age_s > 600"),
        severity="info",
        message="",
        remedy="",
    )
    try:
        said = evaluator([rule], name).fired([("trial", {"age_s": 600}), ("trial", {"age_s": 601})])
    except EngineFailure as error:
        return str(error)
    return "" if said == [(), (0,)] else f"it fires wrongly: {said}"


def evaluator(rules: Sequence[Rule], name: Name | None = None) -> Evaluator:
    """An evaluator of resolved rules: the chosen one, or the named one."""
    if (name or chosen()) == "plain":
        return PlainEvaluator(rules)
    from rules.engine.durable import DurableEvaluator

    return DurableEvaluator(rules)


__all__ = [
    "EVALUATORS",
    "EngineFailure",
    "Evaluator",
    "Name",
    "chosen",
    "evaluator",
    "problem_of",
    "version",
    "why_not",
]
