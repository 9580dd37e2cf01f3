"""Which cards sit out: rules over the standing of each card.

``effect`` is the state a rule asks for; the worst one asked for is the card's.
"""

from __future__ import annotations

from rules.conditions import when
from rules.ruleset import Rule, Severity


def _by_operator(word: str, state: str, severity: Severity) -> Rule:
    return Rule(
        name="operator_override",
        about="gpu_word",
        when=when(f"word == {word}"),
        severity=severity,
        message="{card}: {operator_says}",
        remedy="lift it with: runledger override {subject} reinstate --reason TEXT --by WHO",
        effect={"state": state},
    )


GPU_RULES: tuple[Rule, ...] = (
    Rule(
        name="first_incident",
        about="gpu",
        when=when(
            "most_incidents >= $gpu.watch_after_incidents",
            "incidents < $gpu.exclude_after_incidents",
            "reinstated == false",
        ),
        severity="warn",
        message="{card}: {incidents}",
        remedy="keep an eye on it: {exclude_after} within {window} take it out",
        effect={"state": "watch"},
    ),
    Rule(
        name="reinstated",
        about="gpu",
        when=when("reinstated == true", "quiet_s < $gpu.window_s", "taken_out == false"),
        severity="warn",
        message="{card}: back after {reinstated_by}",
        remedy="it is on watch; earlier incidents no longer count, earlier exclusions do",
        effect={"state": "watch"},
    ),
    Rule(
        name="repeated_incident",
        about="gpu",
        when=when(
            "incidents >= $gpu.exclude_after_incidents",
            "exclusions < $gpu.retire_after_exclusions",
        ),
        severity="degrade",
        message="{card}: {incidents}",
        remedy="reseat it, check its power and riser; then {clean} clean probes over {clean_span} "
        "or: runledger override {subject} reinstate --reason TEXT --by WHO",
        effect={"state": "excluded"},
    ),
    Rule(
        name="repeated_exclusion",
        about="gpu",
        when=when(
            "incidents >= $gpu.exclude_after_incidents",
            "exclusions >= $gpu.retire_after_exclusions",
        ),
        severity="degrade",
        message="{card}: excluded {exclusions} times; {incidents}",
        remedy="return it to the vendor, or after a repair: "
        "runledger override {subject} reinstate --reason TEXT --by WHO",
        effect={"state": "retire"},
    ),
    Rule(
        name="gpu_job_failures",
        about="gpu_failures",
        when=when("failures >= $gpu.watch_after_job_failures"),
        severity="warn",
        message="{card}: {failures} jobs failed on it within {window}, by fault of the card",
        remedy="see: runledger events --where type=job_failed_with_traceback,pci={pci}",
        effect={"state": "watch"},
    ),
    _by_operator("watch", "watch", "warn"),
    _by_operator("exclude", "excluded", "degrade"),
    _by_operator("retire", "retire", "degrade"),
)
