"""A ledger on PostgreSQL changed by the database's owner, cut off from it, or not let in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_type_hints

import pytest

from ledger import (
    Head,
    InvalidLocation,
    Ledger,
    Unavailable,
    open_ledger,
    verify,
)
from ledger.rows import Row
from ledger.testing import sample_events
from ledger.translation import translated
from tests.postgres import NewDatabase

COUNT = 12
INTEGERS = {name for name, kind in get_type_hints(Row).items() if kind is int}


@pytest.fixture
def location(new_postgres_database: NewDatabase) -> str:
    return new_postgres_database()


@pytest.fixture
def ledger(location: str) -> Iterator[Ledger]:
    with open_ledger(location) as opened:
        opened.append(sample_events(COUNT))
        yield opened


def _as_owner(location: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(location) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize("column", Row._fields)
def test_a_changed_value_is_found(ledger: Ledger, location: str, column: str) -> None:
    changed = f"{column} + 100" if column in INTEGERS else f"concat({column}, ' ')"
    _as_owner(
        location,
        "ALTER TABLE events DISABLE TRIGGER ALL",
        f"UPDATE events SET {column} = {changed} WHERE sequence = 5",
    )
    result = verify(ledger)
    assert (result.first_bad, result.head.sequence) == (5, 4)


@pytest.mark.parametrize(
    ("statements", "first_bad"),
    [
        (["DELETE FROM events WHERE sequence = 7"], 7),
        (["UPDATE events SET sequence = 0 WHERE sequence = 12"], 1),
        (
            [
                "UPDATE events SET sequence = -1 WHERE sequence = 4",
                "UPDATE events SET sequence = 4 WHERE sequence = 5",
                "UPDATE events SET sequence = 5 WHERE sequence = -1",
            ],
            4,
        ),
    ],
)
def test_rows_that_are_gone_or_swapped_are_found(
    ledger: Ledger, location: str, statements: list[str], first_bad: int
) -> None:
    _as_owner(location, "ALTER TABLE events DISABLE TRIGGER ALL", *statements)
    assert verify(ledger).first_bad == first_bad


def test_a_cut_tail_is_found_by_a_head_noted_earlier(ledger: Ledger, location: str) -> None:
    noted = ledger.head()
    _as_owner(
        location,
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DELETE FROM events WHERE sequence > 9",
    )
    assert verify(ledger).ok
    assert verify(ledger, expect=noted).first_bad == 10
    assert verify(ledger, expect=Head(9, ledger.hash_at(9))).ok


def test_a_lost_connection_is_replaced(ledger: Ledger, location: str) -> None:
    reading = ledger.read()
    next(reading)
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    _as_owner(location, f"SELECT pg_terminate_backend(pid) {others}")
    assert ledger.append(sample_events(1, first=99)).head.sequence == COUNT + 1
    with (
        pytest.raises(Unavailable),
        translated("appending"),
        ledger._writer.transaction() as transaction,
    ):
        transaction.head()
        _as_owner(location, f"SELECT pg_terminate_backend(pid) {others}")
        transaction.head()
    assert ledger.head().sequence == COUNT + 1


def test_a_server_that_may_not_be_written_is_unavailable_and_readable(
    ledger: Ledger, location: str
) -> None:
    _as_owner(
        location,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', "
        "current_database()); END $$",
    )
    with open_ledger(location, create=False) as opened:
        with pytest.raises(Unavailable, match="may write"):
            opened.append(sample_events(1))
        assert verify(opened).ok


def test_a_user_that_the_server_does_not_know_is_bad_input(location: str) -> None:
    stranger = location.replace("postgres@", "nobody_here@").replace("postgres:", "nobody_here:")
    with pytest.raises(InvalidLocation, match="check user and password"):
        open_ledger(stranger)
