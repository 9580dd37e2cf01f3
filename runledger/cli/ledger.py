"""Commands over the ledger itself: events, export, restore, backup, upgrade, doctor."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.listing import chosen_of, stretch, until_interrupted
from runledger.cli.parser import Commands, command, count, where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger import Event

_LONGEST = 400
"""Characters of an event's line where no terminal limits them; ``--json`` has all of it."""


def add(commands: Commands) -> None:
    """Declare the commands."""
    # Long: a list of commands with their options, one after another.
    parser = command(
        commands,
        "events",
        _events,
        "list events",
        examples=[
            "runledger events --where type=smu_error,node=rig-6600,since=2026-01-24T00:00:00Z",
            "runledger events --last 20 --follow",
        ],
    )
    where(parser, "those that match")
    stretch(parser)

    parser = command(
        commands,
        "export",
        _export,
        "write events out, one JSON object a line",
        examples=[
            "runledger export > all.ndjson",
            "runledger export --where run=R-20260124 --format csv --output run.csv",
            "runledger export --redact --output shared.ndjson",
        ],
    )
    where(parser, "those that match")
    parser.add_argument(
        "--format", choices=["ndjson", "csv", "parquet"], default="ndjson", help="default: ndjson"
    )
    parser.add_argument(
        "--evidence", action="store_true", help="without decisions: what they were made from"
    )
    parser.add_argument("--output", metavar="FILE", help="default: stdout")
    parser.add_argument(
        "--redact",
        action="store_true",
        help="for sharing: secrets taken out, hashes and decisions left out (docs/secrets.md)",
    )

    parser = command(
        commands,
        "restore",
        _restore,
        "fill an empty ledger from an export",
        examples=["runledger --ledger copy.db restore all.ndjson"],
    )
    parser.add_argument("file", metavar="FILE", help="what `export` wrote")

    parser = command(
        commands,
        "backup",
        _backup,
        "copy the ledger while it is in use",
        examples=[
            "runledger backup /backup/runledger-20260124.db",
            "runledger backup --verify --keep 14 /backup",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="a new file; with --keep, a folder")
    parser.add_argument(
        "--verify", action="store_true",
        help="read the finished file once more, and find its head in the ledger",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=count, metavar="N",
        help="name it by the time, and remove all but the newest N of those named so",
    )  # fmt: skip

    parser = command(
        commands,
        "upgrade",
        _upgrade,
        "bring the ledger's tables to this program's schema",
        examples=["runledger upgrade --preview", "runledger backup before.db && runledger upgrade"],
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="change nothing; show which cards and steps today's rules judge otherwise",
    )
    command(
        commands,
        "doctor",
        _doctor,
        "check the installation and the ledger",
        examples=["runledger doctor"],
    )


def _events(arguments: argparse.Namespace) -> int:
    from ledger import parse_filters
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import note_no_match

    with opened(arguments) as runledger:
        where = parse_filters(arguments.where)
        found = chosen_of(runledger.ledger, arguments, where=where)
        if arguments.follow:
            with until_interrupted():
                _write_each(found, as_json=arguments.json)
            return exits.DONE
        count = _write_json(found) if arguments.json else _write_lines(found)
    note_no_match(count, arguments.where)
    return exits.DONE


def _write_json(found: Iterable[Event]) -> int:
    """One object however many events, streamed by hand; returns how many."""
    from ledger import to_wire
    from runledger.terminal.output import json_text

    count = 0
    sys.stdout.write('{"events": [')
    for event in found:
        separator = ", " if count else ""
        sys.stdout.write(separator + json_text(to_wire(event)))
        count += 1
    sys.stdout.write("]}\n")
    return count


def _write_each(found: Iterable[Event], *, as_json: bool) -> None:
    """A line an event, each at once; as JSON without a list: it has no end to close it at."""
    from ledger import to_wire
    from runledger.terminal.output import print_json

    for event in found:
        if as_json:
            print_json(to_wire(event))
        else:
            _write_lines([event])
        sys.stdout.flush()


def _write_lines(found: Iterable[Event]) -> int:
    """A line an event, cut where it is long; returns how many."""
    import json

    from ledger import to_wire
    from runledger.terminal.output import cut, say, width

    count = 0
    for event in found:
        data = json.dumps(to_wire(event)["data"], ensure_ascii=False)
        line = f"{event.sequence:>7}  {event.time}  {event.type}  {event.subject}  {data}"
        say(cut(line, width() or _LONGEST))
        count += 1
    return count


def _export(arguments: argparse.Namespace) -> int:
    from runledger.cli.export import export

    return export(arguments)


def _restore(arguments: argparse.Namespace) -> int:
    from ledger.input_files import open_lines
    from ledger.restore import restore
    from ledger.text.humanize import counted
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.terminal.output import print_json, say

    with (
        open_lines(arguments.file) as lines,
        opened(arguments, create=True) as runledger,
        progress("restoring") as advance,
    ):
        result = restore(runledger.ledger, lines, progress=advance)
    head = result.head._asdict()
    if arguments.json:
        print_json({"stored": result.stored, "head": head})
    else:
        say(f"restored {counted(result.stored, 'event')}; head {head['sequence']}:{head['hash']}")
    return exits.DONE


def _backup(arguments: argparse.Namespace) -> int:
    from runledger.cli.backup import run

    return run(arguments)


def _upgrade(arguments: argparse.Namespace) -> int:
    from ledger import HEAD_REVISION, upgrade
    from runledger.cli.ledger_options import settings_of
    from runledger.terminal.output import print_json, say

    settings = settings_of(arguments)
    if arguments.preview:
        from runledger.cli.upgrade_preview import show

        return show(settings.ledger, as_json=arguments.json)
    before = upgrade(settings.ledger)
    if arguments.json:
        print_json({"before": before, "now": HEAD_REVISION})
    elif before == HEAD_REVISION:
        say(f"the ledger is at schema {HEAD_REVISION} already")
    else:
        say(f"upgraded from {before or 'nothing'} to schema {HEAD_REVISION}")
    return exits.DONE


def _doctor(arguments: argparse.Namespace) -> int:
    from runledger.cli.doctor import examine

    return examine(arguments)
