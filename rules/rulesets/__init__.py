"""The rules of every decision, as data, and the digest that decisions name."""

from __future__ import annotations

from functools import cache

from rules.causes import CAUSE_RULES
from rules.fold import FOLD_VERSION
from rules.ruleset import Rule, rules_digest
from rules.rulesets.gpus import GPU_RULES
from rules.rulesets.parameters import PARAMETER_RULES
from rules.rulesets.preflight import FLEET_RULES, PREFLIGHT_RULES

ALL_RULES: tuple[Rule, ...] = (
    *CAUSE_RULES,
    *GPU_RULES,
    *PREFLIGHT_RULES,
    *FLEET_RULES,
    *PARAMETER_RULES,
)
"""Every rule there is."""


@cache
def all_rules_digest() -> str:
    """SHA-256 over all rules and the version of the fold that feeds them."""
    version = Rule(
        name=f"fold {FOLD_VERSION}", about="", when=(), severity="info", message="", remedy=""
    )
    return rules_digest((version, *ALL_RULES))


__all__ = [
    "ALL_RULES",
    "CAUSE_RULES",
    "FLEET_RULES",
    "GPU_RULES",
    "PARAMETER_RULES",
    "PREFLIGHT_RULES",
    "all_rules_digest",
]
