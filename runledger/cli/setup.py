"""Commands to begin with: demo and init."""

from __future__ import annotations

import argparse

from runledger.cli import exits
from runledger.cli.parser import Commands, command


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(
        commands, "demo", _demo, "a tour: the night of 24 January, recorded and judged"
    )
    parser.add_argument("--keep", metavar="FILE", help="leave the demo's ledger in this file")

    parser = command(commands, "init", _init, "make runledger.toml and the ledger")
    parser.add_argument(
        "--from", dest="node_file", metavar="FILE", help="a distributed_config.json to start from"
    )


def _demo(arguments: argparse.Namespace) -> int:
    from runledger.demo import tour

    return tour(arguments.keep, as_json=arguments.json)


def _init(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ledger.location import locate, shown
    from runledger.cli.opening import opened
    from runledger.cli.output import plain, print_json, say
    from runledger.errors import BadInput
    from runledger.settings import CONFIG_NAME
    from runledger.starter import starter

    config = Path(arguments.config or CONFIG_NAME)
    if config.exists():
        raise BadInput(f"{config} is there already: edit it, or move it away first")
    node_file = None
    if arguments.node_file is not None:
        node_file = Path(arguments.node_file).read_text(encoding="utf-8")
    text, watches = starter(node_file, origin=arguments.node_file)
    config.write_text(text, encoding="utf-8")
    with opened(arguments, create=True) as runledger:
        known = {event.subject for event in runledger.ledger.read(types=["override_set"])}
        new = [watch for watch in watches if watch.subject not in known]
        for watch in new:
            runledger.note(watch, source="runledger/init")
        policy, fleet = runledger.policy, runledger.fleet
        runledger.catalog.activate(policy, fleet, now_us=runledger.now(), source="runledger/init")
        location = shown(locate(runledger.settings.ledger))
    watched = [watch.subject for watch in watches]
    if arguments.json:
        print_json({"config": str(config), "ledger": location, "watched": watched})
        return exits.DONE
    say(plain(f"wrote {config} ({len(fleet.nodes)} nodes) and opened the ledger {location}"))
    for subject in watched:
        say(plain(f"on the watch list: {subject}"))
    say("next: look through the file, then `runledger preflight --step 1`")
    return exits.DONE
