"""The page of a month: its structure, and that it says what the ledger holds."""

from __future__ import annotations

import itertools
import re

import pytest

from runledger.api.facade import Runledger
from runledger.report.cards import Column
from runledger.report.page_data import column_labels
from tests.runledger.report.month import DAYS, RUNS
from tests.runledger.report.reading_pages import Element, Page


class TestStructure:
    def test_it_is_one_document_with_language_title_and_one_heading(self, month_page: Page) -> None:
        assert month_page.html.startswith("<!doctype html>")
        (html,) = month_page.all("html")
        assert html.attributes["lang"] == "en"
        assert [each.text for each in month_page.all("h1")] == ["The fleet"]
        assert month_page.all("title")[0].text == "The fleet – runledger"

    def test_it_has_no_script_and_refers_to_nothing_outside(self, month_page: Page) -> None:
        tags = {each.tag for each in month_page.elements}
        assert not tags & {"script", "iframe", "object", "embed", "img", "form", "base", "audio"}
        for element in month_page.elements:
            for name, value in element.attributes.items():
                assert not name.startswith("on")
                if name in ("href", "src", "xlink:href", "action", "data", "srcset"):
                    assert value.startswith(("#", "data:,")), value
        (style,) = month_page.all("style")
        assert "@import" not in style.text
        assert set(re.findall(r"url\(([^)]*)\)", month_page.html)) <= {"#down", "#stopped"}
        assert "http" not in month_page.html.replace("http-equiv", "")

    def test_a_policy_in_the_page_forbids_what_it_does_not_need(self, month_page: Page) -> None:
        (policy,) = [
            each.attributes["content"]
            for each in month_page.all("meta")
            if each.attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'")
        assert "script" not in policy

    def test_ids_are_unique_and_every_link_leads_somewhere(self, month_page: Page) -> None:
        ids = [each.attributes["id"] for each in month_page.elements if "id" in each.attributes]
        assert len(ids) == len(set(ids))
        links = [each.attributes["href"] for each in month_page.all("a")]
        assert len(links) > 10
        assert {link.removeprefix("#") for link in links} <= set(ids)
        for element in month_page.elements:
            for id in element.attributes.get("aria-labelledby", "").split():
                assert id in ids

    def test_drawings_have_a_title_a_description_and_a_table_with_the_same(
        self, month_page: Page
    ) -> None:
        drawings = [
            each for each in month_page.all("svg") if each.attributes.get("aria-hidden") != "true"
        ]
        assert len(drawings) == 2
        for drawing in drawings:
            assert drawing.attributes["role"] == "img"
            assert [each.tag for each in drawing.children[:2]] == ["title", "desc"]
            assert all(each.text for each in drawing.children[:2])
        assert month_page.id("timeline").all("table")
        assert month_page.id("runs").all("table")

    def test_tables_name_what_their_rows_and_columns_are(self, month_page: Page) -> None:
        for heading in month_page.all("th"):
            assert heading.attributes.get("scope") in ("col", "row", "rowgroup"), heading.text

    def test_headings_do_not_skip_a_level(self, month_page: Page) -> None:
        levels = [int(each.tag[1]) for each in month_page.elements if re.match(r"h\d$", each.tag)]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


class TestSummary:
    def test_it_says_what_happened_what_blocks_and_what_to_do(self, month_page: Page) -> None:
        said = month_page.id("summary").text
        assert "Step 1 may not start" in said
        assert "11 runs: 9 succeeded, 1 failed, 1 aborted." in said
        assert "most by R-20260124-21: 99,941" in said
        assert (
            "2 runs found none; 2 runs ended without a count (unknown, which is not zero)" in said
        )
        assert "rig-6600b stopped answering" in said
        assert "Step 1: rig-6600b did not answer SSH" in said
        assert "Check the power and network of rig-6600b (192.168.3.154), then rerun" in said
        assert "GPU 10 (0000:22:00.0) of rig-6600: return it to the vendor" in said

    def test_a_run_is_told_in_its_own_words(self, month: Runledger) -> None:
        page = Page(month.report(run="R-20260124-17"))
        said = page.id("summary").text
        assert "R-20260124-17 asked for 50 trials of 10,000,000 seeds" in said
        assert "it was aborted after 2 h (killed at the 2 h timeout)" in said
        assert "Nothing was counted: its yield is unknown, which is not zero." in said
        assert "It did not follow the decision before it: 50 × 100,000 (enough_survivors)" in said


class TestCards:
    def rows(self, page: Page) -> dict[str, list[Element]]:
        found: dict[str, list[Element]] = {}
        for body in page.id("cards").all("tbody"):
            if body.attributes.get("class") == "node":
                node = body.all("tr")[0].text
                for row in body.all("tr")[1:]:
                    found[f"{node} {row.all('th')[0].text}"] = row.all("td")
        return found

    def test_each_card_has_a_square_for_each_day(self, month_page: Page) -> None:
        rows = self.rows(month_page)
        assert len(rows) == 26
        assert {len(cells) for cells in rows.values()} == {DAYS}

    def test_states_are_told_by_a_letter_and_not_by_colour_alone(self, month_page: Page) -> None:
        letters = "".join(
            each.text or "·" for each in self.rows(month_page)["rig-6600 GPU 10 22:00.0"]
        )
        assert "E" in letters
        assert letters.endswith("RRRRR")
        assert self.rows(month_page)["zeus GPU 1 21:00.0"][24].text == "U"
        for name, letter in (("watch", "W"), ("excluded", "E"), ("retire", "R")):
            cells = [each for each in month_page.all("td") if f"c-{name}" in str(each.attributes)]
            assert cells
            assert {each.text for each in cells} == {letter}

    def test_a_day_on_which_nobody_looked_claims_nothing(self, month_page: Page) -> None:
        cell = self.rows(month_page)["zeus GPU 0 01:00.0"][14]
        assert cell.attributes["class"] == "c-unseen"

    def test_cards_that_are_not_ok_are_listed_with_reason_and_remedy(
        self, month_page: Page
    ) -> None:
        said = month_page.id("cards").text
        assert "excluded 2 times" in said
        assert "watched by michael: its fan service is off" in said
        assert "runledger override gpu/rig-6600/0000:22:00.0 reinstate" in said


class TestRuns:
    def test_every_run_is_there_with_what_it_asked_and_found(self, month_page: Page) -> None:
        section = month_page.id("runs")
        said = [row.text for table in section.all("table") for row in table.all("tr")]
        assert len(said) == len(RUNS) + 1
        (lost,) = [row for row in said if row.startswith("R-20260124-17")]
        assert "aborted" in lost
        assert "unknown" in lost
        assert "lost rig-6600" in lost
        assert "not followed" in lost
        (zero,) = [row for row in said if row.startswith("R-20260131-11")]
        assert " 0 " in zero

    def test_a_run_links_to_the_decision_that_led_to_it(self, month_page: Page) -> None:
        (row,) = [each for each in month_page.all("tr") if each.text.startswith("R-20260204-11")]
        links = [each for each in row.all("a") if "zero_survivors" in each.text]
        assert links
        target = month_page.id(links[0].attributes["href"].removeprefix("#"))
        assert "100 trials of 100,000 seeds" in target.text


class TestVerdicts:
    def test_a_finding_comes_with_message_remedy_and_evidence_with_its_time(
        self, month_page: Page
    ) -> None:
        said = month_page.id("verdicts").text
        assert "rig-6600b did not answer SSH (timeout: after 5 s)" in said
        assert "To do: check the power and network of rig-6600b" in said
        assert "21 Feb 22:12:00 ssh probe did not answer: timeout, after 5 s" in said
        assert "rule node_unreachable" in said

    def test_the_same_verdict_in_a_row_is_told_once(self, month_page: Page) -> None:
        assert "the same 2 times" in month_page.id("verdicts").text


class TestFailures:
    def test_failures_are_grouped_with_count_first_and_last(self, month_page: Page) -> None:
        (article,) = month_page.id("failures").all("article")
        assert "3×" in article.text
        assert "MemoryError" in article.text
        assert "10 Feb 09:15:00 – 10 Feb 09:21:00" in article.text
        assert "survivors = sieve(window, seeds)" in article.all("pre")[0].text

    def test_faults_are_grouped_with_count_first_and_last(self, month_page: Page) -> None:
        (row,) = [
            each
            for each in month_page.id("failures").all("tr")
            if each.text.startswith("GPU 10 (0000:22:00.0) of rig-6600")
        ]
        assert " 12 " in row.text
        assert "24 Jan 17:21:00" in row.text
        assert "17 Feb 07:01:00" in row.text


@pytest.mark.parametrize("title", ["January", "a <b> & \"c\" 'd'"])
def test_a_title_of_ones_own(month: Runledger, title: str) -> None:
    page = Page(month.report(node="zeus", title=title))
    assert page.all("h1")[0].text == title


def test_columns_name_their_year_where_there_are_several() -> None:
    day = 86_400_000_000
    weeks = [Column(at * 28 * day, (at + 1) * 28 * day) for at in range(14)]
    assert [label for label, _ in column_labels(weeks[:13])][:2] == ["1 Jan", "26 Feb"]
    assert [label for label, _ in column_labels(weeks)][:2] == ["Jan 1970", "Feb 1970"]
