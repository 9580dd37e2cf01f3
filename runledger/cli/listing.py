"""Which of many events a listing shows: the first, the last, and those still to come."""

from __future__ import annotations

import argparse
import contextlib
import logging
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain, islice
from typing import TYPE_CHECKING

from runledger.cli.parser import count

if TYPE_CHECKING:
    from ledger import Event, Ledger
    from ledger.filters import Filter

_POLL_S = 0.5


def stretch(parser: argparse.ArgumentParser) -> None:
    """``--limit``, ``--last`` and ``--follow``."""
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--limit", type=count, metavar="N", help="at most so many, from the oldest")
    ends.add_argument("--last", type=count, metavar="N", help="the newest so many")
    parser.add_argument(
        "--follow", action="store_true",
        help="go on with those still to come, until Ctrl-C; with --json an object a line",
    )  # fmt: skip


def chosen_of(
    ledger: Ledger,
    arguments: argparse.Namespace,
    *,
    where: tuple[Filter, ...] = (),
    types: Iterable[str] | None = None,
) -> Iterator[Event]:
    """The events asked for, oldest first; a reader that left ends what is followed."""
    types = None if types is None else tuple(types)
    # What is stored meanwhile belongs to what follows, and is shown once.
    head = ledger.head().sequence
    if arguments.last is None:
        found: Iterable[Event] = ledger.read(upto=head, where=where, types=types)
    else:
        found = ledger.newest(arguments.last, upto=head, where=where, types=types)
    if arguments.follow:
        following = ledger.follow(
            after=head, poll_s=_POLL_S, stop=_reader_left, where=where, types=types
        )
        found = chain(found, following)
    return islice(found, arguments.limit)


def until_interrupted() -> AbstractContextManager[None]:
    """Around what is followed: Ctrl-C is how it ends."""
    # It may fall into the closing of a connection, which would be told on stderr.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL + 1)
    return contextlib.suppress(KeyboardInterrupt)


def _reader_left() -> bool:
    """Whether nobody reads stdout any more: with nothing to write, no write would tell."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False
