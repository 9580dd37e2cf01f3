"""``whatif``: the change read from its options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from ledger import Event, InvalidEvents, parse_filters, parse_ndjson
from ledger.input_files import open_lines
from ledger.times import parse_time
from rules.policy import Policy, check_types
from runledger.cli import exits
from runledger.cli.ledger_options import opened
from runledger.cli.progress import progress
from runledger.config.policy_files import read_policy_file
from runledger.errors import BadInput
from runledger.kinds import SHOWN
from runledger.replaying.summary import grouped
from runledger.replaying.whatif import Change, WhatIf, changed_json, what_if
from runledger.terminal.output import print_json, talk
from runledger.terminal.whatif_text import changed_reasons, show_whatif


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    change = _change(arguments)
    with opened(arguments) as runledger, progress("asking what if") as advance:
        if change.policy is not None:
            check_types(change.policy, runledger.session.own_types.types())
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
                **_changes(result, summary=arguments.summary),
                "drifted": result.drifted,
                "problems": result.problems,
                "left_out": result.left_out,
                "unmatched": result.unmatched,
                "totals": result.totals,
            }
        )
    else:
        show_whatif(result, summary=arguments.summary)
    return exits.DRIFT if arguments.fail_on_change and result.changed else exits.DONE


def _changes(result: WhatIf, *, summary: bool) -> dict[str, Any]:
    if not summary:
        return {"changed": [changed_json(each) for each in result.changed]}
    groups = msgspec.to_builtins(grouped(result.changed))
    return {"changes": len(result.changed), "groups": groups}


def _junit(path: Path, result: WhatIf, decided: list[Event]) -> None:
    from runledger.replaying.junit import Case, write_junit

    changed = {each.decision: each for each in result.changed}
    cases = []
    for event in decided:
        case = Case(f"{event.time} {event.id}", f"whatif.{event.type}")
        if event.id in changed:
            before, after = changed[event.id].before, changed[event.id].after
            effect = SHOWN[before.kind].effect
            lines = [f"- {effect(before)}", f"+ {effect(after)}", *changed_reasons(before, after)]
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
    return read_policy_file(path)
