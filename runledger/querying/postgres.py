"""Queries on PostgreSQL: a cursor in a read-only transaction, and a list of functions.

The server itself accepts nothing but one SELECT as a cursor, and no writing in
the transaction. What it would still run are functions with effects outside of
the transaction (reading files, taking locks, ending sessions), for whoever's
rights allow them. So a statement may name only functions of a list, and none of
the ``pg_`` catalogues. Reading the names takes no parser: every call, however
it is written, is a name before a parenthesis, and where reading could go wrong
(escapes in names and strings) the statement is refused.

Not guaranteed here: what an operator or a view made by the database's owner
does; and the server's memory. Give analysts a login of their own that may only
SELECT.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ledger import Ledger
from ledger.translation import translated
from runledger.errors import BadInput
from runledger.querying.budget import Budget
from runledger.querying.postgres_names import check_names
from runledger.querying.statement import ONLY, explained

Page = list[tuple[Any, ...]]

PAGE = 1000


@contextlib.contextmanager
def run(ledger: Ledger, sql: str, budget: Budget) -> Iterator[tuple[list[str], Iterator[Page]]]:
    """Column names and pages of rows of one statement, on a connection of its own."""
    check_names(sql)
    with translated("querying"):
        pooled = ledger.engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
    try:
        with translated("querying"):
            connection.rollback()
            connection.read_only = True
            # Not within the statement's reach: it comes too late to change the first,
            # and the time is set anew before every page.
            connection.execute("SET standard_conforming_strings = on")
        begins = explained(sql)
        with connection.cursor(name="runledger_query") as cursor:
            with _errors(budget):
                _allow(connection, budget)
                with budget.running():
                    cursor.execute(sql[begins or 0 :])
            if begins is None:
                yield _names(cursor), _pages(connection, cursor, budget)
                return
        with _errors(budget):
            _allow(connection, budget)
            with budget.running():
                # As a prepared statement: the server takes one at a time.
                plan = connection.execute(sql, prepare=True)
        yield _names(plan), _pages(connection, plan, budget)
    finally:
        with contextlib.suppress(Exception):
            connection.rollback()
        connection.close()


def _names(cursor: Any) -> list[str]:
    return [column.name for column in cursor.description or ()]


def _allow(connection: Any, budget: Budget) -> None:
    left_ms = int(budget.left_s * 1000)
    if left_ms <= 0:
        raise budget.exhausted()
    connection.execute(f"SET LOCAL statement_timeout = {left_ms}")


def _pages(connection: Any, cursor: Any, budget: Budget) -> Iterator[Page]:
    size = 20
    while True:
        with _errors(budget):
            _allow(connection, budget)
            with budget.running():
                page = cursor.fetchmany(size)
        if not page:
            return
        yield page
        size = min(PAGE, size * 4)


@contextlib.contextmanager
def _errors(budget: Budget) -> Iterator[None]:
    import psycopg

    with translated("querying"):
        try:
            yield
        except psycopg.errors.QueryCanceled as error:
            raise budget.exhausted() from error
        except (psycopg.errors.ReadOnlySqlTransaction, psycopg.NotSupportedError) as error:
            raise BadInput(f"{_first_line(error)}: {ONLY}") from error
        except (
            psycopg.ProgrammingError,
            psycopg.DataError,
            psycopg.InternalError,
            psycopg.errors.ProtocolViolation,  # parameters such as $1
        ) as error:
            text = _first_line(error)
            if "multiple commands" in text:
                raise BadInput(f"several statements are refused: {ONLY}") from error
            raise BadInput(f"SQL: {text}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
