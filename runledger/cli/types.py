"""``types``: the event types that a ledger declares itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from runledger.config.own_types import Versions


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser(
        "types",
        help="the event types that a ledger declares itself",
        description="The event types that a ledger declares itself, beside the built-in ones.",
    )
    actions = parser.add_subparsers(metavar="WHAT", required=True)
    adding = command(
        actions,
        "add",
        _add,
        "declare an event type, or a newer shape of one",
        examples=["runledger types add jobs_planned.json"],
        more='FILE is JSON: {"type": "x.NAME", "version": 1, "about": "node", "schema": {…}}.',
    )
    adding.add_argument("files", nargs="+", metavar="FILE", help="one declaration each")
    listing = command(
        actions,
        "list",
        _list,
        "list the declared types",
        examples=["runledger types list", "runledger types list x.jobs_planned"],
    )
    listing.add_argument("name", nargs="?", metavar="NAME", help="one type; default: all")


def _add(arguments: argparse.Namespace) -> int:
    from runledger.cli.ledger_options import opened
    from runledger.intake.declaring import is_declared, read_declaration
    from runledger.terminal.output import print_json, say

    declared = [read_declaration(Path(name)) for name in arguments.files]
    stored = []
    with opened(arguments, write=True) as runledger:
        for each in declared:
            if not is_declared(runledger.ledger, each):
                runledger.note(each, source="runledger/types")
                stored.append(each)
    if arguments.json:
        print_json(
            {
                "stored": len(stored),
                "duplicates": len(declared) - len(stored),
                "types": [
                    {"type": each.type, "version": each.dataschemaversion} for each in declared
                ],
            }
        )
        return exits.DONE
    for each in declared:
        new = "declared" if each in stored else "declared already"
        say(f"{each.type} version {each.dataschemaversion}, about a {each.about}: {new}")
    return exits.DONE


def _list(arguments: argparse.Namespace) -> int:
    from ledger.event_checks import nearest
    from runledger.cli.ledger_options import opened
    from runledger.config.own_types import OwnTypes
    from runledger.errors import Missing
    from runledger.terminal.output import print_json, say, table

    with opened(arguments) as runledger:
        known = OwnTypes(runledger.ledger).declared()
    if arguments.name is not None:
        if arguments.name not in known:
            meant = f"; did you mean {nearest(arguments.name, known)}?" if known else ""
            raise Missing(f"the ledger declares no type {arguments.name!r}{meant}")
        known = {arguments.name: known[arguments.name]}
    shown = [_as_json(name, versions) for name, versions in sorted(known.items())]
    if arguments.json:
        print_json({"types": shown})
    elif not shown:
        say("the ledger declares no types of its own: runledger types add FILE")
    else:
        table(
            ("type", "about", "versions", "field", "is"),
            (
                (each["type"], each["about"], ", ".join(map(str, each["versions"])), name, field)
                for each in shown
                for name, field in (each["fields"] or {"–": "–"}).items()
            ),
        )
    return exits.DONE


def _as_json(name: str, versions: Versions) -> dict[str, Any]:
    from runledger.config.own_types import as_type

    type_ = as_type(versions)
    return {
        "type": name,
        "about": type_.about,
        "versions": sorted(versions),
        "fields": {field: feature.type for field, feature in type_.fields.items()},
        "schema": versions[max(versions)].schema,
    }
