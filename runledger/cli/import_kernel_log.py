"""``import kernel-log``: kernel logs of the past become events."""

from __future__ import annotations

import argparse

from runledger.cli import exits
from runledger.cli.parser import Commands, command, moment_with_offset, name


def add_import(sources: Commands) -> None:
    """Declare the sub-command."""
    parser = command(
        sources,
        "kernel-log",
        _import,
        "store what a kernel log file reports",
        examples=[
            "runledger import kernel-log kern.log.1.gz --node rig-6600 --boot-time "
            "2026-01-24T17:50:00Z",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="any framing; may be packed (gz, bz2, xz)")
    parser.add_argument(
        "--node", type=name, required=True, metavar="N", help="the machine that wrote it"
    )
    parser.add_argument("--boot-id", metavar="B", help="the boot, as in journalctl --list-boots")
    parser.add_argument(
        "--boot-time", type=moment_with_offset, metavar="T", help="when it booted (RFC 3339)"
    )
    parser.add_argument(
        "--assume-tz", metavar="ZONE", default="UTC",
        help="zone of stamps without an offset; default: UTC",
    )  # fmt: skip


def _import(arguments: argparse.Namespace) -> int:
    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json, say

    with opened(arguments, create=True) as runledger:
        done = runledger.import_kernel_log(
            arguments.file,
            node=arguments.node,
            boot_id=arguments.boot_id,
            boot_time=arguments.boot_time,
            assume_tz=arguments.assume_tz,
        )
    if arguments.json:
        print_json(done._asdict())
        return exits.DONE
    found = ", ".join(f"{count:,} {type_}" for type_, count in done.events.items()) or "nothing"
    say(plain(f"{counted(done.lines, 'line')} of {arguments.node} report {found}"))
    already = f", {done.duplicates:,} were there already" if done.duplicates else ""
    if done.unread:
        say(
            f"warning: {counted(done.unread, 'line')} with words of trouble could not be read: "
            "stamps of no form that is known; nothing of them is stored"
        )
    say(f"stored {counted(done.stored, 'event')}{already}")
    return exits.DONE
