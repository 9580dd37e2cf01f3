"""One month of a fleet, told once, and the reports made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runledger.api.facade import Runledger
from tests.runledger.report.month import Month
from tests.runledger.report.reading_pages import Page


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runledger]:
    """The month's ledger, open; nothing may be appended to it."""
    with Month(tmp_path_factory.mktemp("month") / "month.db").tell() as opened:
        yield opened


@pytest.fixture(scope="session")
def month_page(month: Runledger) -> Page:
    """The report of the whole month."""
    return Page(month.report(since="2026-01-22T00:00:00Z"))


@pytest.fixture
def page_file(tmp_path: Path, month_page: Page) -> Path:
    """The report of the month in a file."""
    path = tmp_path / "month.html"
    path.write_text(month_page.html, encoding="utf-8")
    return path
