"""The note of the last verified backup, so that its age can be told; and older ones removed.

The note is beside a SQLite ledger, and in the user's state folder for a
server's. Losing it costs nothing: the next backup writes another.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import msgspec

from ledger import Head
from ledger.times import format_time
from runledger.config.settings import Settings
from runledger.errors import BadInput
from runledger.intake.spooling import place_for

_NAMED = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?\.db\Z", re.ASCII)


class BackupNote(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that verified: its file, when it was made (RFC 3339), and the head it holds."""

    file: str
    time: str
    sequence: int
    hash: str


def note_backup(settings: Settings, file: Path, head: Head, now_us: int) -> None:
    """Write down that a backup verified; where that cannot be written, it is let be."""
    note = BackupNote(
        file=str(file.absolute()), time=format_time(now_us), sequence=head.sequence, hash=head.hash
    )
    place = place_for(settings, "backup")
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(note))
        part.replace(place)


def last_backup(settings: Settings) -> BackupNote | None:
    """The last backup that verified, as far as was noted."""
    try:
        return msgspec.json.decode(place_for(settings, "backup").read_bytes(), type=BackupNote)
    except (OSError, msgspec.MsgspecError):
        return None


def dated_name(folder: Path, stem: str, now_us: int) -> Path:
    """A name for a backup in a folder, by the second; raises `BadInput` where it is no folder."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder", remedy="with --keep, name one that is there")
    day = re.sub(r"[-:]", "", format_time(now_us - now_us % 1_000_000))
    return folder / f"{stem}-{day}.db"


def remove_older(newest: Path, stem: str, keep: int) -> list[Path]:
    """Remove all but the newest ``keep`` of the backups that `dated_name` named; those removed.

    ``newest`` was just made and stays whatever the clock says.
    """
    ours = sorted(
        each
        for each in newest.parent.glob("*.db")
        if each.name.startswith(f"{stem}-")
        and _NAMED.match(each.name.removeprefix(f"{stem}-"))
        and each.is_file()
        and not each.is_symlink()
    )
    others = [each for each in ours if each != newest]
    old = others[: max(0, len(others) - (keep - 1))]
    for each in old:
        each.unlink()
    return old
