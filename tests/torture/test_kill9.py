"""Killing writers, in short; ``python -m tests.torture kill9`` goes on for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.postgres import NewDatabase
from tests.torture import kill9
from tests.torture.batches import examine, make_batch


@pytest.mark.timeout(120)
def test_killed_writers_lose_nothing_acknowledged_and_leave_no_half_batch(tmp_path: Path) -> None:
    names = (str(tmp_path / f"ledger-{number}.db") for number in range(1000))
    report = kill9.run(lambda: next(names), kills=40)
    assert report.found == []
    assert report.counts["kills"] >= 40
    assert report.counts["batches acknowledged"] > 0


@pytest.mark.timeout(120)
def test_killed_clients_of_postgresql_lose_nothing_either(
    new_postgres_database: NewDatabase,
) -> None:
    report = kill9.run(new_postgres_database, kills=12)
    assert report.found == []


def test_the_examination_notices_a_batch_that_is_lost(tmp_path: Path) -> None:
    from ledger import open_ledger

    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(make_batch("kept/3"))
    found, stored = examine(tmp_path / "ledger.db", ["kept/3", "lost/2"])
    assert found == ["acknowledged and lost: lost/2"]
    assert stored == 2


def test_the_examination_notices_half_a_batch(tmp_path: Path) -> None:
    from ledger import open_ledger

    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(make_batch("half/3")[:2])
    found, _ = examine(tmp_path / "ledger.db", [])
    assert found == ["half a batch: half/3"]
