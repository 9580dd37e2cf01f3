"""``faults``: what the words and codes of a kernel log mean, and what to do about them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from collectors.faults import Known


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "faults",
        _faults,
        "explain a fault, or list all that are known",
        examples=["runledger faults 79", "runledger faults gpu_reset_failed"],
    )
    parser.add_argument(
        "code", nargs="?", metavar="CODE", help="an Xid, a name or a kind; default: all"
    )


def _faults(arguments: argparse.Namespace) -> int:
    from collectors.faults import find_faults, known_faults
    from runledger.errors import Missing
    from runledger.terminal.output import print_json, table

    asked = arguments.code
    found = known_faults() if asked is None else find_faults(asked)
    if not found:
        raise Missing(
            f"no fault {asked!r} is known: `runledger faults` lists all; a line with a code that "
            "is not known is recorded all the same, with its number"
        )
    if arguments.json:
        print_json({"faults": [_as_json(known) for known in found]})
    elif asked is None:
        rows = ((k.fault.name, k.fault.code or "", k.fault.kind, k.fault.whose) for k in found)
        table(("name", "code", "kind", "whose"), rows)
    else:
        _explain(found)
    return exits.DONE


def _explain(found: tuple[Known, ...]) -> None:
    from ledger.text.characters import plain
    from runledger.terminal.output import say, wrapped

    for number, known in enumerate(found):
        fault = known.fault
        if number:
            say()
        code = f" (code {fault.code})" if fault.code else ""
        say(f"{fault.name}{code}: {fault.kind}, told by {known.told_by}")
        for heading, text in (
            ("means", fault.meaning),
            ("whose", WHOSE[fault.whose]),
            ("to do", fault.remedy),
            ("asks for", (fault.action or "nothing").replace("_", " ")),
            ("source", fault.source),
        ):
            for line in wrapped(text, first=f"  {heading:9}", rest=" " * 11):
                say(line)
        say(f"  {'sample':9}{plain(fault.sample)}")


WHOSE = {
    "card": "the card's",
    "link": "the link's: riser, slot, cable or switch",
    "node": "the node's; no card is to blame",
    "workload": "the program's that ran; no card is to blame",
    "info": "nobody's: it tells what happens",
}
"""Whose fault it is, in words."""


def _as_json(known: Known) -> dict[str, Any]:
    fault = known.fault
    return {
        "name": fault.name,
        "told_by": known.told_by,
        "code": fault.code,
        "event": fault.event,
        "kind": fault.kind,
        "whose": fault.whose,
        "action": fault.action,
        "meaning": fault.meaning,
        "remedy": fault.remedy,
        "source": fault.source,
        "sample": fault.sample,
    }
