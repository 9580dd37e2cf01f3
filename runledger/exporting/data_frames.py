"""The history as data frames, for notebooks: a view or a query as pandas or polars."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ledger import Ledger
from runledger.errors import BadInput, MissingExtra
from runledger.querying import Budget, query

if TYPE_CHECKING:
    import pandas
    import polars

_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")


def to_pandas(ledger: Ledger, what: str, *, timeout_s: float = 300.0) -> pandas.DataFrame:
    """A view (``v_runs``) or one SELECT as a pandas frame; raises `MissingExtra` without pandas.

    Columns of a query without rows are of type object.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise MissingExtra("a pandas frame", "pandas", "analysis") from None
    columns, rows = _fetched(ledger, what, timeout_s)
    return pandas.DataFrame.from_records(rows, columns=list(columns))


def to_polars(ledger: Ledger, what: str, *, timeout_s: float = 300.0) -> polars.DataFrame:
    """A view (``v_runs``) or one SELECT as a polars frame; raises `MissingExtra` without polars."""
    try:
        import polars
    except ModuleNotFoundError:
        raise MissingExtra("a polars frame", "polars", "analysis") from None
    columns, rows = _fetched(ledger, what, timeout_s)
    return polars.DataFrame(rows, schema=list(columns), orient="row", infer_schema_length=None)


def _fetched(
    ledger: Ledger, what: str, timeout_s: float
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    sql = what
    if _NAME.match(what):
        if not what.startswith("v_"):
            raise BadInput(f"{what!r} is no view", remedy="see docs/views.md, or write a SELECT")
        sql = f"SELECT * FROM {what}"
    with query(ledger, sql, budget=Budget(timeout_s)) as result:
        return result.columns, list(result.rows)
