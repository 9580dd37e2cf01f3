"""Disks that are full or broken, at each single change to the ledger's files.

In one process (`faulty_appends`) and through the command line: what was
acknowledged stays, what was refused was refused with a clear error, and once
the disk is whole everything goes on.
"""

from __future__ import annotations

import errno
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ledger import open_ledger, to_wire
from tests.torture.batches import examine, make_batch
from tests.torture.report import Report
from tests.torture.shim import compile_shim, environment, read_log

ERRORS = (errno.ENOSPC, errno.EIO)
_ROOT = Path(__file__).parents[2]
_CLEAR = ("full", "I/O error", "can be written", "space")
_TRY_LATER = 75


def run_appends(
    folder: Path,
    *,
    errors: tuple[int, ...] = ERRORS,
    step: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Every ``step``-th change to a ledger's files fails, once or for good, with every error."""
    report = Report("disk full and I/O errors")
    place = folder / "faults"
    place.mkdir()
    command = [sys.executable, "-m", "tests.torture.faulty_appends", str(place.resolve())]
    command.append(str(step))
    with subprocess.Popen(
        [*command, *map(str, errors)],
        env=environment(compile_shim(folder), place),
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _take(report, json.loads(line))
            progress(report.counts["changes failed"])
    if process.returncode:
        report.found.append(f"the appending process ended with {process.returncode}")
    return report


def _take(report: Report, one: dict[str, Any]) -> None:
    where = f"errno {one['errno']} at change {one['at']}{' and after' if one['sticky'] else ''}"
    report.counts["changes failed"] += 1
    report.counts["batches refused and stored later"] += one["refused"]
    for message in one["messages"]:
        if not any(word in message for word in _CLEAR):
            report.found.append(f"{where}: not a clear error: {message}")
    report.found += [f"{where}: {line}" for line in one["found"]]


class Command(NamedTuple):
    """A command line, and what is in its folder before."""

    name: str
    arguments: tuple[str, ...]
    there_before: str | None


COMMANDS = (
    Command("record into a new ledger", ("record", "events.ndjson"), None),
    Command("record", ("record", "events.ndjson"), "before/3"),
    Command("exclusions", ("exclusions",), "before/3"),
    Command("backup", ("backup", "copy.db"), "before/3"),
)
_RECORDED = "recorded/20"


def run_commands(
    folder: Path,
    *,
    commands: tuple[Command, ...] = COMMANDS,
    step: int = 1,
    errors: tuple[int, ...] = ERRORS,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Commands on such a disk, each failing at every ``step``-th of its changes."""
    report = Report("disk full and I/O errors (command line)")
    library = compile_shim(folder)
    for error, sticky, command in itertools.product(errors, (0, 1), commands):
        for at in itertools.count(1, step):
            place = (folder / f"{error}-{sticky}-{COMMANDS.index(command)}-{at}").resolve()
            place.mkdir()
            found, code, failed = _run_command(
                command, place, library, fail_at=at, fail_errno=error, fail_sticky=sticky
            )
            where = f"{command.name}, errno {error} at change {at}{' and after' * sticky}"
            report.found += [f"{where}: {line}" for line in found]
            if not failed:
                break
            report.counts["commands failed"] += 1
            report.counts[f"exit {code}"] += 1
            progress(report.counts["commands failed"])
    return report


def _run_command(
    command: Command, place: Path, library: Path, **failure: int
) -> tuple[list[str], int, bool]:
    """What is wrong, the exit code, and whether the failure came about."""
    acknowledged = []
    if command.there_before:
        acknowledged.append(command.there_before)
        with open_ledger(place / "ledger.db") as ledger:
            ledger.append(make_batch(command.there_before))
    lines = [json.dumps(to_wire(event)) for event in make_batch(_RECORDED)]
    (place / "events.ndjson").write_text("\n".join(lines))
    log = place.with_suffix(".log")
    ended = subprocess.run(
        [sys.executable, "-m", "runledger", *command.arguments],
        cwd=place,
        env={
            **environment(library, place, log=log, **failure),
            "RUNLEDGER_LEDGER": "ledger.db",
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    failed = any(change.kind == "F" for change in read_log(log))
    found = _unclear(ended)
    if ended.returncode == 0 and command.arguments[0] == "record":
        acknowledged.append(_RECORDED)
    if (place / "copy.db").exists():
        found += [f"the copy: {line}" for line in examine(place / "copy.db", acknowledged)[0]]
    found += examine(place / "ledger.db", acknowledged)[0]
    if command.arguments[0] == "record":
        with open_ledger(place / "ledger.db") as ledger:
            ledger.append(make_batch(_RECORDED))
        found += examine(place / "ledger.db", [*acknowledged, _RECORDED])[0]
    return found, ended.returncode, failed


def _unclear(ended: subprocess.CompletedProcess[str]) -> list[str]:
    if ended.returncode == 0:
        return []
    if ended.returncode != _TRY_LATER:
        return [f"exit {ended.returncode}: {ended.stderr.strip()}"]
    if "Traceback" in ended.stderr or not any(word in ended.stderr for word in _CLEAR):
        return [f"not a clear error: {ended.stderr.strip()}"]
    return []
