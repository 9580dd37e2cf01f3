"""Commands that write events down: record."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from runledger.cli import exits
from runledger.cli.parser import Commands, command


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(commands, "record", _record, "append events, one JSON object a line")
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: stdin")


def _record(arguments: argparse.Namespace) -> int:
    from ledger import parse_ndjson
    from runledger.cli.opening import opened
    from runledger.cli.output import print_json, say

    events = parse_ndjson(_lines(arguments.files))
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
        say(f"stored {result.stored:,} events{already}; head {result.head.sequence}")
    return exits.DONE


def _lines(files: list[str]) -> Iterator[bytes]:
    for name in files or ["-"]:
        if name == "-":
            yield from sys.stdin.buffer
        else:
            with open(name, "rb") as file:
                yield from file
