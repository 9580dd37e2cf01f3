"""``export``: events out of the ledger, as NDJSON, CSV or Parquet, streamed."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ledger import parse_filters
from ledger.export import export_lines
from ledger.registry import PAYLOAD_TYPES
from rules.kinds import DECIDED_TYPES
from runledger.cli import exits
from runledger.cli.ledger_options import opened
from runledger.cli.progress import progress
from runledger.errors import BadInput
from runledger.terminal.output import note_no_match


def export(arguments: argparse.Namespace) -> int:
    """The command."""
    if arguments.format == "parquet" and arguments.output is None:
        raise BadInput("Parquet goes to a file: give --output FILE")
    where = parse_filters(arguments.where)
    types = set(PAYLOAD_TYPES) - set(DECIDED_TYPES) if arguments.evidence else None
    with opened(arguments) as runledger, progress("exporting") as advance:
        if arguments.format == "ndjson":
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


@contextlib.contextmanager
def _output(name: str | None) -> Iterator[BinaryIO]:
    if name is None:
        yield sys.stdout.buffer
        return
    from ledger.new_files import new_file

    with new_file(Path(name), "export") as unfinished, unfinished.open("xb") as file:
        yield file
