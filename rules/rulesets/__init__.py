"""The rules of every decision, as data, and their names."""

from __future__ import annotations

from rules.causes import CAUSE_RULES
from rules.features import checked_rules
from rules.ruleset import Rule
from rules.rulesets.gpus import GPU_RULES
from rules.rulesets.parameters import PARAMETER_RULES
from rules.rulesets.preflight import FLEET_RULES, PREFLIGHT_RULES

ALL_RULES: tuple[Rule, ...] = checked_rules(
    (
        *CAUSE_RULES,
        *GPU_RULES,
        *PREFLIGHT_RULES,
        *FLEET_RULES,
        *PARAMETER_RULES,
    )
)
"""Every rule there is; each looks only at features that its facts have."""

RULE_NAMES = frozenset(rule.name for rule in ALL_RULES)
"""Every name that a policy can switch off with ``rules.disabled``."""

__all__ = [
    "ALL_RULES",
    "CAUSE_RULES",
    "FLEET_RULES",
    "GPU_RULES",
    "PARAMETER_RULES",
    "PREFLIGHT_RULES",
    "RULE_NAMES",
]
