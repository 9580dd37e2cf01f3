"""Rules are named, worded and ordered as promised."""

from __future__ import annotations

import string

import pytest

from rules.in_force import resolve
from rules.policy import InvalidPolicy, default_policy, with_settings
from rules.ruleset import Rule
from rules.rulesets import ALL_RULES, RULE_NAMES

RELEASED = [
    "node_unreachable",
    "evidence_missing",
    "gpu_unresponsive",
    "gpu_missing",
    "gpu_excluded",
    "smu_error_since_boot",
    "common_cause",
    "ramdisk_missing",
    "input_missing",
    "input_changed",
    "over_time_budget",
    "no_comparable_trials",
    "rebooted_since_check",
    "parameters_dropped",
    "cleanup_warning",
    "first_incident",
    "repeated_incident",
    "repeated_exclusion",
    "operator_override",
    "gpu_job_failures",
    "no_history",
    "zero_survivors",
    "few_survivors",
    "enough_survivors",
    "too_few_trials_to_judge",
    "confounded",
    "unknown_outcome",
    "partial_run",
]


def test_released_names_stay() -> None:
    assert set(RELEASED) <= RULE_NAMES


def test_every_limit_in_a_rule_is_a_policy_key() -> None:
    resolved = resolve(ALL_RULES, default_policy())
    assert len(resolved) == len(ALL_RULES)
    for rule in resolved:
        for each in rule.when:
            assert (each.limit is None) == (each.operator in ("exists", "missing"))


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: f"{rule.name}-{rule.about}")
def test_a_rule_says_what_is_wrong_and_what_to_do(rule: Rule) -> None:
    if rule.about == "failure":  # a cause: a word, not a finding
        return
    assert rule.message
    assert rule.remedy
    fields = [name for _, name, _, _ in string.Formatter().parse(rule.message) if name is not None]
    assert all(name.isidentifier() for name in fields)


@pytest.mark.parametrize("name", sorted(RULE_NAMES))
def test_each_rule_can_be_switched_off(name: str) -> None:
    policy = with_settings(default_policy(), [f'rules.disabled=["{name}"]'])
    assert {rule.name for rule in resolve(ALL_RULES, policy)} == RULE_NAMES - {name}


def test_a_rule_that_does_not_exist_cannot_be_switched_off() -> None:
    with pytest.raises(InvalidPolicy, match="over_time_budget"):
        with_settings(default_policy(), ['rules.disabled=["over_time_budgets"]'])
