"""``whatif``: reading the change from its options, and showing what it does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ledger import parse_filters, parse_ndjson
from ledger.payloads import DecisionPayload
from ledger.times import parse_time
from rules.policy import Policy, default_policy, parse_policy, with_settings
from runledger.cli import exits
from runledger.cli.opening import opened
from runledger.cli.output import colour, plain, print_json, say, talk
from runledger.cli.progress import progress
from runledger.errors import BadInput
from runledger.whatif import Change, WhatIf, changed_json, effect, what_if


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    change = _change(arguments)
    with opened(arguments, create=False) as runledger, progress("asking what if") as advance:
        decided = list(runledger.decisions(*arguments.where))
        result = what_if(runledger.ledger, runledger.catalog, decided, change, advance)
    if change.without and not result.left_out:
        talk(f"note: {' and '.join(arguments.without)} matches no event: nothing was left out")
    if arguments.junit:
        from runledger.junit import write_junit

        write_junit(Path(arguments.junit), result, [event.id for event in decided])
    if arguments.json:
        print_json(
            {
                "decisions": result.decisions,
                "changed": [changed_json(each) for each in result.changed],
                "drifted": result.drifted,
                "problems": result.problems,
                "left_out": result.left_out,
            }
        )
    else:
        show(result)
    return exits.DRIFT if arguments.fail_on_change and result.changed else exits.DONE


def _change(arguments: argparse.Namespace) -> Change:
    policy = None if arguments.policy is None else read_policy(Path(arguments.policy))
    # A misspelt key is an error even where no decision would be rerun.
    with_settings(policy or default_policy(), arguments.settings)
    added = []
    for name in arguments.added:
        with Path(name).open("rb") as file:
            added += parse_ndjson(file)
    return Change(
        policy=policy,
        settings=tuple(arguments.settings),
        without=parse_filters(arguments.without),
        added=tuple(added),
        at_us=None if arguments.at is None else parse_time(arguments.at),
        as_of=arguments.as_of,
    )


def read_policy(path: Path) -> Policy:
    """The policy in a file; raises `BadInput` where it is missing."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(f"no policy file {path}") from None
    return parse_policy(text, name=path.stem)


def show(result: WhatIf) -> None:
    """The result as a diff for people."""
    say(f"{len(result.changed)} of {result.decisions} decisions would change")
    for changed in result.changed:
        before, after = changed.before, changed.after
        say("")
        say(colour(plain(f"{before.kind} {changed.decision}  {before.as_of.time}"), "strong"))
        for line in _lines(before):
            say(colour(plain(f"- {line}"), "bad"))
        for line in _lines(after):
            say(colour(plain(f"+ {line}"), "good"))
        old = {(each.rule, each.subject, each.severity) for each in before.findings}
        new = {(each.rule, each.subject, each.severity) for each in after.findings}
        for finding in (*before.findings, *after.findings):
            key = (finding.rule, finding.subject, finding.severity)
            if (key in old) != (key in new):
                mark = "no longer" if key in old else "now"
                say(plain(f"  {mark}: {finding.rule}: {finding.message}"))
    if result.drifted:
        say("")
        say(f"{len(result.drifted)} decisions differ with nothing changed: see `runledger replay`")


def _lines(decision: DecisionPayload) -> list[str]:
    outcome: dict[str, Any] = decision.outcome
    if decision.kind == "preflight":
        cards = [f"{node} {pci}" for node, pci in effect(decision)[3]]
        return [
            f"{decision.verdict}; nodes {', '.join(outcome['nodes']) or 'none'}"
            + (f"; without {', '.join(cards)}" if cards else "")
        ]
    if decision.kind == "exclusions":
        return [
            ", ".join(f"{gpu['node']} {gpu['pci']} {gpu['state']}" for gpu in outcome["gpus"])
            or "no card watched or out"
        ]
    return [f"{decision.verdict}: {outcome['trials']} trials x {outcome['seed_count']} seeds"]
