"""The conformance suite on both databases, and moving from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ledger import export_lines, open_ledger, restore, verify
from ledger.testing import NewLocation, StoreConformance, sample_event, sample_events
from tests.postgres import NewDatabase


class TestOnSqlite(StoreConformance):
    @pytest.fixture
    def new_location(self, tmp_path: Path) -> NewLocation:
        numbers = count(1)
        return lambda: str(tmp_path / f"ledger {next(numbers)}?#%.db")


class TestOnPostgres(StoreConformance):
    @pytest.fixture
    def new_location(self, new_postgres_database: NewDatabase) -> Iterator[NewLocation]:
        return new_postgres_database


def test_a_ledger_moves_between_databases_with_the_same_positions_and_head(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    with (
        open_ledger(tmp_path / "a.db") as first,
        open_ledger(new_postgres_database()) as second,
        open_ledger(tmp_path / "b.db") as third,
    ):
        head = first.append(sample_events(1200)).head
        assert restore(second, export_lines(first)).head == head
        assert restore(third, export_lines(second)).head == head
        assert list(second.read()) == list(first.read()) == list(third.read())
        assert verify(second, expect=head).ok
        # From here on both give the same hash for the same event at the same time.
        assert second.append(sample_event(1)).head.sequence == 1201
