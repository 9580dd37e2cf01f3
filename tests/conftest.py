"""Fixtures for all tests, and what CI asks of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy.engine import URL

from ledger import open_ledger
from ledger.backends import Backend
from ledger.backends.sqlite import Sqlite

# No test is timed: a busy machine must not fail one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["tests.pgbouncer", "tests.postgres", "tests.typing_at"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where RUNLEDGER_NO_SKIP is set, a skipped test has failed: CI has everything."""
    report = yield
    if os.environ.get("RUNLEDGER_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _ledgers_are_copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """New SQLite ledgers of this process are copies of one that was migrated once.

    What making one really does has tests of its own, in processes of their own.
    """
    template = tmp_path_factory.mktemp("template") / "empty.db"
    make = Sqlite.make
    open_ledger(template).close()

    def copy(url: URL, fill: Callable[[Backend], None]) -> None:
        path = Path(str(url.database))
        if path.parent.is_dir() and not path.exists() and not path.is_symlink():
            shutil.copyfile(template, path)
        else:
            make(url, fill)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sqlite, "make", staticmethod(copy))
        yield


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test sees the settings of whoever runs it, nor leaves anything in their home."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    for name in ("RUNLEDGER_LEDGER", "RUNLEDGER_CONFIG", "RUNLEDGER_DEBUG", "RUNLEDGER_TZ"):
        monkeypatch.delenv(name, raising=False)
