"""Backups: whole, verified, never over another file; taken while others write."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from ledger import AlreadyThere, Damaged, NotFound, backup, open_ledger, verify
from ledger.testing import sample_event, sample_events
from tests.postgres import NewDatabase


def test_a_backup_holds_what_the_ledger_held(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "l.db") as ledger:
        head = ledger.append(sample_events(300)).head
        assert backup(ledger, tmp_path / "b.db") == head
        ledger.append(sample_event(301))
    with open_ledger(tmp_path / "b.db", readonly=True) as copy:
        assert copy.head() == head
        assert verify(copy).ok
    assert sorted(each.name for each in tmp_path.iterdir() if "b.db" in each.name) == ["b.db"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_what_others_may_not_read_they_may_not_read_in_a_backup(tmp_path: Path, mode: int) -> None:
    with open_ledger(tmp_path / "l.db") as ledger:
        (tmp_path / "l.db").chmod(mode)
        ledger.append(sample_event(1))
        backup(ledger, tmp_path / "b.db")
    assert (tmp_path / "b.db").stat().st_mode & 0o777 == mode


def test_a_backup_of_postgres_is_a_sqlite_file_with_the_same_head(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    with open_ledger(new_postgres_database()) as ledger:
        head = ledger.append(sample_events(300)).head
        assert backup(ledger, tmp_path / "b.db") == head
    with open_ledger(tmp_path / "b.db") as copy:
        assert copy.append(sample_event(301)).head.sequence == 301


def test_writers_go_on_while_it_is_taken(tmp_path: Path) -> None:
    stop = threading.Event()
    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append(sample_events(2000))

        def write() -> None:
            number = 3000
            while not stop.is_set():
                number += 1
                ledger.append(sample_event(number))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            heads = [backup(ledger, tmp_path / f"b{number}.db") for number in range(3)]
        finally:
            stop.set()
            writer.join()
        assert [head.sequence for head in heads] == sorted(head.sequence for head in heads)
        for head in heads:
            assert ledger.hash_at(head.sequence) == head.hash


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b.db").write_text("mine")
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere")
    with open_ledger(tmp_path / "l.db") as ledger:
        for name in ("b.db", "link.db"):
            with pytest.raises(AlreadyThere, match=name):
                backup(ledger, tmp_path / name)
        with pytest.raises(NotFound, match="no folder"):
            backup(ledger, tmp_path / "none" / "b.db")
    assert (tmp_path / "b.db").read_text() == "mine"


def test_a_ledger_that_does_not_verify_gives_no_backup(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append(sample_events(10))
    connection = sqlite3.connect(tmp_path / "l.db")
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("UPDATE events SET source = 'x' WHERE sequence = 4")
    connection.commit()
    connection.close()
    with open_ledger(tmp_path / "l.db") as ledger:
        with pytest.raises(Damaged, match="position 4"):
            backup(ledger, tmp_path / "b.db")
        assert not (tmp_path / "b.db").exists()
        assert [name for name in os.listdir(tmp_path) if "part" in name] == []
