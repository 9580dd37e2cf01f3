"""Whatever is changed in the file, `verify` names the first position that does not fit."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import Damaged, Head, export_lines, open_ledger, verify
from ledger.rows import Row
from ledger.testing import sample_events

COUNT = 40
INTEGERS = {name for name, kind in get_type_hints(Row).items() if kind is int}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a ledger of forty events, its triggers dropped."""
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    with open_ledger(path) as ledger:
        ledger.append(sample_events(COUNT, prefix="e"))
    connection = sqlite3.connect(path)
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    return path.read_bytes()


def _tampered(folder: Path, whole: bytes, *statements: tuple[str, tuple[object, ...]]) -> Path:
    path = folder / "ledger.db"
    path.write_bytes(whole)
    connection = sqlite3.connect(path)
    for statement, values in statements:
        connection.execute(statement, values)
    connection.commit()
    connection.close()
    return path


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    at=st.integers(1, COUNT),
    column=st.sampled_from([name for name in Row._fields if name != "sequence"]),
    change=st.integers(0, 10**6),
)
def test_a_changed_value_is_found(
    tmp_path: Path, whole: bytes, at: int, column: str, change: int
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(whole)
    (value,) = connection.execute(
        f'SELECT "{column}" FROM events WHERE sequence = ?', (at,)
    ).fetchone()
    connection.close()
    new: object
    if column in INTEGERS:
        new = int(value or 0) + 1 + change
    elif not value:
        new = "x"
    else:
        position = change % len(value)
        other = "a" if value[position] != "a" else "b"
        new = value[:position] + other + value[position + 1 :]
    path = _tampered(
        tmp_path, whole, (f'UPDATE events SET "{column}" = ? WHERE sequence = ?', (new, at))
    )
    with open_ledger(path, readonly=True) as ledger:
        result = verify(ledger)
    assert not result.ok
    assert result.first_bad == at
    assert result.head.sequence == at - 1


@pytest.mark.parametrize("at", [1, 2, 20, COUNT - 1])
def test_a_removed_row_is_found(tmp_path: Path, whole: bytes, at: int) -> None:
    path = _tampered(tmp_path, whole, ("DELETE FROM events WHERE sequence = ?", (at,)))
    with open_ledger(path, readonly=True) as ledger:
        assert verify(ledger).first_bad == at


@pytest.mark.parametrize("at", [1, 7, COUNT - 1])
def test_a_swapped_pair_is_found(tmp_path: Path, whole: bytes, at: int) -> None:
    path = _tampered(
        tmp_path,
        whole,
        ("UPDATE events SET sequence = -1 WHERE sequence = ?", (at,)),
        ("UPDATE events SET sequence = ? WHERE sequence = ?", (at, at + 1)),
        ("UPDATE events SET sequence = ? WHERE sequence = -1", (at + 1,)),
    )
    with open_ledger(path, readonly=True) as ledger:
        assert verify(ledger).first_bad == at


@pytest.mark.parametrize("at", [0, -7])
def test_a_row_before_the_first_is_found(tmp_path: Path, whole: bytes, at: int) -> None:
    path = _tampered(
        tmp_path, whole, ("UPDATE events SET sequence = ? WHERE sequence = ?", (at, COUNT))
    )
    with open_ledger(path, readonly=True) as ledger:
        result = verify(ledger)
        assert (result.ok, result.first_bad, result.head.sequence) == (False, 1, 0)
        assert len(list(ledger.read())) == COUNT - 1


@pytest.mark.parametrize("column", ["time_us", "recorded_us"])
def test_a_time_that_no_event_can_have_is_damage_for_every_reader(
    tmp_path: Path, whole: bytes, column: str
) -> None:
    path = _tampered(
        tmp_path, whole, (f"UPDATE events SET {column} = ? WHERE sequence = 3", (2**62,))
    )
    with open_ledger(path, readonly=True) as ledger:
        assert verify(ledger).first_bad == 3
        for read in (ledger.read, lambda: export_lines(ledger)):
            with pytest.raises(Damaged, match="position 3"):
                list(read())


def test_a_cut_tail_is_found_by_a_head_noted_earlier(tmp_path: Path, whole: bytes) -> None:
    path = _tampered(tmp_path, whole)
    with open_ledger(path, readonly=True) as ledger:
        noted = ledger.head()
        assert verify(ledger, expect=noted).ok
        assert verify(ledger, expect=Head(0, "0" * 64)).ok
    path = _tampered(tmp_path, whole, ("DELETE FROM events WHERE sequence > 30", ()))
    with open_ledger(path, readonly=True) as ledger:
        assert verify(ledger).ok
        result = verify(ledger, expect=noted)
        assert (result.ok, result.first_bad) == (False, 31)


def test_torn_pages_of_the_file_are_found(tmp_path: Path, whole: bytes) -> None:
    torn = bytearray(whole)
    inside = whole.rindex(b"collector/test@zeus")
    torn[inside : inside + 100] = b"\xa5" * 100
    path = tmp_path / "ledger.db"
    path.write_bytes(torn)
    with open_ledger(path, readonly=True) as ledger:
        result = verify(ledger)
    assert not result.ok
    assert result.first_bad is not None


def test_rows_beyond_one_that_cannot_be_read_are_not_believed(tmp_path: Path, whole: bytes) -> None:
    path = _tampered(
        tmp_path,
        whole,
        ("UPDATE events SET data = CAST(x'7b22ff227d' AS TEXT) WHERE sequence = 33", ()),
    )
    with open_ledger(path, readonly=True) as ledger:
        result = verify(ledger)
    assert (result.ok, result.first_bad, result.head.sequence) == (False, 33, 32)


def test_progress_is_told_by_position(tmp_path: Path) -> None:
    seen: list[int] = []
    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append(sample_events(5001))
        assert verify(ledger, progress=seen.append).ok
    assert seen == [5000]
