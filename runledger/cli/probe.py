"""Commands that look at machines: probe, cleanup, reclassify."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.parser import Commands, command, name

if TYPE_CHECKING:
    from runledger.api.facade import Runledger
    from runledger.probing import NodeLook, Probed


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(
        commands,
        "probe",
        _probe,
        "look at the nodes once, and record what is seen",
        examples=["runledger probe --node rig-6600"],
        more="Exits with 11 where no node that was asked for answered.",
    )
    _nodes(parser)

    parser = command(
        commands,
        "cleanup",
        _cleanup,
        "clean up on the nodes after a batch",
        examples=["runledger cleanup --dry-run"],
    )
    _nodes(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would be done")
    parser.add_argument(
        "--sudo", action="store_true", help="reset clocks by `sudo -n` where the user may not"
    )
    parser.add_argument(
        "--compile-cache", action="append", choices=("comgr", "miopen"), default=[],
        dest="compile_caches", help="empty this cache too, which is expensive; may be given again",
    )  # fmt: skip

    command(
        commands,
        "reclassify",
        _reclassify,
        "read stored kernel lines with today's parser",
        examples=["runledger reclassify"],
    )


def _nodes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--node", type=name, action="extend", nargs="+", metavar="N", dest="nodes",
        help="these nodes only; default: all",
    )  # fmt: skip


def probe_for_step(runledger: Runledger, step: str, *, remedy: bool) -> Probed:
    """Look at what a step needs, with progress and complaints on stderr."""
    from runledger.cli.progress import progress

    with progress("nodes looked at") as advance:
        probed = runledger.probe(step=step, remedy=remedy, progress=advance)
    _complain(probed)
    return probed


def _probe(arguments: argparse.Namespace) -> int:
    from runledger.cli.ledger_options import opened, settings_of
    from runledger.cli.progress import progress
    from runledger.config.settings import fleet_to_reach
    from runledger.terminal.output import print_json

    settings = settings_of(arguments)
    fleet_to_reach(settings)
    with (
        opened(arguments, create=True, settings=settings) as runledger,
        progress("nodes looked at") as advance,
    ):
        probed = runledger.probe(arguments.nodes, progress=advance)
    code = exits.DONE if probed.answered else exits.NEEDS_PERSON
    if arguments.json:
        print_json(probed.as_json())
        return code
    _show(probed)
    _complain(probed)
    return code


def _show(probed: Probed) -> None:
    from ledger.text.humanize import counted
    from runledger.terminal.output import say, table

    table(["NODE", "ANSWERED", "CARDS", "NOT OK"], [_row(look) for look in probed.looks])
    say(f"stored {counted(probed.stored, 'event')}; {counted(probed.smu_reads, 'read')} of SMUs")


def _row(look: NodeLook) -> tuple[str, str, str, str]:
    answered = {True: "yes", False: f"no ({look.error})", None: "-"}[look.reachable]
    bad = [f"{pci} {state}" for pci, state in look.gpus.items() if state != "ok"]
    known = " (known already)" if look.reused else ""
    return look.node, answered + known, str(len(look.gpus)), ", ".join(bad) or "-"


def _complain(probed: Probed) -> None:
    from runledger.terminal.output import talk

    for each in probed.remedies:
        outcome = "did not end" if each.exit_code is None else f"ended with {each.exit_code}"
        talk(f"{each.node}: remedy for {each.check}: {each.command}: {outcome}")
    for look in probed.looks:
        for problem in look.problems:
            talk(f"{look.node}: {problem}")


def _cleanup(arguments: argparse.Namespace) -> int:
    from ledger.text.characters import plain
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.terminal.output import colour, print_json, say

    with opened(arguments, write=True) as runledger, progress("nodes cleaned up") as advance:
        cleaned = runledger.cleanup(
            arguments.nodes,
            dry_run=arguments.dry_run,
            sudo=arguments.sudo,
            compile_caches=arguments.compile_caches,
            progress=advance,
        )
    if arguments.json:
        print_json(cleaned.as_json())
        return exits.DONE
    for each in cleaned.nodes:
        say(colour(plain(each.node), "strong"))
        for action in each.actions:
            mark = colour("ok", "good") if action.ok else colour("failed", "bad")
            say(f"  {mark}  {plain(action.name)}: {plain(action.detail or 'done')}")
        for warning in each.warnings:
            say(f"  {colour('warning', 'poor')}  {plain(warning)}")
    return exits.DONE


def _reclassify(arguments: argparse.Namespace) -> int:
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json, say

    with opened(arguments, write=True) as runledger:
        done = runledger.reclassify()
    if arguments.json:
        print_json(done._asdict())
        return exits.DONE
    found = ", ".join(f"{count:,} {type_}" for type_, count in done.events.items())
    say(f"{done.lines:,} stored lines judged again: {found or 'nothing is judged otherwise'}")
    return exits.DONE
