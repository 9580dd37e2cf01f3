"""Looking for the few events that decide must not cost a walk over all the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event

from ledger import Ledger, open_ledger


def plan_of_reading(ledger: Ledger, types: list[str]) -> str:
    """How SQLite goes about the query behind `Ledger.read`."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(ledger._backend.engine, "before_cursor_execute", note)
    list(ledger.read(types=types))
    event.remove(ledger._backend.engine, "before_cursor_execute", note)
    statement, parameters = asked[-1]
    with ledger._backend.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return " ".join(row[3] for row in rows)


def test_the_policy_in_force_is_found_by_index(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.db") as ledger:
        plan = plan_of_reading(ledger, ["policy_activated", "fleet_configured"])
    assert "events_deciding" in plan


def test_decisions_are_found_by_index(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.db") as ledger:
        plan = plan_of_reading(ledger, ["preflight_decided", "parameters_decided"])
    assert "events_deciding" in plan
