"""Queries on PostgreSQL: a cursor in a read-only transaction, and a list of functions.

The server itself accepts nothing but one SELECT as a cursor, and no writing in
the transaction. What it would still run are functions with effects outside of
the transaction (reading files, taking locks, ending sessions), for whoever's
rights allow them. So a statement may name only functions of a list, and none of
the ``pg_`` catalogues. Reading the names takes no parser: every call, however
it is written, is a name before a parenthesis or after a dot, and where reading
could go wrong (escapes in names and strings) the statement is refused.

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
from runledger.querying.limits import Budget, OverBudget
from runledger.querying.paging import FIRST_ROWS, Page, next_rows
from runledger.querying.postgres_names import check_names, names_after_dots
from runledger.querying.statement import ONLY, explained


@contextlib.contextmanager
def run(ledger: Ledger, sql: str, budget: Budget) -> Iterator[tuple[list[str], Iterator[Page]]]:
    """Column names and pages of rows of one statement, on a connection of its own."""
    check_names(sql)
    connection = ledger.detached_connection()
    cursor = connection.cursor(name="runledger_query")
    try:
        with translated("querying"):
            connection.rollback()
            connection.read_only = True
            _check_no_calls(connection, names_after_dots(sql))
            # Not within the statement's reach: it comes too late to change the first,
            # and the time is set again before every page.
            connection.execute("SET LOCAL standard_conforming_strings = on")
        begins = explained(sql)
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
                # By the extended protocol, which takes one statement at a time; not as a
                # prepared one, which a pooler would leave to the next client.
                plan = connection.execute(sql, binary=True)
        yield _names(plan), _pages(connection, plan, budget)
    finally:
        # The cursor goes with the transaction: to close it before would be a statement
        # of its own, which a query out of time has no time for.
        with contextlib.suppress(Exception):
            connection.rollback()
            cursor.close()
        connection.close()


def _check_no_calls(connection: Any, names: set[str]) -> None:
    """Refuse names that the server may call: it takes ``x.f`` for ``f(x)`` as well as a column."""
    if not names:
        return
    called = connection.execute(
        "SELECT proname FROM pg_catalog.pg_proc "
        "WHERE proname = ANY(%s) AND pronargs - pronargdefaults <= 1 AND pronargs >= 1 "
        "ORDER BY proname LIMIT 1",
        [sorted(names)],
    ).fetchone()
    if called is not None:
        raise BadInput(
            f".{called[0]} is refused: the server has a function of this name and may call it; "
            "give a column another name (AS)"
        )


def _names(cursor: Any) -> list[str]:
    return [column.name for column in cursor.description or ()]


def _allow(connection: Any, budget: Budget) -> None:
    left_ms = int(budget.left_s * 1000)
    if left_ms <= 0:
        raise budget.exhausted()
    connection.execute(f"SET LOCAL statement_timeout = {left_ms}")


def _pages(connection: Any, cursor: Any, budget: Budget) -> Iterator[Page]:
    rows = FIRST_ROWS
    while True:
        with _errors(budget):
            _allow(connection, budget)
            with budget.running():
                page = cursor.fetchmany(rows)
        if not page:
            return
        yield page
        rows = next_rows(rows, page)


@contextlib.contextmanager
def _errors(budget: Budget) -> Iterator[None]:
    import psycopg

    with translated("querying"):
        try:
            yield
        except psycopg.errors.QueryCanceled as error:
            raise budget.exhausted() from error
        except (psycopg.errors.ProgramLimitExceeded, psycopg.errors.OutOfMemory) as error:
            raise OverBudget(
                f"the query needs more than the server can give it ({_first_line(error)}): "
                "select fewer rows, or less in each"
            ) from error
        except psycopg.errors.StatementTooComplex as error:
            raise BadInput(f"SQL: {_first_line(error)}") from error
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
