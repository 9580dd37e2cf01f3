"""Node locks: one look at a node at a time, on files and on a server alike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger, NodeLocks, open_ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    location: str | Path = tmp_path / "runledger.db"
    if request.param == "postgresql":
        location = request.getfixturevalue("new_postgres_database")()
    with open_ledger(location) as opened:
        yield opened


def test_only_one_has_the_turn_of_a_node_until_it_gives_it_back(ledger: Ledger) -> None:
    with ledger.node_locks() as first, ledger.node_locks() as second:
        assert first.take("rig-6600")
        assert not second.take("rig-6600")
        assert second.take("rig-6600b")
        first.give_back("rig-6600")
        assert second.take("rig-6600")


def test_all_turns_end_with_whoever_took_them(ledger: Ledger) -> None:
    def take_and_leave() -> None:
        with ledger.node_locks() as locks:
            assert locks.take("rig-6600")

    take_and_leave()
    with ledger.node_locks() as locks:
        assert locks.take("rig-6600")


def test_a_name_may_hold_anything(ledger: Ledger) -> None:
    with ledger.node_locks() as locks:
        for name in ("../../etc/passwd", "$(id)", "ü" * 255, "."):
            assert locks.take(name), name


def test_a_killed_process_holds_no_turn(tmp_path: Path) -> None:
    path = tmp_path / "runledger.db"
    script = (
        "import sys, time; from ledger import open_ledger; "
        f"locks = open_ledger({str(path)!r}).node_locks(); "
        "print(locks.take('rig-6600'), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    with open_ledger(path) as ledger, ledger.node_locks() as locks:
        assert not locks.take("rig-6600")
        process.kill()
        process.wait()
        process.stdout.close()
        assert within(2, locks, "rig-6600")


def test_where_no_lock_can_be_had_probing_goes_on_without(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "runledger.db") as ledger:
        (tmp_path / "runledger.db-probing").write_text("not a folder")
        with ledger.node_locks() as locks:
            assert locks.take("rig-6600")
            locks.give_back("rig-6600")


def within(seconds: float, locks: NodeLocks, name: str) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if locks.take(name):
            return True
        time.sleep(0.05)
    return False
