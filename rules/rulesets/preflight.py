"""May a step start? Rules over nodes, evidence, cards, files, time and parameters.

`PREFLIGHT_RULES` look at what is known; `FLEET_RULES` then look at what is left
of the fleet. Longer than most: it is one table.
"""

from __future__ import annotations

from rules.conditions import when
from rules.ruleset import Rule

_RESEAT = (
    "power-cycle {node}; if it stays so: "
    "runledger override {subject} exclude --reason TEXT --by WHO"
)
_AGAIN = "probe again: runledger preflight --step {step}"

_BEHIND = "{witnesses} saw position {sequence} of this ledger with a hash that it does not hold"
_WHICH_IS_TRUE = (
    "find out which history is true: runledger verify --witnesses; "
    "where an older copy was restored on purpose: "
    "runledger witness accept --reason TEXT --by WHO"
)

PREFLIGHT_RULES: tuple[Rule, ...] = (
    Rule(
        name="node_unreachable",
        about="node",
        when=when(
            "reachable == false",
            "out == false",
            "unreachable_nodes > $preflight.allow_missing_nodes",
        ),
        severity="block",
        message="{node} did not answer SSH{since} ({why})",
        remedy="{mend}, then rerun",
    ),
    Rule(
        name="node_unreachable",
        about="node",
        when=when(
            "reachable == false",
            "out == false",
            "unreachable_nodes <= $preflight.allow_missing_nodes",
        ),
        severity="degrade",
        message="{node} did not answer SSH{since} ({why}); the policy allows {allowance} missing",
        remedy="run on the usable nodes only; {mend}",
    ),
    Rule(
        name="node_unreachable",
        about="node",
        when=when("reachable == false", "out == true"),
        severity="degrade",
        message="{node} did not answer SSH{since} ({why}); it sits out anyway",
        remedy="nothing for this run; later {mend}",
    ),
    Rule(
        name="node_excluded",
        about="node",
        when=when("out == true"),
        severity="degrade",
        message="{node}: {operator_says}",
        remedy="lift it with: runledger override {subject} reinstate --reason TEXT --by WHO",
    ),
    Rule(
        name="common_cause",
        about="common",
        when=when("cards >= $gpu.common_cause_min_gpus", "share >= $gpu.common_cause_share"),
        severity="block",
        message="{cards} cards of {node} failed together at {since}: the node is to blame, not "
        "its cards",
        remedy="check the power supply, risers and cooling of {node} and reboot it, or: "
        "runledger override {subject} reinstate --reason TEXT --by WHO",
    ),
    Rule(
        name="common_cause",
        about="series",
        when=when("cards >= $gpu.series_cards"),
        severity="block",
        message="{cards} cards of {node} failed one after another from {since} to {until}: the "
        "node is to blame, not its cards",
        remedy="check the power supply, risers and cooling of {node} and reboot it; {looks} clean "
        "looks over an hour end it, too, or: "
        "runledger override {subject} reinstate --reason TEXT --by WHO",
    ),
    Rule(
        name="fleet_cause",
        about="fleet_cause",
        when=when("nodes >= $gpu.fleet_cause_nodes", "share >= 0.25"),
        severity="warn",
        message="cards of {nodes} nodes failed within hours since {since} ({which}): power, heat "
        "or the network",
        remedy="find out what these nodes share; what their cards had counts toward no exclusion; "
        "lift it with: runledger override fleet reinstate --reason TEXT --by WHO",
    ),
    Rule(
        name="command_hung",
        about="hung",
        when=when("commands >= 1", "out == false"),
        severity="unknown",
        message="on {what}, {commands} did not come back",
        remedy="look for processes in state D on {node}; " + _AGAIN,
    ),
    Rule(
        name="cleanup_warning",
        about="cleanup",
        when=when("warnings >= 1"),
        severity="warn",
        message="the last clean-up of {node} warned: {warnings}",
        remedy="look at it with: runledger cleanup --node {node} --dry-run",
    ),
    Rule(
        name="node_smu_error",
        about="node_smu",
        when=when("since_boot == true"),
        severity="warn",
        message="{node} logged an SMU error since its boot in a line that names no card",
        remedy="see: runledger events --where type=smu_error,node={node}",
    ),
    Rule(
        name="node_gpu_fault",
        about="node_gpu_fault",
        when=when("since_boot == true"),
        severity="warn",
        message="{node} logged a fault of a card since its boot in a line that blames none: {what}",
        remedy="see: runledger events --where type=gpu_fault,node={node}; runledger faults "
        "explains codes",
    ),
    Rule(
        name="node_fault",
        about="node_fault",
        when=when("since_boot == true"),
        severity="warn",
        message="{node} logged faults of its own since its boot: {what}",
        remedy="see: runledger events --where type=node_fault,node={node}",
    ),
    Rule(
        name="log_unread",
        about="log",
        when=when("unread >= 1"),
        severity="warn",
        message="{unread} of the kernel log of {node} with words of trouble could not be placed",
        remedy="read them on {node}: journalctl -k -b; unread is not clean",
    ),
    Rule(
        name="evidence_missing",
        about="evidence",
        when=when("missing(age_s)"),
        severity="unknown",
        message="{node}: {what} is missing",
        remedy=_AGAIN,
    ),
    Rule(
        name="evidence_missing",
        about="evidence",
        when=when("readable == false"),
        severity="unknown",
        message="{node}: {what} {problem}",
        remedy="{mend}" + _AGAIN,
    ),
    Rule(
        name="evidence_missing",
        about="evidence",
        when=when("readable == true", "age_s > $preflight.evidence_max_age_s"),
        severity="unknown",
        message="{node}: {what} is {age} old (at most {max_age})",
        remedy=_AGAIN,
    ),
    Rule(
        name="gpu_unresponsive",
        about="card",
        when=when(
            "state == unresponsive", "out == false", "dead_cards > $preflight.allow_dead_cards"
        ),
        severity="block",
        message="{card} does not respond{why}",
        remedy=_RESEAT,
    ),
    Rule(
        name="gpu_unresponsive",
        about="card",
        when=when(
            "state == unresponsive", "out == false", "dead_cards <= $preflight.allow_dead_cards"
        ),
        severity="degrade",
        message="{card} does not respond{why}; the policy allows {allowance}",
        remedy="run without it; later " + _RESEAT,
    ),
    Rule(
        name="gpu_unresponsive",
        about="card",
        when=when("state == unresponsive", "out == true"),
        severity="degrade",
        message="{card} does not respond{why}; it sits out anyway",
        remedy="nothing for this run; see docs/hardware-issues.md",
    ),
    Rule(
        name="gpu_missing",
        about="card",
        when=when("state == missing", "out == false", "dead_cards > $preflight.allow_dead_cards"),
        severity="block",
        message="{card} is missing{why}",
        remedy=_RESEAT,
    ),
    Rule(
        name="gpu_missing",
        about="card",
        when=when("state == missing", "out == false", "dead_cards <= $preflight.allow_dead_cards"),
        severity="degrade",
        message="{card} is missing{why}; the policy allows {allowance}",
        remedy="run without it; later " + _RESEAT,
    ),
    Rule(
        name="gpu_missing",
        about="card",
        when=when("state == missing", "out == true"),
        severity="degrade",
        message="{card} is missing{why}; it sits out anyway",
        remedy="nothing for this run; see docs/hardware-issues.md",
    ),
    Rule(
        name="gpu_missing",
        about="shortage",
        when=when("unexplained >= 1", "dead_cards > $preflight.allow_dead_cards"),
        severity="block",
        message="{node} shows {shown} of {expected} cards{beside}{said}{which}",
        remedy="{mend}",
    ),
    Rule(
        name="gpu_missing",
        about="shortage",
        when=when("unexplained >= 1", "dead_cards <= $preflight.allow_dead_cards"),
        severity="degrade",
        message="{node} shows {shown} of {expected} cards{beside}{said}{which}; the policy allows "
        "{allowance}",
        remedy="run without it; later {mend}",
    ),
    Rule(
        name="gpu_needs_reset",
        about="reset",
        when=when("asked_s >= 0", "out == false"),
        severity="$preflight.needs_reset",
        message="{card} needs a reset: {asked}",
        remedy="{do}; a reset that succeeds, a newer boot of {node} or a person ends it: "
        "runledger override {subject} reinstate --reason TEXT --by WHO",
    ),
    Rule(
        name="gpu_needs_reset",
        about="reset",
        when=when("asked_s >= 0", "out == true"),
        severity="warn",
        message="{card} needs a reset: {asked}; it sits out anyway",
        remedy="nothing for this run; later {do}",
    ),
    Rule(
        name="gpu_unknown",
        about="card",
        when=when("state == unknown", "out == false"),
        severity="unknown",
        message="the state of {card} could not be told",
        remedy=_AGAIN,
    ),
    Rule(
        name="gpu_excluded",
        about="card",
        when=when("out == true", "state != missing"),
        severity="degrade",
        message="{card} sits out: {reason}",
        remedy="run without it; see: runledger exclusions",
    ),
    Rule(
        name="smu_error_since_boot",
        about="incident",
        when=when("since_boot >= 1", "state == ok"),
        severity="warn",
        message="{card} had an incident since the last boot of {node} ({incident}), "
        "and answers now",
        remedy="reboot {node} when the run is over; see: runledger exclusions",
    ),
    Rule(
        name="cleanup_warning",
        about="orphan",
        when=when("orphaned_vram_mib > 0"),
        severity="warn",
        message="the last clean-up left {orphaned_mib} MiB on {card} that no process owns",
        remedy="runledger cleanup --node {node}; memory without an owner takes a reboot",
    ),
    Rule(
        name="ramdisk_missing",
        about="file",
        when=when("role == ramdisk", "present == false", "filled_by_step == false"),
        severity="block",
        message="{path} is missing on {node}",
        remedy="copy it to {node} (a reboot empties the ramdisk), then rerun",
    ),
    Rule(
        name="ramdisk_missing",
        about="file",
        when=when("role == ramdisk", "present == true", "bytes == 0", "filled_by_step == false"),
        severity="block",
        message="{path} on {node} is empty",
        remedy="copy it to {node} again, then rerun",
    ),
    Rule(
        name="ramdisk_missing",
        about="file",
        when=when("role == ramdisk", "present == false", "filled_by_step == true"),
        severity="warn",
        message="{path} is not on {node} yet",
        remedy="nothing: step {step} puts it there itself",
    ),
    Rule(
        name="ramdisk_missing",
        about="file",
        when=when("role == ramdisk", "present == true", "bytes == 0", "filled_by_step == true"),
        severity="warn",
        message="{path} on {node} is empty",
        remedy="nothing: step {step} writes it anew",
    ),
    Rule(
        name="input_missing",
        about="file",
        when=when("role == input", "present == false"),
        severity="block",
        message="{path} is missing on {node}",
        remedy="run the step that writes it, or put it there, then rerun",
    ),
    Rule(
        name="input_missing",
        about="file",
        when=when("role == input", "present == true", "bytes == 0"),
        severity="block",
        message="{path} on {node} is empty",
        remedy="run the step that writes it again, then rerun",
    ),
    Rule(
        name="input_changed",
        about="file",
        when=when("as_expected == false", "filled_by_step == false"),
        severity="block",
        message="{path} on {node} has SHA-256 {sha256}, expected {expected_sha256}",
        remedy="find out who wrote it; restore the expected file, or change what is expected",
    ),
    Rule(
        name="rebooted_since_check",
        about="file",
        when=when("role == ramdisk", "since_boot == false", "filled_by_step == false"),
        severity="unknown",
        message="{node} was rebooted after {path} was looked for: the ramdisk may be empty",
        remedy=_AGAIN,
    ),
    Rule(
        name="over_time_budget",
        about="budget",
        when=when("used_share > $preflight.time_budget_share"),
        severity="block",
        message="{trials} trials at {median_s} s each need {need_s} s, the step has {budget_s} s: "
        "{fits} would fit",
        remedy="ask for {fewer}, or raise timeout_s of step {step}",
    ),
    Rule(
        name="no_comparable_trials",
        about="budget",
        when=when("comparable_trials == 0"),
        severity="info",
        message="how long {trials} trials take is not known: {unknown}",
        remedy="{tell}",
    ),
    Rule(
        name="parameters_dropped",
        about="run",
        when=when("dropped >= 1"),
        severity="warn",
        message="parameters of {run} did not reach the program: {dropped}",
        remedy="add them to the manifest of the step, or stop asking for them",
    ),
    Rule(
        name="ledger_behind_witness",
        about="witness",
        when=when("agreeing >= 2"),
        severity="unknown",
        message=_BEHIND + ": the ledger was rewritten, cut off, or replaced by an older copy",
        remedy=_WHICH_IS_TRUE,
    ),
    Rule(
        name="ledger_behind_witness",
        about="witness",
        when=when("agreeing < 2", "sealed == true"),
        severity="unknown",
        message=_BEHIND + ", and that was sealed: the ledger was rewritten or cut off",
        remedy=_WHICH_IS_TRUE,
    ),
    Rule(
        name="ledger_behind_witness",
        about="witness",
        when=when("behind >= 1", "agreeing < 2", "sealed == false"),
        severity="warn",
        message=_BEHIND + "; no other witness says the same",
        remedy=_WHICH_IS_TRUE,
    ),
    Rule(
        name="step_not_configured",
        about="question",
        when=when("configured == false", "steps >= 1"),
        severity="$preflight.unconfigured_step",
        message="step {step} is not configured: nothing is known of its files and its timeout; "
        "did you mean {nearest}?",
        remedy='ask for a step that is, or write [steps."{step}"] in runledger.toml',
    ),
    Rule(
        name="step_not_configured",
        about="question",
        when=when("configured == false", "steps == 0"),
        severity="info",
        message="no step is configured: no files and no timeout are looked at for step {step}",
        remedy='to have them looked at, write [steps."{step}"] in runledger.toml',
    ),
)

FLEET_RULES: tuple[Rule, ...] = (
    Rule(
        name="no_nodes_configured",
        about="fleet",
        when=when("configured == 0"),
        severity="unknown",
        message="no nodes are configured for step {step}: there is nothing to judge",
        remedy="name them in runledger.toml: runledger init",
    ),
    Rule(
        name="no_usable_node",
        about="fleet",
        when=when("configured >= 1", "usable == 0"),
        severity="block",
        message="none of the nodes of step {step} is usable",
        remedy="bring at least one of them back, then rerun",
    ),
)
