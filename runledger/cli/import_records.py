"""``import decisions`` and ``import results``: runs rebuilt from what other programs wrote down."""

from __future__ import annotations

import argparse

from runledger.cli import exits
from runledger.cli.parser import Commands, command

_NAMED = 20


def add_import(sources: Commands) -> None:
    """Declare the sub-commands."""
    parser = command(
        sources,
        "decisions",
        _import_decisions,
        "rebuild runs from another program's log, an object a line",
        examples=["runledger import decisions watcher.jsonl --map watcher.toml"],
        more="What has no place is counted and named; a run without a whole count stays unknown.",
    )
    parser.add_argument("file", metavar="FILE", help="JSON, one object a line")
    _mapped(parser)
    parser = command(
        sources,
        "results",
        _import_results,
        "rebuild runs from another program's files of results",
        examples=["runledger import results results/ --map results.toml"],
        more="What has no place is counted and named; a run without a whole count stays unknown.",
    )
    parser.add_argument("folder", metavar="DIR", help="JSON files (*.json), an object each")
    _mapped(parser)


def _mapped(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--map", required=True, metavar="FILE", help="a TOML file: where a record keeps what"
    )


def _import_decisions(arguments: argparse.Namespace) -> int:
    return _import(arguments, decisions=arguments.file)


def _import_results(arguments: argparse.Namespace) -> int:
    return _import(arguments, results=arguments.folder)


def _import(
    arguments: argparse.Namespace, *, decisions: str | None = None, results: str | None = None
) -> int:
    from ledger.text.humanize import counted
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json, say, talk

    with opened(arguments, create=True) as runledger:
        taken = runledger.import_records(decisions=decisions, results=results, map=arguments.map)
    if arguments.json:
        print_json(taken._asdict())
        return exits.DONE
    for each in taken.passed_over[:_NAMED]:
        talk(f"{each['where']}: {each['why']}")
    if len(taken.passed_over) > _NAMED:
        talk(f"and {len(taken.passed_over) - _NAMED:,} more")
    if taken.unused:
        named = ", ".join(f"{key} ({count:,})" for key, count in taken.unused.items())
        talk(f"keys that the map does not use: {named}")
    say(
        f"{counted(taken.records, 'record')}, {counted(taken.runs, 'run')} ({taken.counted:,} "
        f"counted): stored {counted(taken.stored, 'event')}, {taken.duplicates:,} known already"
    )
    return exits.DONE
