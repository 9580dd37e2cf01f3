"""``whatif``: reading the change from its options, and showing what it does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ledger import Event, InvalidEvents, parse_filters, parse_ndjson
from ledger.input_files import open_lines, read_text
from ledger.payloads import DecisionPayload, Finding
from ledger.times import parse_time
from rules.policy import InvalidPolicy, Policy, parse_policy
from runledger.cli import exits
from runledger.cli.ledger_options import opened
from runledger.cli.output import colour, counted, plain, print_json, say, talk
from runledger.cli.progress import progress
from runledger.errors import BadInput
from runledger.replaying.whatif import Change, WhatIf, changed_json, effect, what_if


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    change = _change(arguments)
    with opened(arguments, create=False) as runledger, progress("asking what if") as advance:
        decided = list(runledger.decisions(*arguments.where))
        result = what_if(runledger.ledger, runledger.catalog, decided, change, advance)
    for text in result.unmatched:
        talk(f"note: --without {text} matches no event: it leaves nothing out")
    if arguments.where and not decided:
        talk(f"note: --where {' or '.join(arguments.where)} matches no decision")
    if arguments.junit:
        _junit(Path(arguments.junit), result, decided)
    if arguments.json:
        print_json(
            {
                "decisions": result.decisions,
                "changed": [changed_json(each) for each in result.changed],
                "drifted": result.drifted,
                "problems": result.problems,
                "left_out": result.left_out,
                "unmatched": result.unmatched,
                "totals": result.totals,
            }
        )
    else:
        show(result)
    return exits.DRIFT if arguments.fail_on_change and result.changed else exits.DONE


def _junit(path: Path, result: WhatIf, decided: list[Event]) -> None:
    from runledger.replaying.junit import Case, write_junit

    changed = {each.decision: each for each in result.changed}
    cases = []
    for event in decided:
        case = Case(f"{event.time} {event.id}", f"whatif.{event.type}")
        if event.id in changed:
            before, after = changed[event.id].before, changed[event.id].after
            lines = [*(f"- {line}" for line in _lines(before)), *_reasons(before, after)]
            lines[1:1] = [f"+ {line}" for line in _lines(after)]
            case.fail("the decision would change", "\n".join(lines))
        elif event.id in result.problems:
            case.error(result.problems[event.id])
        cases.append(case)
    write_junit(path, "runledger whatif", cases)


def _change(arguments: argparse.Namespace) -> Change:
    policy = None if arguments.policy is None else read_policy(Path(arguments.policy))
    return Change(
        policy=policy,
        settings=tuple(arguments.settings),
        without=parse_filters(arguments.without),
        added=tuple(event for name in arguments.added for event in _read_events(Path(name))),
        at_us=None if arguments.at is None else parse_time(arguments.at),
        as_of=arguments.as_of,
    )


def _read_events(path: Path) -> list[Event]:
    try:
        with open_lines(path) as lines:
            return parse_ndjson(lines)
    except InvalidEvents as error:
        raise BadInput("\n".join(f"{path}: {problem}" for problem in error.problems)) from None


def read_policy(path: Path) -> Policy:
    """The policy in a file; raises `BadInput`, or ``OSError`` where it cannot be read."""
    try:
        text = read_text(path)
    except UnicodeDecodeError:
        raise BadInput(f"policy {path}: not UTF-8 text") from None
    try:
        return parse_policy(text, name=path.stem)
    except InvalidPolicy as error:
        raise InvalidPolicy(str(path), list(error.problems)) from None


def show(result: WhatIf) -> None:
    """The result as a diff for people."""
    say(f"{len(result.changed):,} of {counted(result.decisions, 'decision')} would change")
    for changed in result.changed:
        before, after = changed.before, changed.after
        say("")
        say(colour(plain(f"{before.kind} {changed.decision}  {before.as_of.time}"), "strong"))
        for line in _lines(before):
            say(colour(plain(f"- {line}"), "bad"))
        for line in _lines(after):
            say(colour(plain(f"+ {line}"), "good"))
        for line in _reasons(before, after):
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


def _reasons(before: DecisionPayload, after: DecisionPayload) -> list[str]:
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


def _lines(decision: DecisionPayload) -> list[str]:
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
