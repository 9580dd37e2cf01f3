"""Policies: every key has its default, is checked, and can be set; what is wrong is named."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from rules.policy import (
    InvalidPolicy,
    default_policy,
    parse_policy,
    policy_digest,
    policy_text,
    with_settings,
)

DEFAULTS: dict[str, dict[str, Any]] = {
    "preflight": {
        "evidence_max_age_s": 600,
        "required_evidence": ["ssh_probe", "gpu_probe", "kernel_log_scanned"],
        "allow_missing_nodes": 0,
        "time_budget_share": 1.0,
        "allow_dead_cards": 0,
        "needs_reset": "degrade",
        "unconfigured_step": "unknown",
    },
    "gpu": {
        "incident_gap_s": 600,
        "watch_after_incidents": 1,
        "exclude_after_incidents": 2,
        "window_s": 2592000,
        "harmless_window_s": 1209600,
        "exclude_after_crashes": 3,
        "incident_faults": [
            "device_lost",
            "gpu_reset_failed",
            "ras_uncorrectable",
            "ras_retire",
            "needs_reset",
            "nvlink",
            "iommu",
            "thermal",
        ],
        "ambiguous_faults": ["ring_timeout", "gpu_reset"],
        "ambiguous_after": 3,
        "ambiguous_ratio": 3.0,
        "exclude_after_job_failures": 8,
        "boot_noise_s": 300,
        "series_cards": 3,
        "series_s": 10800,
        "fleet_cause_nodes": 3,
        "fleet_cause_s": 21600,
        "pcie_corrected_per_day": 100,
        "reinstate_growth": 2.0,
        "retired_recheck_s": 2592000,
        "crash_link_s": 900,
        "common_cause_share": 0.5,
        "common_cause_min_gpus": 3,
        "watch_after_job_failures": 3,
        "common_traceback_nodes": 2,
        "reinstate_clean_probes": 3,
        "reinstate_after_s": 1209600,
        "retire_after_exclusions": 3,
    },
    "tuning": {
        "default_trials": 50,
        "default_seed_count": 100000,
        "zero_survivor_min_trials": 30,
        "zero_survivor_trials": 100,
        "few_survivors": 50000,
        "seed_growth": 2,
        "max_seed_count": 10000000,
    },
    "proposal": {
        "min_trials": 10,
        "max_trials": 500,
        "min_seed_count": 10000,
        "max_seed_count": 10000000,
        "max_change": 10.0,
        "cooldown_runs": 0,
    },
    "backtest": {"needless_within_s": 86400},
}


def test_released_keys_have_their_defaults() -> None:
    table = msgspec.to_builtins(default_policy())
    for section, keys in DEFAULTS.items():
        for key, value in keys.items():
            found = table[section][key]
            assert (list(found) if isinstance(value, list) else found) == value, f"{section}.{key}"


def test_a_policy_is_its_text() -> None:
    policy = with_settings(default_policy(), ["gpu.window_s=100", "tuning.seed_growth=3"])
    again = parse_policy(policy_text(policy))
    assert again == msgspec.structs.replace(policy, name=again.name)
    assert policy_digest(parse_policy(policy_text(policy), name=policy.name)) == policy_digest(
        policy
    )
    assert policy_digest(policy) != policy_digest(default_policy())


def test_a_file_holds_only_what_differs() -> None:
    policy = parse_policy("[gpu]\nexclude_after_incidents = 5\n", name="mine")
    assert policy.gpu.exclude_after_incidents == 5
    assert policy.tuning == default_policy().tuning
    assert policy.name == "mine"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[gpu]\nexclude_after_incident = 2", "exclude_after_incidents"),
        ("[gpus]\nwindow_s = 2", "gpu"),
        ("window_s = 2", "did you mean gpu.window_s?"),
        ("[preflight]\ntime_budget_share = 0", "time_budget_share = 0: expected float > 0"),
        ("[gpu]\nwindow_s = 1e308", "window_s = 1e+308: expected float <= 1000000000000.0"),
        ("[gpu]\nexclude_after_incidents = 0", "gpu.exclude_after_incidents"),
        ("[gpu]\nexclude_after_incidents = 1.5", "gpu.exclude_after_incidents"),
        ("[gpu]\nexclude_after_incidents = true", "gpu.exclude_after_incidents"),
        ("[gpu]\ncommon_cause_share = 1.5", "gpu.common_cause_share"),
        ("[gpu]\nwindow_s = -1", "gpu.window_s"),
        ("[gpu]\nwindow_s = nan", "gpu.window_s"),
        ("[gpu]\nwindow_s = inf", "gpu.window_s = inf: must be a finite number"),
        ('[gpu]\nincident_faults = ["sunspots"]', "incident_faults"),
        ('[preflight]\nrequired_evidence = ["ssh"]', "did you mean ssh_probe? (known: ssh_probe,"),
        ('[rules]\ndisabled = ["gpu_mising"]', "gpu_missing"),
        ("[gpu\n", "line"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(InvalidPolicy, match=re.escape(says)):
        parse_policy(text, name="p")


def test_all_problems_are_named_together() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy("[gpu]\nwindow = 1\nincident_gap_s = -3\n[tuning]\ndefault_trials = 'x'")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "setting", ["gpu.window_s", "gpu", "gpu.window=1", "x.y=1", "=1", "a.b.c=1"]
)
def test_a_bad_setting_is_named(setting: str) -> None:
    with pytest.raises(InvalidPolicy):
        with_settings(default_policy(), [setting])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("gpu.exclude_after_incidents=4", 4),
        ('gpu.incident_faults=["device_lost"]', ("device_lost",)),
        ("gpu.common_cause_share=0.25", 0.25),
        ("tuning.max_seed_count=5_000_000", 5_000_000),
    ],
)
def test_a_setting_is_written_as_in_toml(setting: str, value: object) -> None:
    section, _, key = setting.partition("=")[0].partition(".")
    policy = with_settings(default_policy(), [setting])
    assert getattr(getattr(policy, section), key) == value


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy("[proposal]\nmin_trials = 600\nmax_trials = 500\n")
