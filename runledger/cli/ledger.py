"""Commands over the ledger itself: events, export, restore, verify, backup, upgrade, doctor."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from ledger import Head


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(commands, "events", _events, "list events")
    _where(parser)

    parser = command(commands, "export", _export, "write events out, one JSON object a line")
    _where(parser)
    parser.add_argument(
        "--format", choices=["ndjson", "csv", "parquet"], default="ndjson", help="default: ndjson"
    )
    parser.add_argument("--output", metavar="FILE", help="default: stdout")

    parser = command(commands, "restore", _restore, "fill an empty ledger from an export")
    parser.add_argument("file", metavar="FILE")

    parser = command(commands, "verify", _verify, "recompute every hash of the chain")
    parser.add_argument("--expect-head", metavar="SEQ:HASH", help="a head noted earlier")

    parser = command(commands, "backup", _backup, "copy the ledger while it is in use")
    parser.add_argument("file", metavar="FILE")

    command(commands, "upgrade", _upgrade, "bring the ledger's tables to this program's schema")
    command(commands, "doctor", _doctor, "check the installation and the ledger")


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--where", action="append", default=[], metavar="FILTER",
        help="KEY=VALUE,…; given twice it widens",
    )  # fmt: skip


def _events(arguments: argparse.Namespace) -> int:
    import json

    from ledger import parse_filters, to_wire
    from runledger.cli.opening import opened
    from runledger.cli.output import json_text, plain, say

    with opened(arguments, create=False) as runledger:
        found = runledger.ledger.read(where=parse_filters(arguments.where))
        if not arguments.json:
            for event in found:
                data = to_wire(event)["data"]
                text = json.dumps(data, ensure_ascii=False)
                line = f"{event.sequence:>7}  {event.time}  {event.type}  {event.subject}  {text}"
                say(plain(line)[:400])
            return exits.DONE
        # Streamed by hand: one object, however many events.
        sys.stdout.write('{"events": [')
        separator = ""
        for event in found:
            sys.stdout.write(separator + json_text(to_wire(event)))
            separator = ", "
        sys.stdout.write("]}\n")
    return exits.DONE


def _export(arguments: argparse.Namespace) -> int:
    from runledger.cli.exporting import export

    return export(arguments)


def _restore(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ledger.restore import restore
    from runledger.cli.opening import opened
    from runledger.cli.output import print_json, say
    from runledger.cli.progress import progress

    with (
        Path(arguments.file).open("rb") as lines,
        opened(arguments, create=True) as runledger,
        progress("restoring") as advance,
    ):
        result = restore(runledger.ledger, lines, progress=advance)
    head = result.head._asdict()
    if arguments.json:
        print_json({"stored": result.stored, "head": head})
    else:
        say(f"restored {result.stored:,} events; head {head['sequence']}:{head['hash']}")
    return exits.DONE


def _verify(arguments: argparse.Namespace) -> int:
    from ledger import Damaged, Head, Verification, verify
    from ledger.canonical import GENESIS
    from runledger.cli.opening import opened
    from runledger.cli.output import colour, print_json, say, talk
    from runledger.cli.progress import progress

    expect = None if arguments.expect_head is None else _head(arguments.expect_head)
    try:
        with opened(arguments, create=False) as runledger, progress("verifying") as advance:
            result = verify(runledger.ledger, expect=expect, progress=advance)
    except Damaged as error:  # not even its tables can be read: an answer, too
        talk(str(error))
        result = Verification(False, Head(0, GENESIS), 1, "position 1 cannot be read")
    head = result.head
    if arguments.json:
        print_json({"ok": result.ok, "head": head._asdict(), "first_bad": result.first_bad})
    elif result.ok:
        say(colour("the chain is whole", "good") + f"; head {head.sequence}:{head.hash}")
    else:
        say(colour(result.reason, "bad"))
        say(f"good up to position {head.sequence}; restore a backup or an export")
    return exits.DONE if result.ok else exits.DRIFT


def _head(text: str) -> Head:
    import re

    from ledger import Head
    from runledger.errors import BadInput

    match = re.fullmatch(r"(\d{1,18}):([0-9a-fA-F]{64})", text)
    if match is None:
        raise BadInput(f"--expect-head {text!r} is not SEQ:HASH, as `verify` prints it")
    return Head(int(match[1]), match[2].lower())


def _backup(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ledger.backup import backup
    from runledger.cli.opening import opened
    from runledger.cli.output import print_json, say

    with opened(arguments, create=False) as runledger:
        head = backup(runledger.ledger, Path(arguments.file))
    if arguments.json:
        print_json({"file": arguments.file, "head": head._asdict()})
    else:
        say(f"copied to {arguments.file}; head {head.sequence}:{head.hash}")
    return exits.DONE


def _upgrade(arguments: argparse.Namespace) -> int:
    from ledger.migrate import HEAD_REVISION, upgrade
    from runledger.cli.output import print_json, say
    from runledger.settings import load_settings

    settings = load_settings(ledger=arguments.ledger, config=arguments.config)
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
