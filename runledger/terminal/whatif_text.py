"""What a what-if changes, as a diff for people: decisions before and after, and why."""

from __future__ import annotations

from typing import Any

from ledger.payloads import DecisionPayload, Finding
from runledger.replaying.whatif import WhatIf, effect
from runledger.terminal.output import colour, counted, plain, say


def show_whatif(result: WhatIf) -> None:
    """The result as a diff for people."""
    say(f"{len(result.changed):,} of {counted(result.decisions, 'decision')} would change")
    for changed in result.changed:
        before, after = changed.before, changed.after
        say("")
        say(colour(plain(f"{before.kind} {changed.decision}  {before.as_of.time}"), "strong"))
        for line in decision_lines(before):
            say(colour(plain(f"- {line}"), "bad"))
        for line in decision_lines(after):
            say(colour(plain(f"+ {line}"), "good"))
        for line in changed_reasons(before, after):
            say(plain(f"  {line}"))
    if result.changed:
        _totals(result.totals)
    if result.drifted:
        say("")
        say(
            f"with nothing changed, {len(result.drifted):,} would differ, too: "
            "see `runledger replay`"
        )
    for id, problem in result.problems.items():
        say(plain(f"{id} could not be made again: {problem}"))


def changed_reasons(before: DecisionPayload, after: DecisionPayload) -> list[str]:
    """The findings that one side has and the other has not, with the events they rest on."""
    old = {_key(each) for each in before.findings}
    new = {_key(each) for each in after.findings}
    lines = []
    for finding in (*before.findings, *after.findings):
        if (_key(finding) in old) != (_key(finding) in new):
            mark = "no longer" if _key(finding) in old else "now"
            events = f" [{', '.join(finding.evidence[:4])}]" if finding.evidence else ""
            lines.append(f"{mark}: {finding.rule}: {finding.message}{events}")
    return lines


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.subject, finding.severity


def _totals(totals: dict[str, Any]) -> None:
    say("")
    say(colour("In all", "strong"))
    steps, hours = totals["steps"], totals["gpu_hours_out"]
    say(f"  steps blocked {steps['blocked']}, freed {steps['freed']}")
    say(f"  GPU-hours sat out: {hours['before']:,.1f} before, {hours['after']:,.1f} after")
    for what in ("trials", "seeds"):
        asked = totals[what]
        say(f"  {what} asked for: {asked['before']:,} before, {asked['after']:,} after")


def decision_lines(decision: DecisionPayload) -> list[str]:
    """What a decision says, in a line or more."""
    outcome: dict[str, Any] = decision.outcome
    if decision.kind == "preflight":
        cards = [f"{node} {pci}" for node, pci in effect(decision)[3]]
        left_out = [*outcome["excluded_nodes"], *cards]
        return [
            f"{decision.verdict}; nodes {', '.join(outcome['nodes']) or 'none'}"
            + (f"; without {', '.join(left_out)}" if left_out else "")
        ]
    if decision.kind == "exclusions":
        return [
            ", ".join(f"{gpu['node']} {gpu['pci']} {gpu['state']}" for gpu in outcome["gpus"])
            or "no card watched or out"
        ]
    return [f"{decision.verdict}: {outcome['trials']:,} trials x {outcome['seed_count']:,} seeds"]
