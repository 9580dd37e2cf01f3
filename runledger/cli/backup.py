"""``backup``: a verified copy; for a timer also named by the time, with older ones removed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ledger import Damaged, Head, Ledger, backup, open_ledger, verify
from ledger.location import locate
from ledger.text.characters import plain
from ledger.text.humanize import counted
from runledger.cli import exits
from runledger.cli.ledger_options import settings_of
from runledger.config.settings import Settings
from runledger.errors import BadInput
from runledger.status.backups import dated_name, note_backup, remove_older
from runledger.terminal.output import print_json, say


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    if arguments.keep == 0:
        raise BadInput("--keep 0 would keep no backup at all", remedy="give 1 or more")
    settings = settings_of(arguments)
    now_us = time.time_ns() // 1000
    path = Path(arguments.file)
    if arguments.keep is not None:
        path = dated_name(path, _stem(settings), now_us)
    with open_ledger(settings.ledger, create=False, readonly=True, older=True) as ledger:
        head = backup(ledger, path)
        if arguments.verify:
            _verify(ledger, path, head)
    note_backup(settings, path, head, now_us)
    # Only now: a backup that failed leaves the older ones.
    removed = [] if arguments.keep is None else remove_older(path, _stem(settings), arguments.keep)
    if arguments.json:
        shown = {"removed": [str(each) for each in removed]} if arguments.keep else {}
        print_json({"file": str(path), "head": head._asdict(), **shown})
    else:
        told = f"; removed {counted(len(removed), 'older one')}" if removed else ""
        say(plain(f"copied to {path}; head {head.sequence}:{head.hash}{told}"))
    return exits.DONE


def _stem(settings: Settings) -> str:
    """What backups of this ledger are called: its own name, or its database's."""
    return Path(str(locate(settings.ledger).database or "runledger")).stem


def _verify(ledger: Ledger, path: Path, head: Head) -> None:
    """Raise `Damaged` unless the file under its own name is whole, and of this ledger."""
    with open_ledger(path, create=False, readonly=True, older=True) as copy:
        result = verify(copy, expect=head)
    if not result.ok or ledger.hash_at(head.sequence) != head.hash:
        raise Damaged(
            f"the backup {path} does not verify: {result.reason or 'it is of another ledger'}",
            result.first_bad,
            remedy="look after the disk it is on; the older backups were kept",
        )
