"""``export``: events out of the ledger, as NDJSON, CSV or Parquet, streamed."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ledger import Filter, Ledger, parse_filters
from ledger.export import export_lines
from ledger.redacted_export import RedactedExport
from ledger.text.humanize import counted
from ledger.text.secrets import environment_secrets
from rules.kinds import DECIDED_TYPES
from runledger.cli import exits
from runledger.cli.ledger_options import opened
from runledger.cli.progress import progress
from runledger.errors import BadInput
from runledger.terminal.output import note_no_match, talk


def export(arguments: argparse.Namespace) -> int:
    """The command."""
    if arguments.format == "parquet" and arguments.output is None:
        raise BadInput("Parquet goes to a file", remedy="give --output FILE")
    if arguments.redact and arguments.format != "ndjson":
        raise BadInput("--redact writes events as NDJSON", remedy="leave --format out")
    where = parse_filters(arguments.where)
    with opened(arguments) as runledger, progress("exporting") as advance:
        types = _evidence(runledger.ledger) if arguments.evidence else None
        if arguments.redact:
            count = _redacted(runledger.ledger, where, arguments.output, advance)
        elif arguments.format == "ndjson":
            count = 0
            with _output(arguments.output) as out:
                for count, line in enumerate(export_lines(runledger.ledger, where, types=types), 1):
                    out.write(line)
                    advance(count)
        elif arguments.format == "csv":
            from runledger.exporting.tabular import write_csv

            with _output(arguments.output) as out:
                count = write_csv(runledger.ledger, where, out, advance, types=types)
        else:
            from runledger.exporting.tabular import write_parquet

            count = write_parquet(
                runledger.ledger, where, Path(arguments.output), advance, types=types
            )
    note_no_match(count, arguments.where)
    return exits.DONE


def _evidence(ledger: Ledger) -> set[str]:
    """The types that the ledger holds, but for decisions."""
    stored = {type_ for type_, _ in ledger.versions(upto=ledger.head().sequence)}
    return stored - set(DECIDED_TYPES)


def _redacted(
    ledger: Ledger, where: Sequence[Filter], name: str | None, advance: Callable[[int], None]
) -> int:
    """Write events without secrets, and say what was done to them; how many were written."""
    lines = RedactedExport(
        ledger,
        where,
        now_us=time.time_ns() // 1000,
        secrets=environment_secrets(os.environ),
    )
    count = 0
    with _output(name) as out:
        for count, line in enumerate(lines):  # the first is no event of the ledger's
            out.write(line)
            advance(count)
    unfit = f", {counted(lines.unfit, 'event')} that cannot do without" if lines.unfit else ""
    talk(
        f"secrets were taken out of {counted(lines.redacted, 'event')}; "
        f"left out: {counted(lines.decisions, 'decision')}{unfit}"
    )
    return count


@contextlib.contextmanager
def _output(name: str | None) -> Iterator[BinaryIO]:
    if name is None:
        yield sys.stdout.buffer
        return
    from ledger.new_files import new_file

    with new_file(Path(name), "export") as unfinished, unfinished.open("xb") as file:
        yield file
