"""Commands to begin with: demo and init."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from runledger.cli import exits
from runledger.cli.parser import Commands, command

_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(
        commands,
        "demo",
        _demo,
        "a tour: the night of 24 January, recorded and judged",
        examples=["runledger demo --keep night.db"],
    )
    parser.add_argument("--keep", metavar="FILE", help="leave the demo's ledger in this file")

    parser = command(
        commands,
        "init",
        _init,
        "make runledger.toml and the ledger",
        examples=[
            "runledger init --from distributed_config.json --manifests agent_manifests",
            "runledger init --example",
        ],
        more="Nobody's nodes, steps or cards go in but those of the files named.",
    )
    parser.add_argument(
        "--from", dest="node_file", metavar="FILE", help="a distributed_config.json: the nodes"
    )
    parser.add_argument(
        "--manifests", metavar="DIR", help="a folder of agents' manifests: the steps"
    )
    parser.add_argument(
        "--example", action="store_true", help="the fleet that runledger grew up with"
    )


def _demo(arguments: argparse.Namespace) -> int:
    from runledger.demo.tour import tour

    return tour(arguments.keep, as_json=arguments.json)


def _init(arguments: argparse.Namespace) -> int:
    from ledger.input_files import read_text
    from ledger.location import locate, shown
    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.cli.ledger_options import opened
    from runledger.config.starter import starter
    from runledger.config.trusted import CONFIG_NAME
    from runledger.errors import BadInput
    from runledger.terminal.output import print_json, say, talk

    if arguments.example and (arguments.node_file or arguments.manifests):
        raise BadInput("--example is a fleet of its own: leave it out, or --from and --manifests")
    config = Path(arguments.config or os.environ.get("RUNLEDGER_CONFIG") or CONFIG_NAME)
    node_file = None
    if arguments.node_file is not None:
        node_file = read_text(arguments.node_file)
    ledger = _location(arguments.ledger, config)
    text, watches, unused = starter(
        node_file,
        origin=arguments.node_file or "the node file",
        manifests=_manifests(arguments.manifests),
        example=arguments.example,
        ledger=ledger,
    )
    with _new_file(config, text), opened(arguments, create=True) as runledger:
        known = {event.subject for event in runledger.ledger.read(types=["override_set"])}
        new = [watch for watch in watches if watch.subject not in known]
        for watch in new:
            runledger.note(watch, source="runledger/init")
        fleet = runledger.fleet
        runledger.catalog.activate(
            runledger.session.judge(), now_us=runledger.now(), source="runledger/init"
        )
        location = shown(locate(runledger.settings.ledger))
    watched = [watch.subject for watch in watches]
    if arguments.json:
        print_json(
            {"config": str(config), "ledger": location, "watched": watched, "unused": unused}
        )
        return exits.DONE
    for each in unused:
        talk(each)
    holds = f"{counted(len(fleet.nodes), 'node')}, {counted(len(fleet.steps), 'step')}"
    say(plain(f"wrote {config} ({holds}) and opened the ledger {location}"))
    for subject in watched:
        say(plain(f"on the watch list: {subject}"))
    if fleet.nodes:
        step = next(iter(fleet.steps), "1")
        say(plain(f"next: look through the file, then `runledger preflight --step {step}`"))
    else:
        say(plain(f"next: name your nodes in {config}, then `runledger doctor`"))
    return exits.DONE


def _manifests(folder: str | None) -> dict[str, str] | None:
    """The text of each JSON file in a folder, by name; one that is no text is passed on as none."""
    if folder is None:
        return None
    files = sorted(Path(folder).iterdir())
    return {
        file.name: file.read_bytes().decode("utf-8-sig", "replace")
        for file in files
        if file.suffix == ".json" and file.is_file()
    }


def _location(named: str | None, config: Path) -> str | None:
    """What the file should say of a ledger that was named; nothing where it holds a password."""
    from ledger.location import has_password, locate

    if not named or has_password(locate(named)):
        return None
    beside = "://" in named or config.absolute().parent == Path.cwd()
    return named if beside else str(Path(named).absolute())


@contextlib.contextmanager
def _new_file(path: Path, text: str) -> Iterator[None]:
    """A file that was not there before; gone again where what comes next fails."""
    from ledger.errors import AlreadyThere

    try:
        # For nobody else to write, whatever the umask: it directs what is run.
        file = os.fdopen(os.open(path, _NEW, 0o644), "w", encoding="utf-8")
    except FileExistsError:
        raise AlreadyThere(
            f"{path} is there already", remedy="edit it, or move it away first"
        ) from None
    try:
        with file:
            file.write(text)
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
