"""SQL over a ledger for people who look, never for programs that write.

One SELECT, WITH or EXPLAIN at a time, held to that by the database and within a
time. On SQLite an authorizer lets nothing through but reading and a list of
functions without side effects. On PostgreSQL the statement must be one that the
server accepts as a cursor in a read-only transaction, and names no function and
no catalogue beyond a list; the login's rights are the last line, see
``docs/views.md``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger import Ledger
from runledger.errors import BadInput
from runledger.querying.limits import Budget, OverBudget
from runledger.querying.statement import check_statement

__all__ = ["Budget", "OverBudget", "Rows", "query"]

TIMEOUT_S = 30.0
"""The time that the database may take for a query when nothing else is said."""


@dataclass
class Rows:
    """Rows as they come, each a tuple in the order of ``columns``.

    ``columns`` are made unique (``a``, ``a_2``). ``truncated`` is known once
    ``rows`` is exhausted: whether a limit kept more from coming.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]] = field(repr=False)
    truncated: bool = False


@contextlib.contextmanager
def query(
    ledger: Ledger,
    sql: str,
    *,
    budget: Budget | None = None,
    limit: int | None = None,
    heap_bytes: int | None = None,
) -> Iterator[Rows]:
    """Run one statement and stream what it yields, while the context is open.

    ``budget`` bounds the time in the database, not the reader's. ``heap_bytes``
    bounds memory: SQLite's for the whole process and for good, and what the
    process may take meanwhile where PostgreSQL answers. Raises
    `BadInput` (refused, or wrong SQL) and `OverBudget`, also while rows are
    taken.
    """
    check_statement(sql)
    budget = budget or Budget(TIMEOUT_S)
    if ledger.database == "sqlite":
        from runledger.querying.sqlite import run

        running = run(ledger, sql, budget, heap_bytes)
    else:
        from runledger.querying.postgres import run as run_postgres

        running = run_postgres(ledger, sql, budget, heap_bytes)
    with running as (names, pages):
        if not names:
            raise BadInput("the statement yields no columns", remedy="write one SELECT")
        result = Rows(_unique(names), iter(()))
        result.rows = _limited(result, pages, limit)
        yield result


def _limited(
    result: Rows, pages: Iterator[list[tuple[Any, ...]]], limit: int | None
) -> Iterator[tuple[Any, ...]]:
    left = limit
    for page in pages:
        if left is not None and len(page) > left:
            yield from page[:left]
            result.truncated = True
            return
        yield from page
        left = None if left is None else left - len(page)


def _unique(names: list[str]) -> tuple[str, ...]:
    given: set[str] = set()
    unique = []
    for name in names:
        candidate, nth = name, 1
        while candidate in given:
            nth += 1
            candidate = f"{name}_{nth}"
        given.add(candidate)
        unique.append(candidate)
    return tuple(unique)
