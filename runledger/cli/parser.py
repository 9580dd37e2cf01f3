"""argparse with the options that every command shares."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

Commands = Any
"""What ``add_subparsers`` returns; argparse keeps its type to itself."""

Run = Callable[[argparse.Namespace], int | None]


class Parser(argparse.ArgumentParser):
    """A parser whose usage errors name the command to type for help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Usage errors: one line, exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def command(commands: Commands, name: str, run: Run, help: str, **options: Any) -> Parser:
    """A command's parser, with ``--ledger``, ``--config`` and ``--json``."""
    parser: Parser = commands.add_parser(
        name,
        help=help,
        description=f"{help[:1].upper()}{help[1:]}{'' if help.endswith('?') else '.'}",
        **options,
    )
    parser.set_defaults(run=run)
    shared(parser, default=argparse.SUPPRESS)
    return parser


def shared(parser: argparse.ArgumentParser, *, default: Any = None) -> None:
    """The options that may stand before a command or after it; what stands after it wins.

    The parser of a command suppresses its defaults, so that what was given
    before the command is kept.
    """
    parser.add_argument(
        "--ledger", metavar="URL-or-path", default=default, help="default: RUNLEDGER_LEDGER, …"
    )
    parser.add_argument(
        "--config", metavar="FILE", default=default, help="default: ./runledger.toml, if there"
    )
    json_default = default if default is argparse.SUPPRESS else False
    parser.add_argument(
        "--json", action="store_true", default=json_default, help="print one JSON object"
    )


def deciding(parser: Parser) -> Parser:
    """The options of deciding commands: judge at another time, on an earlier position."""
    parser.add_argument("--at", metavar="TIME", help="judge at this time (RFC 3339); default: now")
    parser.add_argument(
        "--as-of", type=position, metavar="SEQ", help="consider events up to this position only"
    )
    return parser


def position(text: str) -> int:
    """A ledger position."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is not a position: write a whole number")
    return int(text)


def count(text: str) -> int:
    """A whole number of things, 0 or more."""
    cleaned = text.replace("_", "").replace(",", "")
    if not cleaned.isascii() or not cleaned.isdigit() or int(cleaned) > 2**53:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(cleaned)


def key_value(text: str) -> tuple[str, str]:
    """``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
