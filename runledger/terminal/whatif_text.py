"""What a what-if changes, as a diff for people: decisions before and after, and why."""

from __future__ import annotations

from typing import Any

from ledger.payloads import DecisionPayload, Finding
from ledger.text.characters import plain
from ledger.text.humanize import counted, to_the_second
from runledger.kinds import SHOWN
from runledger.replaying.summary import grouped
from runledger.replaying.whatif import WhatIf
from runledger.terminal.output import colour, say, table


def show_whatif(result: WhatIf, *, summary: bool = False) -> None:
    """The result as a diff for people; with ``summary``, a line for each sort of change."""
    say(f"{len(result.changed):,} of {counted(result.decisions, 'decision')} would change")
    if summary:
        _groups(result)
    else:
        _differences(result)
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


def _groups(result: WhatIf) -> None:
    if not result.changed:
        return
    say("")
    table(
        ("KIND", "DECISIONS", "FIRST", "LAST", "EXAMPLE", "CHANGE"),
        [
            (
                each.kind, f"{each.decisions:,}", to_the_second(each.first),
                to_the_second(each.last), each.example, each.change,
            )
            for each in grouped(result.changed)
        ],
    )  # fmt: skip


def _differences(result: WhatIf) -> None:
    for changed in result.changed:
        before, after = changed.before, changed.after
        say("")
        say(colour(plain(f"{before.kind} {changed.decision}  {before.as_of.time}"), "strong"))
        effect = SHOWN[before.kind].effect
        say(colour(plain(f"- {effect(before)}"), "bad"))
        say(colour(plain(f"+ {effect(after)}"), "good"))
        for line in changed_reasons(before, after):
            say(plain(f"  {line}"))


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
