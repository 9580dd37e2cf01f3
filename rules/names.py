"""The names of all rules: what a policy may switch off. A test holds them to the rules."""

from __future__ import annotations

RULE_NAMES: frozenset[str] = frozenset(
    {
        # preflight
        "node_unreachable",
        "common_cause",
        "node_excluded",
        "node_smu_error",
        "evidence_missing",
        "gpu_unresponsive",
        "gpu_missing",
        "gpu_unknown",
        "gpu_excluded",
        "command_hung",
        "smu_error_since_boot",
        "ramdisk_missing",
        "input_missing",
        "input_changed",
        "rebooted_since_check",
        "over_time_budget",
        "no_comparable_trials",
        "parameters_dropped",
        "cleanup_warning",
        "no_nodes_configured",
        "no_usable_node",
        "step_not_configured",
        # cards
        "first_incident",
        "repeated_incident",
        "repeated_exclusion",
        "reinstated",
        "operator_override",
        "gpu_job_failures",
        # parameters
        "no_history",
        "zero_survivors",
        "few_survivors",
        "enough_survivors",
        "too_few_trials_to_judge",
        "confounded",
        "unknown_outcome",
        "partial_run",
        # proposals
        "no_rationale",
        "no_number",
        "frozen_key",
        "cooldown",
        "daily_budget",
        "out_of_bounds",
        "max_change",
        # causes of failed jobs
        "device_mode",
        "out_of_memory",
        "operator",
        "deploy",
        "smu",
        "gpu",
        "input",
        "ssh",
        "code",
    }
)
"""Every rule that can be named in ``rules.disabled``."""
