"""A ledger of somebody else's, on media or in a folder where nothing may be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger import LedgerError, open_ledger, verify
from ledger.testing import sample_event, sample_events


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of three events; from here on nothing beside it may be written."""
    path = tmp_path / "ledger.db"
    with open_ledger(path) as ledger:
        ledger.append(sample_events(3))
    monkeypatch.setattr(os, "access", lambda where, mode: mode != os.W_OK)
    return path


def test_it_is_read_and_nothing_is_left_beside_it(path: Path) -> None:
    before = path.read_bytes(), sorted(path.parent.iterdir())
    with open_ledger(path, create=False, readonly=True) as ledger:
        assert verify(ledger).head.sequence == 3
        assert sorted(path.parent.iterdir()) == before[1]
        with pytest.raises(LedgerError):
            ledger.append(sample_event(4))
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == before


def test_what_its_owner_writes_meanwhile_is_seen(path: Path) -> None:
    with open_ledger(path) as owner, open_ledger(path, create=False, readonly=True) as ledger:
        for number in range(4, 8):
            owner.append(sample_event(number))
            assert verify(ledger).head.sequence == number
