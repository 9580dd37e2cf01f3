"""``report``: what happened to a run, a node or in a period, as one HTML file."""

from __future__ import annotations

import argparse

from runledger.cli import exits
from runledger.cli.parser import Commands, command, moment, name


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "report",
        _report,
        "write what happened as one HTML file, to read or to print",
        examples=[
            "runledger report --run R-20260124 --output run.html",
            "runledger report --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z "
            "--output january.html",
        ],
    )
    parser.add_argument("--output", metavar="FILE", required=True, help="a new file")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    about = parser.add_mutually_exclusive_group()
    about.add_argument(
        "--run", type=name, dest="run_id", metavar="ID", help="one run, with its nodes while it ran"
    )
    about.add_argument("--node", type=name, metavar="NAME", help="one node")
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="from this time on; default: 30 days",
    )
    parser.add_argument(
        "--until", type=moment, metavar="TIME", help="up to this time; default: the newest event"
    )
    parser.add_argument("--title", metavar="TEXT", help="the heading")


def _report(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ledger.new_files import check_free, write_new, write_over
    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.report import report_of
    from runledger.terminal.output import print_json, say, talk

    path = Path(arguments.output)
    if not arguments.force:
        check_free(path, "report")
    with opened(arguments) as runledger, progress("reading") as advance:
        made = report_of(
            runledger.session,
            run=arguments.run_id,
            node=arguments.node,
            since=arguments.since,
            until=arguments.until,
            title=arguments.title,
            progress=advance,
        )
    (write_over if arguments.force else write_new)(path, made.html, "report")
    summary = made.summary()
    if made.selection.default:
        talk(f"nothing was chosen: these are the days up to {summary['until']}")
    if arguments.json:
        print_json({"output": str(path), **summary})
    else:
        told = (counted(summary[f"{noun}s"], noun) for noun in ("event", "decision", "run"))
        say(plain(f"{path}: {', '.join(told)}"))
    return exits.DONE
