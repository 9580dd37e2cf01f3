"""What there is to decide by, as `runledger rules` and `runledger facts` list it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from rules.features import FACTS, Feature
from rules.own.checking import own_features
from rules.own.declared import OwnFact, OwnRule, RuleAbout
from rules.own.fields import Types
from rules.policy import Policy
from rules.rulesets import ALL_RULES, CAUSE_RULES, FLEET_RULES, GPU_RULES, PREFLIGHT_RULES

Listed = dict[str, Any]


def listed_rules(policy: Policy) -> list[Listed]:
    """Every rule, built-in ones first, in the order in which they are judged."""
    disabled = set(policy.rules.disabled)
    built_in = [
        {
            "name": rule.name,
            "own": False,
            "enabled": rule.name not in disabled,
            "decides": _decides(rule),
            "about": rule.about,
            "when": [str(each) for each in rule.when],
            "severity": rule.severity,
            "message": rule.message,
            "remedy": rule.remedy,
        }
        for rule in ALL_RULES
    ]
    return built_in + [_own(rule, disabled) for rule in policy.rules.own]


def _decides(rule: Any) -> str:
    for decides, rules in (
        ("causes", CAUSE_RULES),
        ("exclusions", GPU_RULES),
        ("preflight", (*PREFLIGHT_RULES, *FLEET_RULES)),
    ):
        if rule in rules:
            return decides
    return "parameters"


def _own(rule: OwnRule, disabled: set[str]) -> Listed:
    listed = {
        "name": rule.name,
        "own": True,
        "enabled": rule.name not in disabled,
        "decides": rule.decides,
        "about": rule.about,
        "when": list(rule.when),
        "severity": rule.severity or "",
        "message": rule.message,
        "remedy": rule.remedy,
        "steps": list(rule.steps),
        "effect": rule.effect,
    }
    return {key: value for key, value in listed.items() if value not in ([], None)}


def listed_facts(policy: Policy, types: Types | None) -> list[Listed]:
    """Every kind of fact with its features, those that own rules can look at first."""
    own = own_features(policy.facts, types)
    by_name = {(fact.about, fact.name): fact for fact in policy.facts}
    open_kinds = get_args(RuleAbout)
    kinds = [*open_kinds, *(name for name in FACTS if name not in open_kinds)]
    listed = []
    for name in kinds:
        kind = FACTS.get(name)
        features = own.get(name, kind.features if kind else {})
        listed.append(
            {
                "name": name,
                "says": kind.says
                if kind
                else "One fact for the study of the run that is asked about.",
                "for_own_rules": name in open_kinds,
                "features": [
                    _feature(each, feature, by_name.get((name, each)))
                    for each, feature in features.items()
                ],
            }
        )
    return listed


def _feature(name: str, feature: Feature, fact: OwnFact | None) -> Listed:
    listed: Listed = {
        "name": name,
        "type": feature.type,
        "unit": feature.unit,
        "says": feature.says,
        "own": fact is not None,
    }
    if feature.words:
        listed["words"] = list(feature.words)
    if fact is not None:
        listed |= dict(_declared(fact))
    return listed


def _declared(fact: OwnFact) -> Iterator[tuple[str, Any]]:
    for key, value in msgspec.to_builtins(fact).items():
        if key != "name":
            yield key, list(value) if isinstance(value, tuple) else value
