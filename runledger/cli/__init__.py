"""The command line: the only place where errors become text and exit codes.

One module a group of commands, each with ``add(commands)`` to declare them and
handlers that import what they need when they run, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
from collections.abc import Sequence
from importlib import import_module

from runledger.cli import exits, streams
from runledger.cli.parser import Parser, shared
from runledger.cli.times import resolve

_GROUPS = (
    "setup",
    "status",
    "record",
    "imports",
    "probe",
    "exec_job",
    "decide",
    "search",
    "decisions",
    "backtest",
    "cases",
    "report",
    "query",
    "faults",
    "types",
    "policy",
    "ledger",
    "verify",
    "completion",
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    from runledger.version import __version__

    parser = Parser(
        prog="runledger",
        description="The flight recorder and the judge of long GPU runs.",
        epilog="Begin with `runledger demo` and `runledger init`; `runledger COMMAND --help` has "
        "examples. Exit codes: 0 done or go; 1 our own failure; 2 bad input; 3 not found; "
        "5 conflict; 10 no-go; 11 a person or evidence is needed; 12 drift; 75 try again later.",
    )
    parser.add_argument("--version", action="version", version=f"runledger {__version__}")
    shared(parser)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for group in _GROUPS:
        import_module(f"runledger.cli.{group}").add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    streams.prepare()
    code: int | None = exits.DONE
    as_json = _wants_json(sys.argv[1:] if argv is None else argv)
    try:
        with streams.reader_may_leave():
            code = _run(argv)
    except KeyboardInterrupt:
        code = exits.report("interrupted", exits.INTERRUPTED, as_json=as_json)
    except Exception as error:
        code = exits.for_error(error, as_json=as_json)
    with contextlib.suppress(OSError):
        streams.settle()
    return code or exits.DONE


def _wants_json(argv: Sequence[str]) -> bool:
    """Whether errors are for a program: also those of a command line that cannot be parsed."""
    return "--json" in itertools.takewhile(lambda word: word != "--", argv)


def _run(argv: Sequence[str] | None) -> int | None:
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as left:  # argparse has printed help
        return int(left.code or exits.DONE)
    resolve(arguments)
    code: int | None = arguments.run(arguments)
    return code
