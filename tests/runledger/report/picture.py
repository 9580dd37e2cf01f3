"""The picture of a report in the documentation: ``python -m tests.runledger.report.picture``.

It writes ``docs/images/report.png`` anew, from the month that the tests tell.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.runledger.report.browser import Browser, find_browser
from tests.runledger.report.month import Month

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "report.png"
WIDTH = 1060
HEIGHT = 2252
SCALE = 0.75


def main() -> int:
    """Make the picture; returns the exit code."""
    if find_browser() is None:
        print("install Debian's package chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        page = folder / "report.html"
        with Month(folder / "month.db").tell() as opened:
            html = opened.report(since="2026-01-22T00:00:00Z", title="A month of the fleet")
        page.write_text(html, encoding="utf-8")
        with Browser(folder / "browser") as browser:
            browser.show(page, width=WIDTH)
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            browser.screenshot(PICTURE, height=HEIGHT, scale=SCALE)
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
