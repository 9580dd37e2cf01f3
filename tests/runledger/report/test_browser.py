"""The page in a real browser: it loads in silence, fits its window, and prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import new_event
from ledger.payloads import RunFinished
from tests.rules.histories import NOON, D, Story
from tests.runledger.nights import ledger_with
from tests.runledger.report.browser import Browser, find_browser

pytestmark = [
    pytest.mark.skipif(find_browser() is None, reason="install Debian's package chromium"),
    pytest.mark.xdist_group("chromium"),
]

WIDTHS = [400, 1200]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all of these tests."""
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_loads_in_silence_from_one_file(
    browser: Browser, page_file: Path, width: int, scripts: bool
) -> None:
    browser.show(page_file, width=width, scripts=scripts)
    assert browser.complaints() == []
    others = [each for each in browser.requests() if not each.startswith("data:,")]
    assert others == [page_file.absolute().as_uri()]


@pytest.mark.parametrize("width", [320, *WIDTHS])
@pytest.mark.parametrize("opened", [False, True], ids=["closed", "all open"])
def test_it_is_never_wider_than_its_window(
    browser: Browser, page_file: Path, width: int, opened: bool
) -> None:
    browser.show(page_file, width=width)
    if opened:
        browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.overflow() <= 0


def test_a_word_that_is_too_long_pushes_no_column_out_of_sight(
    browser: Browser, tmp_path: Path
) -> None:
    long = "w" * 180
    ended = RunFinished(outcome="failed", reason=long)
    events = [*Story().run(long, 0, None).events]
    events.append(new_event(ended, time_us=NOON + D, source="t", runid=long))
    path = tmp_path / "long.html"
    with ledger_with(tmp_path, events) as opened:
        path.write_text(opened.report(), encoding="utf-8")
    browser.show(path, width=1200)
    beyond = "[...document.querySelectorAll('.scroll')].map(at => at.scrollWidth - at.clientWidth)"
    assert browser.evaluate(f"Math.max(...{beyond})") <= 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(
    browser: Browser, page_file: Path, dark: bool
) -> None:
    browser.show(page_file, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.evaluate(_CONTRAST) == []


def test_dark_is_dark(browser: Browser, page_file: Path) -> None:
    seen = []
    for dark in (False, True):
        browser.show(page_file, dark=dark)
        seen.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert seen == ["rgb(251, 250, 247)", "rgb(19, 22, 27)"]


@pytest.mark.parametrize("millimetres", [184, 190], ids=["A4", "Letter"])
def test_nothing_is_cut_off_on_paper(browser: Browser, page_file: Path, millimetres: int) -> None:
    browser.show(page_file, width=millimetres * 96 * 10 // 254, media="print")
    assert browser.overflow() <= 0


def test_it_prints_on_a_few_pages(browser: Browser, page_file: Path, tmp_path: Path) -> None:
    browser.show(page_file, dark=True)
    browser.pdf(tmp_path / "month.pdf")
    printed = (tmp_path / "month.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert 3 <= printed.count(b"/Type /Page\n") <= 25


def test_a_picture_can_be_taken_of_it(browser: Browser, page_file: Path, tmp_path: Path) -> None:
    browser.show(page_file)
    browser.screenshot(tmp_path / "month.png", height=800)
    assert (tmp_path / "month.png").read_bytes().startswith(b"\x89PNG")


# WCAG's ratio, 4.5 to 1, of every text against the nearest opaque ground behind it.
_CONTRAST = """
(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const part = each => (each /= 255) <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!walker.currentNode.nodeValue.trim() || !parent.getClientRects().length) continue;
    if (parent.closest('svg title, svg desc, svg g.before')) continue;
    const inDrawing = parent.closest('svg');
    const style = getComputedStyle(parent);
    const front = parse(inDrawing ? style.fill : style.color);
    const a = light(front), b = light(behind(parent));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${ratio.toFixed(2)} ${parent.className.baseVal ?? parent.className}`
      + ` ${walker.currentNode.nodeValue.trim().slice(0, 30)}`);
  }
  return [...poor];
})()
"""
