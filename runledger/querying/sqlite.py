"""Queries on SQLite: a connection that an authorizer holds to reading.

A connection opened read-only is not enough: ATTACH and VACUUM INTO create files
on one. The authorizer is asked by SQLite's own parser about everything that a
statement would do, however it is spelt, and knows only a few things to allow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pysqlite3 import dbapi2

from ledger import Ledger
from ledger.translation import translated
from runledger.errors import BadInput
from runledger.querying.limits import Budget, OverBudget
from runledger.querying.paging import FIRST_ROWS, MOST_CHARACTERS, MOST_ROWS, Page, weight
from runledger.querying.statement import ONLY

_STEPS_BETWEEN_LOOKS = 20_000

_FUNCTIONS_TEXT = """
    -> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat
    concat_ws cos cosh count cume_dist current_date current_time current_timestamp date datetime
    degrees dense_rank exp first_value floor format glob group_concat hex if ifnull iif instr
    json json_array json_array_length json_each json_error_position json_extract json_group_array
    json_group_object json_insert json_object json_patch json_pretty json_quote json_remove
    json_replace json_set json_tree json_type json_valid julianday lag last_value lead length like
    likelihood likely ln log log10 log2 lower ltrim max median min mod nth_value ntile nullif
    octet_length percent_rank percentile percentile_cont percentile_disc pi pow power printf quote
    radians random randomblob rank replace round row_number rtrim sign sin sinh soundex
    sqlite_version sqrt strftime string_agg substr substring subtype sum tan tanh time timediff
    total trim trunc typeof unhex unicode unistr unixepoch unlikely upper zeroblob
"""
_FUNCTIONS = frozenset(_FUNCTIONS_TEXT.split())
"""Functions without side effects, and without a way out of the database."""

_ACTIONS = {
    dbapi2.SQLITE_ATTACH: "ATTACH",
    dbapi2.SQLITE_DETACH: "DETACH",
    dbapi2.SQLITE_INSERT: "writing",
    dbapi2.SQLITE_UPDATE: "writing",
    dbapi2.SQLITE_DELETE: "writing",
    dbapi2.SQLITE_PRAGMA: "PRAGMA",
    dbapi2.SQLITE_TRANSACTION: "a transaction of its own",
}
_WRONG_SQL = frozenset({1, 18, 20, 25})  # SQLITE_ERROR, TOOBIG, MISMATCH, RANGE
_INTERRUPT = 9


@contextlib.contextmanager
def run(
    ledger: Ledger, sql: str, budget: Budget, heap_bytes: int | None
) -> Iterator[tuple[list[str], Iterator[Page]]]:
    """Column names and pages of rows of one statement, on a connection of its own."""
    raw = ledger.detached_connection()
    try:
        with translated("querying"):
            raw.execute("PRAGMA query_only = ON")
            if heap_bytes is not None:
                raw.execute(f"PRAGMA hard_heap_limit = {int(heap_bytes)}")
            tables = {row[0].lower() for row in raw.execute("SELECT name FROM sqlite_schema")}
        guard = _Guard(tables)
        raw.text_factory = lambda text: text.decode("utf-8", "replace")
        raw.set_progress_handler(lambda: budget.left_s <= 0, _STEPS_BETWEEN_LOOKS)
        raw.set_authorizer(guard)
        with _errors(guard, budget), budget.running():
            cursor = raw.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        yield names, _pages(cursor, guard, budget)
    finally:
        raw.close()


def _pages(cursor: Any, guard: _Guard, budget: Budget) -> Iterator[Page]:
    rows = FIRST_ROWS
    while True:
        page: Page = []
        characters = 0
        with _errors(guard, budget), budget.running():
            for row in cursor:
                page.append(row)
                characters += weight(row)
                if len(page) >= rows or characters >= MOST_CHARACTERS:
                    break
        if not page:
            return
        yield page
        rows = min(MOST_ROWS, rows * 4)


class _Guard:
    """SQLite's authorizer: allows what reads, remembers what it refused."""

    def __init__(self, tables: set[str]) -> None:
        self._tables = tables | {"sqlite_master", "sqlite_schema", "json_each", "json_tree"}
        self.refused = ""

    def __call__(
        self, action: int, first: str | None, second: str | None, _db: object, _source: object
    ) -> int:
        allowed = (
            action in (dbapi2.SQLITE_SELECT, dbapi2.SQLITE_RECURSIVE)
            # Without a column: a table that is only counted, or a name that the
            # statement itself gave to a part of it.
            or (action == dbapi2.SQLITE_READ and (not second or self._known(first)))
            or (action == dbapi2.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS)
        )
        if allowed:
            return int(dbapi2.SQLITE_OK)
        if not self.refused:
            self.refused = self._words(action, first, second)
        return int(dbapi2.SQLITE_DENY)

    def _known(self, table: str | None) -> bool:
        return (table or "").lower() in self._tables

    @staticmethod
    def _words(action: int, first: str | None, second: str | None) -> str:
        if action == dbapi2.SQLITE_FUNCTION:
            return f"the function {second}"
        if action == dbapi2.SQLITE_READ:
            return f"reading {first}"
        return _ACTIONS.get(action, "changing the database")


@contextlib.contextmanager
def _errors(guard: _Guard, budget: Budget) -> Iterator[None]:
    """SQLite's errors in the words of this package."""
    try:
        with translated("querying"):
            try:
                yield
            except (dbapi2.Error, dbapi2.Warning, ValueError) as error:
                code = getattr(error, "sqlite_errorcode", None)
                if guard.refused:
                    raise BadInput(f"{guard.refused} is refused: {ONLY}") from error
                if code == _INTERRUPT or budget.left_s <= 0:
                    raise budget.exhausted() from error
                text = " ".join(str(error).split())
                if "one statement at a time" in text:
                    raise BadInput(f"several statements are refused: {ONLY}") from error
                if "JSON" in text:
                    raise BadInput(
                        f"{text}: a function was given text that is not JSON; where that text "
                        "is a payload, look at it with `runledger verify`"
                    ) from error
                wrong = code is None or (code & 0xFF) in _WRONG_SQL
                if wrong and "locked" not in text and "malformed" not in text:
                    raise BadInput(f"SQL: {text}") from error
                raise
    except MemoryError:
        raise OverBudget(
            "the query needs more memory than it may have: select fewer rows, or less in each, "
            "or allow more with --memory MIB"
        ) from None
