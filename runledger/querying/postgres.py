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
from runledger.querying.paging import (
    FIRST_ROWS,
    MOST_CHARACTERS,
    Page,
    next_rows,
    weight,
)
from runledger.querying.postgres_names import check_names, names_after_dots, without_end
from runledger.querying.statement import ONLY, explained

_QUERY, _GUARDED = "runledger_query", "runledger_query_guarded"
_TOO_LARGE = "runledger: bytes in a row: "
_COPIES = 8
"""How often a row is in memory, more or less, while libpq and psycopg make it a row of ours."""


@contextlib.contextmanager
def run(
    ledger: Ledger, sql: str, budget: Budget, heap_bytes: int | None
) -> Iterator[tuple[list[str], Iterator[Page]]]:
    """Column names and pages of rows of one statement, on a connection of its own."""
    called = check_names(sql)
    connection = ledger.detached_connection()
    cursor = connection.cursor(name=_QUERY)
    try:
        with translated("querying"):
            connection.rollback()
            connection.read_only = True
            after_dots = names_after_dots(sql)
            _check_no_calls(connection, after_dots)
            _check_no_overloads(connection, called)
            # Not within the statement's reach: it comes too late to change the first,
            # and the time is set again before every page.
            connection.execute("SET LOCAL standard_conforming_strings = on")
        begins = explained(sql)
        with _errors(budget):
            _allow(connection, budget)
            with budget.running():
                cursor.execute(sql[begins or 0 :])
        if begins is None:
            names = _names(cursor)
            if heap_bytes is not None:
                # Only what the server has taken as one SELECT is put into another.
                guarded = connection.cursor(name=_GUARDED)
                with _errors(budget), budget.running():
                    guarded.execute(_guarded(sql, heap_bytes // _COPIES))
            yield names, _pages(connection, _QUERY if heap_bytes is None else _GUARDED, budget)
            return
        with _errors(budget):
            _allow(connection, budget)
            with budget.running():
                # By the extended protocol, which takes one statement at a time; not as a
                # prepared one, which a pooler would leave to the next client.
                plan = connection.execute(sql, binary=True)
        yield _names(plan), iter([plan.fetchall()])
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


def _check_no_overloads(connection: Any, names: set[str]) -> None:
    """Refuse names that someone has given to a function of his own, which may do anything."""
    own = connection.execute(
        "SELECT n.nspname, p.proname FROM pg_catalog.pg_proc p "
        "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
        "WHERE p.proname = ANY(%s) AND n.nspname <> 'pg_catalog' "
        "ORDER BY n.nspname, p.proname LIMIT 1",
        [sorted(names)],
    ).fetchone()
    if own is not None:
        raise BadInput(
            f"{own[1]}(…) is refused: the database has a function {own[0]}.{own[1]} of its own, "
            "which the server might call instead; drop or rename that one"
        )


def _names(cursor: Any) -> list[str]:
    return [column.name for column in cursor.description or ()]


def _allow(connection: Any, budget: Budget) -> None:
    left_ms = int(budget.left_s * 1000)
    if left_ms <= 0:
        raise budget.exhausted()
    connection.execute(f"SET LOCAL statement_timeout = {left_ms}")


def _guarded(sql: str, most_bytes: int) -> str:
    """The statement with an end at a row of more than so many bytes, before it is sent."""
    # To write a row out as text takes the server seconds for each 10 MiB; its size, none.
    size = "pg_catalog.pg_column_size(runledger_row)"
    return (
        f"SELECT runledger_row.* FROM (\n{without_end(sql)}\n) AS runledger_row "
        f"WHERE CASE WHEN {size} > {most_bytes} "
        f"THEN ('{_TOO_LARGE}' || {size})::int = 0 ELSE true END"
    )


def _pages(connection: Any, name: str, budget: Budget) -> Iterator[Page]:
    """Pages of a cursor, of which this process holds one row at a time, and a page's worth."""
    rows = FIRST_ROWS
    while True:
        stream = connection.cursor().stream(f'FETCH FORWARD {rows} FROM "{name}"')
        asked, seen, characters = rows, 0, 0
        page: Page = []
        with _errors(budget):
            _allow(connection, budget)
        while (row := _next(stream, budget)) is not None:
            seen += 1
            page.append(row)
            characters += weight(row)
            if characters >= MOST_CHARACTERS:
                yield page
                page, characters, rows = [], 0, 1
        if page:
            rows = next_rows(rows, page)
            yield page
        if seen < asked:
            return


def _next(stream: Iterator[Any], budget: Budget) -> Any:
    with _errors(budget), budget.running():
        return next(stream, None)


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
            if _TOO_LARGE in text:
                size = int(text.partition(_TOO_LARGE)[2].rstrip('"'))
                raise OverBudget(
                    f"a row of {size >> 20} MiB: select less in each, or allow more with "
                    "--memory MIB"
                ) from error
            if "multiple commands" in text:
                raise BadInput(f"several statements are refused: {ONLY}") from error
            raise BadInput(f"SQL: {text}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
