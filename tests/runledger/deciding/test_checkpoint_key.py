"""Checkpoints are signed under a key that the database does not hold, so none can be forged."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pysqlite3 import dbapi2

from ledger import Ledger, open_ledger
from ledger.canonical import digest
from rules.state import State, dump_state
from runledger.deciding.checkpoint_key import own_key
from runledger.deciding.checkpoints import load_checkpoints
from runledger.deciding.folding import History, check_checkpoints
from tests.runledger.deciding.test_folding import FOLD, eventful

CHANGED = "were changed by someone"


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def key_file(state_home: Path) -> Path:
    return state_home / "runledger" / "checkpoint.key"


def _filled(ledger: Ledger) -> tuple[int, int]:
    events = [msgspec.structs.replace(each, sequence=0) for each in eventful(5, 2).events]
    ledger.append(events)
    return ledger.head().sequence, max(event.time_us for event in events)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runledger.deciding.folding.CHECKPOINT_EVERY", 25)


def _state(ledger: Ledger, cut: tuple[int, int]) -> str:
    return dump_state(History(ledger, FOLD, persist=True).state_at(*cut))


def _execute(path: Path, sql: str, values: Any = ()) -> None:
    with closing(dbapi2.connect(path)) as connection, connection:
        assert connection.execute(sql, values).rowcount > 0


def _rows(path: Path) -> list[dict[str, Any]]:
    with closing(dbapi2.connect(path)) as connection:
        connection.row_factory = dbapi2.Row
        return [dict(row) for row in connection.execute("SELECT * FROM checkpoints")]


def test_the_key_is_one_file_for_its_owner_alone(key_file: Path) -> None:
    first = own_key()
    assert first is not None
    assert own_key() == first
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert first.secret.hex() == key_file.read_text().strip()
    assert first.secret.hex() not in repr(first.id)
    assert [each.name for each in key_file.parent.iterdir()] == [key_file.name]


@pytest.mark.parametrize("spoil", ["readable", "short", "words", "link", "folder", "fifo"])
def test_a_key_that_others_could_know_is_none(
    key_file: Path, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert own_key() is not None
    if spoil == "readable":
        key_file.chmod(0o640)
    elif spoil in ("short", "words"):
        key_file.write_text("ab" * 31 if spoil == "short" else "no key at all, so it is none")
    else:
        moved = key_file.rename(key_file.with_name("moved"))
        if spoil == "link":
            key_file.symlink_to(moved)
        elif spoil == "folder":
            key_file.mkdir()
        else:
            os.mkfifo(key_file, 0o600)
    with caplog.at_level(logging.DEBUG):
        assert own_key() is None
    assert "key" in caplog.text


def test_without_a_key_nothing_is_kept_and_the_answer_is_the_same(
    tmp_path: Path, state_home: Path
) -> None:
    state_home.write_text("no folder")
    with open_ledger(tmp_path / "l.db") as ledger:
        cut = _filled(ledger)
        for _ in range(2):
            expected = dump_state(History(ledger, FOLD, persist=False).state_at(*cut))
            assert _state(ledger, cut) == expected
        assert ledger.checkpoints.of(FOLD.key) == []


def test_a_forged_checkpoint_decides_nothing(
    tmp_path: Path, state_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the digest that a checkpoint of version 0.1 would have had, under the user's own id."""
    path = tmp_path / "l.db"
    with open_ledger(path) as ledger:
        cut = _filled(ledger)
        expected = _state(ledger, cut)
        (*_, row) = _rows(path)
        state = dump_state(State())  # no card was ever seen
        assert state != row["state"]
        signed = " ".join(
            str(row[name]) for name in ("fold", "sequence", "chain_hash", "at_us", "newest_us")
        )
        forged = digest(f"{signed} {state}".encode())
        _execute(path, "UPDATE checkpoints SET state = ?, digest = ?", (state, forged))
        assert check_checkpoints(ledger, FOLD) == (1, 1)
        assert _state(ledger, cut) == expected
        assert CHANGED in caplog.text
        assert check_checkpoints(ledger, FOLD) == (0, 1)  # the next decision left a true one


def test_a_digest_of_another_checkpoint_does_not_fit(tmp_path: Path, state_home: Path) -> None:
    path = tmp_path / "l.db"
    with open_ledger(path) as ledger:
        sequence, at_us = _filled(ledger)
        for cut in (sequence // 2, sequence):
            _state(ledger, (cut, at_us))
        first, last = _rows(path)
        for name in ("state", "sequence", "at_us", "newest_us", "chain_hash", "fold"):
            assert _loaded(ledger, path, {**last, name: first[name]}) <= (first != last)
        assert _loaded(ledger, path, last) == 1


def _loaded(ledger: Ledger, path: Path, row: dict[str, Any]) -> int:
    _execute(path, "DELETE FROM checkpoints")
    marks = ", ".join(f":{name}" for name in row)
    _execute(path, f"INSERT INTO checkpoints ({', '.join(row)}) VALUES ({marks})", row)
    return len(load_checkpoints(ledger, FOLD.key))


def test_another_users_checkpoints_are_passed_over_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "l.db"
    with open_ledger(path) as ledger:
        cut = _filled(ledger)
        for user in ("one", "two", "one"):
            monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / user))
            _state(ledger, cut)
            assert len(load_checkpoints(ledger, FOLD.key)) == 1
        assert caplog.text == ""
        assert check_checkpoints(ledger, FOLD) == (0, 1)


def test_the_checkpoints_of_keys_that_are_gone_do_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_ledger(tmp_path / "l.db") as ledger:
        sequence, at_us = _filled(ledger)
        for user in range(40):
            monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / f"user {user}"))
            _state(ledger, (sequence - user, at_us))
        assert len(ledger.checkpoints.of(FOLD.key)) <= 25
        assert len(load_checkpoints(ledger, FOLD.key)) == 1
