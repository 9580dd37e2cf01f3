"""Fixtures for all tests, and what CI asks of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No test is timed: a busy machine must not fail one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["tests.postgres", "tests.typing_at"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where RUNLEDGER_NO_SKIP is set, a skipped test has failed: CI has everything."""
    report = yield
    if os.environ.get("RUNLEDGER_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it."""
    for name in ("RUNLEDGER_LEDGER", "RUNLEDGER_DEBUG"):
        monkeypatch.delenv(name, raising=False)
