"""``status``: how things are, on one screen."""

from __future__ import annotations

import argparse

from runledger.cli import exits
from runledger.cli.parser import Commands, command


def add(commands: Commands) -> None:
    """Declare the command."""
    command(
        commands,
        "status",
        _status,
        "how are the ledger, the nodes, the cards and the runs just now?",
        examples=["runledger status", "runledger status --json"],
        more="Reads only: it looks at no machine and records nothing.",
    )


def _status(arguments: argparse.Namespace) -> int:
    import msgspec

    from runledger.cli.ledger_options import opened
    from runledger.cli.status_text import print_status
    from runledger.terminal.output import print_json

    with opened(arguments) as runledger:
        status = runledger.status()
    if arguments.json:
        print_json(msgspec.to_builtins(status) | {"spool": status.spool._asdict()})
    else:
        print_status(status)
    return exits.DONE
