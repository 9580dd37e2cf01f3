"""Text from events that wants to be markup, a script, a terminal or another text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import new_event
from ledger.payloads import (
    GpuFault,
    JobFailedWithTraceback,
    OverrideSet,
    RunFinished,
    RunStarted,
    SmuError,
    SshProbe,
    StepStarted,
)
from runledger.api.facade import Runledger
from runledger.html import clean
from runledger.report.page import _short, render
from tests.rules.histories import NOON, H, M
from tests.runledger.nights import ledger_with
from tests.runledger.report.reading_pages import Page

MARKUP = "</script></style></title><script>alert(1)</script><img src=x onerror=alert(2)>"
QUOTES = '" onmouseover="alert(3)" x=\''
TEMPLATE = "{{ 7 * 191 }}{% include 'report.css' %}{# gone #}"
TERMINAL = "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b]8;;http://evil.example\x07link\x1b]8;;\x07"
BIDI = "safe\u202egpj.exe\u2066\u200f\u2069"
HIDDEN = "in\u200bvisible\ufeff\U000e0041\u00ad"
NAMES = [MARKUP.replace("/", "∕"), QUOTES, TEMPLATE, BIDI, HIDDEN, "n" * 900, "עברית"]
TEXTS = [MARKUP, QUOTES, TEMPLATE, TERMINAL, BIDI, HIDDEN, "t" * 60_000, "&lt;b&gt; &amp; &#x41;"]

TAGS = {
    "a", "article", "b", "bdi", "body", "br", "caption", "circle", "code", "defs", "desc",
    "details", "div", "footer", "g", "h1", "h2", "h3", "head", "header", "html", "li", "link",
    "main", "meta", "nav", "p", "path", "pattern", "pre", "rect", "section", "span", "style",
    "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "time", "title", "tr", "ul",
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runledger]:
    """A ledger in which every free text, and every name, is hostile."""
    events = []
    for at, name in enumerate(NAMES):
        time_us = NOON + at * M
        of = {"source": name, "runid": name, "step": name}
        payloads = [
            SshProbe(node=name, reachable=True, boot_id="a"),
            SshProbe(node=name, reachable=False, error="other", detail=TEXTS[at]),
            RunStarted(study=name, trials=5, seed_count=9),
            StepStarted(),
            RunFinished(outcome="aborted", reason=TEXTS[at]),
            SmuError(node=name, pci="0000:03:00.0", signature=name, raw=TEXTS[at]),
            GpuFault(node=name, fault="other", raw=TEXTS[at]),
            OverrideSet(subject=f"node/{name}", action="exclude", reason=TEXTS[at], by=name),
        ]
        subject = f"node/{name}"
        events += [
            new_event(
                each,
                time_us=time_us + number,
                subject=subject if isinstance(each, OverrideSet) else None,
                **of,  # type: ignore[arg-type]
            )
            for number, each in enumerate(payloads)
        ]
    for at, text in enumerate(TEXTS):
        failure = JobFailedWithTraceback(
            job=f"job{at}",
            node="rig",
            attempt=1,
            exception=NAMES[at % len(NAMES)],
            message=text,
            traceback=f"Traceback\n  {text}\n",
            will_retry=False,
            fingerprint=NAMES[at % len(NAMES)],
        )
        events.append(new_event(failure, time_us=NOON + H + at, source="s"))
    with ledger_with(tmp_path_factory.mktemp("hostile"), events) as opened:
        opened.preflight("1", run=NAMES[0], at=NOON + 2 * H)
        opened.exclusions(at=NOON + 2 * H)
        opened.next_parameters(study=MARKUP, at=NOON + 2 * H)
        opened.propose(
            trials=MARKUP, proposer=QUOTES, rationale=TEMPLATE, study=BIDI, at=NOON + 2 * H
        )
        yield opened


@pytest.mark.parametrize("asked", [{}, {"node": NAMES[0]}, {"run": NAMES[1]}, {"title": MARKUP}])
def test_hostile_text_stays_text(hostile: Runledger, asked: dict[str, str]) -> None:
    page = Page(hostile.report(**asked, **({} if "run" in asked else {"since": NOON})))
    assert {each.tag for each in page.elements} <= TAGS
    for element in page.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name not in ("href", "src") or value.startswith(("#", "data:,"))
    assert "1337" not in page.html  # 7 * 191
    assert "alert(1)" in page.text
    for hidden in ("\x1b", "\x07", "\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\U000e0041"):
        assert hidden not in page.html


def test_text_that_looks_escaped_is_shown_as_it_was_written(hostile: Runledger) -> None:
    page = Page(hostile.report(since=NOON))
    assert "&lt;b&gt; &amp; &#x41;" in page.text


def test_a_page_stays_of_a_readable_size_whatever_the_texts(hostile: Runledger) -> None:
    assert len(hostile.report(since=NOON)) < 400_000


def test_a_run_may_have_a_name_that_no_filter_can_spell(hostile: Runledger) -> None:
    assert "n" * 60 in hostile.report(run=NAMES[5])


@given(st.text())
@settings(max_examples=200)
def test_every_value_is_cleaned_before_it_is_escaped(text: str) -> None:
    said = clean(text)
    assert all(each.isprintable() or each in "\n\t" for each in said)
    assert "\n" not in _short(text)


def test_a_value_that_is_missing_is_an_error_and_not_an_empty_place(tmp_path: Path) -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        render({})
