"""argparse with the options that every command shares."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from runledger.cli.exits import UsageError

Commands = Any
"""What ``add_subparsers`` returns; argparse keeps its type to itself."""

Run = Callable[[argparse.Namespace], int | None]


_PATHS = ("FILE", "DIR", "URL-or-path", "STORAGE")
"""What options that name a file, a folder or a ledger call their value."""


class _Help(argparse.HelpFormatter):
    """Wraps what is prose, and leaves examples as they are typed."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example"):
            return text
        return super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser whose usage errors name the command to type for help."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", _Help)
        super().__init__(allow_abbrev=False, **options)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        if action.metavar in _PATHS:
            _check_path(action, arg_string)
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(each) for each in action.choices]
            near = difflib.get_close_matches(str(value), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
            raise argparse.ArgumentError(action, f"there is no {value!r}: {hint}")

    def error(self, message: str) -> NoReturn:
        """Usage errors: one line, exit code 2."""
        raise UsageError(self.prog, message.removeprefix("argument "))


def subparsers_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of the commands right below one."""
    return [
        inner
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for inner in action.choices.values()
    ]


def _check_path(action: argparse.Action, text: str) -> None:
    from ledger.errors import BadInput
    from ledger.input_files import check_path

    try:
        check_path(text)
    except BadInput as error:
        raise argparse.ArgumentError(action, str(error)) from None


def command(
    commands: Commands,
    name: str,
    run: Run,
    help: str,
    *,
    examples: Sequence[str],
    more: str = "",
    **options: Any,
) -> Parser:
    """A command's parser, with ``--ledger``, ``--config`` and ``--json``.

    ``examples`` are command lines; a test parses each.
    """
    parser: Parser = commands.add_parser(
        name,
        help=help,
        description=sentence(help) + f" {more}".rstrip(),
        epilog=_examples(examples),
        **options,
    )
    parser.set_defaults(run=run)
    shared(parser, default=argparse.SUPPRESS)
    return parser


def sentence(text: str) -> str:
    """A line of help as a sentence of its own."""
    return text[:1].upper() + text[1:] + ("" if text.endswith("?") else ".")


def _examples(lines: Sequence[str]) -> str:
    heading = "example:" if len(lines) == 1 else "examples:"
    return "\n".join([heading, *(f"  {line}" for line in lines)])


def shared(parser: argparse.ArgumentParser, *, default: Any = None) -> None:
    """The options that may stand before a command or after it; what stands after it wins.

    The parser of a command suppresses its defaults, so that what was given
    before the command is kept.
    """
    parser.add_argument(
        "--ledger", metavar="URL-or-path", default=default,
        help="default: RUNLEDGER_LEDGER, else what runledger.toml names, else ./runledger.db",
    )  # fmt: skip
    parser.add_argument(
        "--config", metavar="FILE", default=default, help="default: ./runledger.toml, if it exists"
    )
    json_default = default if default is argparse.SUPPRESS else False
    parser.add_argument(
        "--tz", metavar="ZONE", default=default,
        help="zone of times without an offset; default: RUNLEDGER_TZ, else tz in runledger.toml, "
        "else UTC",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", default=json_default, help="print one JSON object"
    )


DECISION = (
    "its id, 8 characters or more that it or its last group begins with, its position, or last"
)
"""How a recorded decision is named, for help."""


def deciding(parser: Parser, *, records: bool = True) -> Parser:
    """The options of deciding commands: judge at another time, on an earlier position, unseen."""
    parser.add_argument(
        "--at", type=moment, metavar="TIME", help="judge at this time; default: now"
    )
    parser.add_argument(
        "--as-of", type=position, metavar="SEQ", help="consider events up to this position only"
    )
    if records:
        parser.add_argument(
            "--dry-run", action="store_true",
            help="decide, and store nothing; a preflight then looks at nothing either",
        )  # fmt: skip
    return parser


def where(parser: argparse.ArgumentParser, what: str) -> None:
    """The option that chooses events or decisions by FILTER."""
    parser.add_argument(
        "--where", action="append", type=filter_, default=[], metavar="FILTER",
        help=f"{what}: KEY=VALUE,…; keys: id, type, subject, source, run, step, node, pci, since, "
        "until, seq (n or a..b); values may hold *; given twice it widens",
    )  # fmt: skip


def moment(text: str) -> Typed:
    """A time as people write it; `runledger.cli.times` makes it RFC 3339."""
    return _typed(text)


def moment_with_offset(text: str) -> str:
    """A time that events will have: RFC 3339 with an offset, for its zone would be a guess."""
    from ledger.times import InvalidTime, parse_time

    try:
        parse_time(text)
    except InvalidTime as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def moment_ahead(text: str) -> Typed:
    """A time of which an age or a clock time lies ahead."""
    return _typed(text, ahead=True)


def filter_(text: str) -> TypedFilter:
    """A FILTER, the times in it as people write them."""
    return TypedFilter(text)


class Typed(str):
    """A time as it was typed; what it is depends on the zone, which may be named after it."""

    ahead = False


class TypedFilter(str):
    """A FILTER as it was typed."""


def _typed(text: str, *, ahead: bool = False) -> Typed:
    from ledger.times import InvalidTime
    from runledger.config.moments import parse_moment

    try:
        parse_moment(text, now_us=0, ahead=ahead)
    except InvalidTime as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    typed = Typed(text)
    typed.ahead = ahead
    return typed


def name(text: str) -> str:
    """A name of a run, a node, a step: as it stands in events, where it has no control character.

    One that came out of a file with other line ends has a carriage return behind it.
    """
    from ledger.text.characters import WITHOUT_CONTROL

    if re.search(WITHOUT_CONTROL, text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} holds a character that no name has")
    return text


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


def scope(parser: argparse.ArgumentParser, help: str) -> None:
    """``--scope KEY=VALUE…``, which may be given again; the option's value is a dict."""
    parser.add_argument(
        "--scope", type=key_value, action=_Pairs, nargs="+", default={}, metavar="KEY=VALUE",
        help=help,
    )  # fmt: skip


class _Pairs(argparse.Action):
    """Pairs gathered into a dict; a key that comes again with another value is an error."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, pairs: Any, *_: Any
    ) -> None:
        known = dict(getattr(namespace, self.dest))
        for key, value in pairs:
            if known.setdefault(key, value) != value:
                raise argparse.ArgumentError(
                    self, f"{key!r} is given twice: {known[key]!r}, {value!r}"
                )
        setattr(namespace, self.dest, known)
