"""A copy of a ledger in one new SQLite file, verified before it is called a backup."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import Damaged
from ledger.export import export_lines
from ledger.new_files import check_free, part_of, publish, remove_database
from ledger.restore import restore
from ledger.store import Head, Ledger, open_ledger
from ledger.translation import translated
from ledger.verify import verify


def backup(ledger: Ledger, path: str | Path) -> Head:
    """Copy ``ledger`` to a new SQLite file and return the head that the copy holds.

    Writers may go on meanwhile. The file appears under its name only once it is
    complete, verified and on disk; a ledger on PostgreSQL becomes a SQLite one
    with the same positions and hashes. A SQLite file keeps its schema, so that
    a backup can be taken before an upgrade, and its mode: what only its owner
    may read stays so. Raises `AlreadyThere` rather than overwrite, `NotFound`
    where there is no such folder, `Damaged` where the copy does not verify.
    """
    path = Path(path)
    check_free(path, "backup")
    part = part_of(path)
    try:
        with translated("backing up"):
            remove_database(part)
            if not ledger._backend.copy(part):
                with open_ledger(part) as copy:
                    restore(copy, export_lines(ledger))
            head = _verified(part)
            publish(part, path, "backup")
    finally:
        remove_database(part)
    return head


def _verified(part: Path) -> Head:
    with open_ledger(part, create=False, readonly=True, older=True) as copy:
        result = verify(copy)
    if not result.ok:
        raise Damaged(
            f"the copy does not verify ({result.reason}), so there is no backup: "
            "run `runledger verify` on the ledger",
            result.first_bad,
        )
    return result.head
