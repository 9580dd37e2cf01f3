"""Commands that write events down: record."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from ledger import Event


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(
        commands,
        "record",
        _record,
        "append events, one JSON object a line",
        examples=[
            "runledger record events.ndjson",
            "watcher --events | runledger record",
        ],
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: stdin, or - for it")


def _record(arguments: argparse.Namespace) -> int:
    from ledger.text.humanize import counted
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json, say

    events = _events(arguments.files)
    with opened(arguments, create=True) as runledger:
        result = runledger.record(events)
    if arguments.json:
        print_json(
            {
                "stored": result.stored,
                "duplicates": result.duplicates,
                "head": result.head._asdict(),
            }
        )
    else:
        already = f", {result.duplicates:,} were there already" if result.duplicates else ""
        say(f"stored {counted(result.stored, 'event')}{already}; head {result.head.sequence}")
    return exits.DONE


def _events(files: list[str]) -> list[Event]:
    """The events of all files as one batch; what is wrong in any is named together."""
    from dataclasses import replace

    from ledger import InvalidEvents, Problem, parse_ndjson
    from ledger.input_files import open_lines, stdin_lines
    from runledger.terminal.output import talk

    events: list[Event] = []
    problems: list[Problem] = []
    for name in files or ["-"]:
        try:
            if name == "-":
                if sys.stdin.isatty():
                    talk("type events, one JSON object a line, and end with Ctrl-D")
                events += parse_ndjson(stdin_lines())
            else:
                with open_lines(name) as lines:
                    events += parse_ndjson(lines)
        except InvalidEvents as error:
            shown = ("stdin" if name == "-" else name) if files else ""
            problems += [replace(problem, file=shown) for problem in error.problems]
    if problems:
        raise InvalidEvents(problems)
    return events
