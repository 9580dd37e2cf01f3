"""Commands that write events down: record."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledger import Event
    from runledger.intake.admission import Lines


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
    from runledger.intake.admission import admit
    from runledger.terminal.output import print_json, say

    events, lines = _events(arguments.files)
    with opened(arguments, write=True, create=None) as runledger:
        admit(runledger.ledger, events, lines)
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


def _events(files: list[str]) -> tuple[list[Event], Lines]:
    """The events of all files as one batch, and where each stands; all problems are one error."""
    from dataclasses import replace

    from ledger import InvalidEvents, Problem, parse_ndjson
    from ledger.input_files import open_lines, stdin_lines
    from runledger.terminal.output import talk

    events: list[Event] = []
    places: list[tuple[str, int]] = []
    problems: list[Problem] = []
    for name in files or ["-"]:
        shown = ("stdin" if name == "-" else name) if files else ""
        try:
            if name == "-":
                if sys.stdin.isatty():
                    talk("type events, one JSON object a line, and end with Ctrl-D")
                events += parse_ndjson(_noting(stdin_lines(), shown, places))
            else:
                with open_lines(name) as lines:
                    events += parse_ndjson(_noting(lines, shown, places))
        except InvalidEvents as error:
            problems += [replace(problem, file=shown) for problem in error.problems]
    if problems:
        raise InvalidEvents(problems)
    return events, places


def _noting(lines: Iterable[bytes], file: str, places: list[tuple[str, int]]) -> Iterator[bytes]:
    """The lines as they come; ``places`` gets file and number of each that holds an event."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            places.append((file, number))
        yield line
