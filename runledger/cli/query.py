"""``query``: one SELECT over the ledger and its views, printed as it comes."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.parser import Commands, command, count

if TYPE_CHECKING:
    from runledger.querying import Budget, Rows

_HEAP_MIB = 256
_LEAST_MIB, _MOST_MIB = 16, 1 << 20
_GRACE_S = 3.0
_TABLE_ROWS = 1000


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "query",
        _query,
        "run one SELECT on the ledger and its views",
        examples=[
            "runledger query 'SELECT node, pci, standing FROM v_gpu_health'",
            "runledger query - --format csv < question.sql > answer.csv",
        ],
    )
    parser.add_argument("sql", metavar="SQL", help="one SELECT, WITH or EXPLAIN; - reads stdin")
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="seconds it may take; default: 30"
    )
    parser.add_argument(
        "--limit", type=count, metavar="N",
        help=f"rows to print at most; default: {_TABLE_ROWS} in text, else all",
    )  # fmt: skip
    parser.add_argument(
        "--memory", type=_mib, default=_HEAP_MIB, metavar="MIB",
        help=f"memory it may take; default: {_HEAP_MIB}",
    )  # fmt: skip
    parser.add_argument(
        "--format",
        choices=["table", "vertical", "csv", "json", "ndjson"],
        help="default: table; on a terminal that is too narrow for it, vertical: a line a column",
    )


def _mib(text: str) -> int:
    mib = count(text)
    if not _LEAST_MIB <= mib <= _MOST_MIB:
        raise argparse.ArgumentTypeError(f"{text} MiB: give from {_LEAST_MIB} to {_MOST_MIB}")
    return mib


def _query(arguments: argparse.Namespace) -> int:
    from ledger import open_ledger
    from runledger.cli.ledger_options import settings_of
    from runledger.querying import Budget, query
    from runledger.terminal.output import talk

    format_ = arguments.format or ("json" if arguments.json else "table")
    sql = arguments.sql if arguments.sql != "-" else sys.stdin.read()
    limit = arguments.limit
    if limit is None and format_ in ("table", "vertical"):
        limit = _TABLE_ROWS
    budget = Budget(arguments.timeout)
    settings = settings_of(arguments)
    with open_ledger(settings.ledger, create=False, readonly=True) as ledger:
        _watch(budget, as_json=arguments.json)
        with query(
            ledger, sql, budget=budget, limit=limit, heap_bytes=arguments.memory << 20
        ) as rows:
            _print(rows, format_)
            if rows.truncated:
                talk(f"only the first {limit:,} rows are shown (--limit)")
    return exits.DONE


def _print(rows: Rows, format_: str) -> None:
    from runledger.cli import row_formats as printing
    from runledger.terminal.output import width

    sys.stdout.flush()
    if format_ == "table":
        printing.print_table(rows, sys.stdout, width())
    elif format_ == "vertical":
        printing.print_vertical(rows, sys.stdout)
    else:
        writers = {
            "csv": printing.write_csv,
            "json": printing.write_json,
            "ndjson": printing.write_ndjson,
        }
        writers[format_](rows, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _watch(budget: Budget, *, as_json: bool) -> None:
    """End this process where the database does not end the query in time.

    SQLite looks at the clock between its steps, and one call of a function on
    great texts is a single step. Nothing is lost: a query changes nothing.
    """

    def watch() -> None:
        while True:
            time.sleep(0.2)
            if budget.is_running and budget.left_s < -_GRACE_S:
                import os

                exits.report(budget.exhausted(), exits.OWN_FAILURE, as_json=as_json)
                sys.stderr.flush()
                os._exit(exits.OWN_FAILURE)

    threading.Thread(target=watch, name="query-time-limit", daemon=True).start()
