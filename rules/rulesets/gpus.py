"""Which cards sit out: rules over the standing of each card.

``effect`` is the state a rule asks for; the worst one asked for is the card's.
"""

from __future__ import annotations

from rules.conditions import when
from rules.ruleset import Rule, Severity

_LIFT = "runledger override {subject} reinstate --reason TEXT --by WHO"
_BACK = "reseat it, check its power and riser{rma}; it comes back after {back}, or: " + _LIFT
_NOT_RETIRED = "exclusions < $gpu.retire_after_exclusions"
_RETIRED = "exclusions >= $gpu.retire_after_exclusions"


def _by_operator(word: str, state: str, severity: Severity) -> Rule:
    return Rule(
        name="operator_override",
        about="gpu_word",
        when=when(f"word == {word}"),
        severity=severity,
        message="{card}: {operator_says}",
        remedy=f"lift it with: {_LIFT}",
        effect={"state": state},
    )


GPU_RULES: tuple[Rule, ...] = (
    Rule(
        name="first_incident",
        about="gpu",
        when=when(
            "most_incidents >= $gpu.watch_after_incidents",
            "incidents >= 1",
            "grounds == 0",
        ),
        severity="warn",
        message="{card}: {incidents}",
        remedy="keep an eye on it{rma}: {exclude_after} that count at once take it out; "
        "one counts for {counts_for}",
        effect={"state": "watch"},
    ),
    Rule(
        name="common_cause",
        about="gpu",
        when=when("in_series >= 1", "grounds == 0"),
        severity="warn",
        message="{card}: {series}: its node is to blame",
        remedy="look at the power, risers and cooling of {node}; it counts toward no exclusion",
        effect={"state": "watch"},
    ),
    Rule(
        name="fleet_cause",
        about="gpu",
        when=when("in_fleet_cause >= 1", "grounds == 0"),
        severity="warn",
        message="{card}: {fleet}: power, heat or the network is to blame",
        remedy="find out what these nodes share; it counts toward no exclusion",
        effect={"state": "watch"},
    ),
    Rule(
        name="reinstated",
        about="gpu",
        when=when("reinstated == true", "back_s < $gpu.window_s", "taken_out == false"),
        severity="warn",
        message="{card}: back after {reinstated_by}",
        remedy="it is on watch; earlier incidents no longer count, earlier exclusions do",
        effect={"state": "watch"},
    ),
    Rule(
        name="repeated_incident",
        about="gpu",
        when=when("incidents >= $gpu.exclude_after_incidents", _NOT_RETIRED),
        severity="degrade",
        message="{card}: {incidents}",
        remedy=_BACK,
        effect={"state": "excluded"},
    ),
    Rule(
        name="repeated_incident",
        about="gpu",
        when=when("on_probation >= 1", "incidents < $gpu.exclude_after_incidents", _NOT_RETIRED),
        severity="degrade",
        message="{card}: {incidents}, within {window} after clean looks had brought it back",
        remedy=_BACK,
        effect={"state": "excluded"},
    ),
    Rule(
        name="crashes",
        about="gpu",
        when=when("crashes >= $gpu.exclude_after_crashes", _NOT_RETIRED),
        severity="degrade",
        message="{card}: took {node} down {crashes} times",
        remedy=_BACK,
        effect={"state": "excluded"},
    ),
    Rule(
        name="repeated_exclusion",
        about="gpu",
        when=when("grounds >= 1", _RETIRED),
        severity="degrade",
        message="{card}: excluded {exclusions} times; {incidents}",
        remedy=f"return it to the vendor, or after a repair: {_LIFT}",
        effect={"state": "retire"},
    ),
    Rule(
        name="gpu_job_failures",
        about="gpu_charge",
        when=when(
            "failures >= $gpu.exclude_after_job_failures",
            "times_others >= $gpu.ambiguous_ratio",
            _NOT_RETIRED,
        ),
        severity="degrade",
        message="{card}: {failures} jobs failed on it within {harmless_window}, by fault of the "
        "card; the other cards {others} on average",
        remedy=f"see: runledger events --where type=job_failed_with_traceback,pci={{pci}}; "
        f"clean looks or a person bring it back: {_LIFT}",
        effect={"state": "excluded"},
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
    Rule(
        name="stands_out",
        about="gpu_faults",
        when=when("faults >= $gpu.ambiguous_after", "times_others >= $gpu.ambiguous_ratio"),
        severity="warn",
        message="{card}: {faults} ring timeouts or resets within {harmless_window}, the other "
        "cards {others} on average",
        remedy="a workload's fault would show on all cards: look at this one's power and riser",
        effect={"state": "watch"},
    ),
    Rule(
        name="hangs",
        about="gpu_hangs",
        when=when("hangs >= $gpu.ambiguous_after", "times_others >= $gpu.ambiguous_ratio"),
        severity="warn",
        message="{card}: tools hung on it {hangs} times within {harmless_window}, the other cards "
        "{others} on average",
        remedy="look for processes in state D on {node}, and at this card's power and riser",
        effect={"state": "watch"},
    ),
    Rule(
        name="pcie_corrected",
        about="gpu_link",
        when=when("noisy_days >= 2", "most_a_day >= $gpu.pcie_corrected_per_day"),
        severity="warn",
        message="{card}: its link corrected up to {most} errors a day, {noisy_days} days of a week",
        remedy="reseat the card and its riser; a slower link (Gen 3) often ends it",
        effect={"state": "watch"},
    ),
    Rule(
        name="gpu_down",
        about="gpu_look",
        when=when("state == unresponsive"),
        severity="degrade",
        message="{card}: {says}",
        remedy="power-cycle {node}; it is down until a look shows it ok",
        effect={"state": "down"},
    ),
    Rule(
        name="gpu_down",
        about="gpu_look",
        when=when("state == missing"),
        severity="degrade",
        message="{card}: {says}",
        remedy="power-cycle {node} and look at its risers; it is down until a look shows it ok",
        effect={"state": "down"},
    ),
    Rule(
        name="gpu_needs_reset",
        about="gpu_reset",
        when=when("asked_s >= 0"),
        severity="$preflight.needs_reset",
        message="{card}: needs a reset ({asked})",
        remedy="{do}; a reset that succeeds, a newer boot or a person's reinstate ends it",
        effect={"state": "watch"},
    ),
    Rule(
        name="retired_but_clean",
        about="gpu_rested",
        when=when("clean_s >= $gpu.retired_recheck_s"),
        severity="info",
        message="{card}: retired, and looks have shown it ok for {clean}: was it swapped?",
        remedy="if it was: record a repair_done of {subject}, swapped true; if it was repaired: "
        + _LIFT,
        effect={"state": "ok"},
    ),
    _by_operator("watch", "watch", "warn"),
    _by_operator("exclude", "excluded", "degrade"),
    _by_operator("retire", "retire", "degrade"),
)
