"""The one pass: folded forward once, it shows what folding each day from scratch shows."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ledger import open_ledger
from rules.policy import default_policy
from rules.standings import standings
from runledger.api.facade import Runledger
from runledger.config.settings import Settings
from runledger.deciding.folding import History
from runledger.report import choose
from runledger.report.gathering import read
from tests.postgres import NewDatabase
from tests.rules.histories import FLEET, NOON, D, H, M, Story
from tests.runledger.nights import NOW, eventful, ledger_with
from tests.runledger.report.month import END, START
from tests.runledger.report.reading_pages import Page


def test_card_states_equal_those_folded_from_scratch_for_each_day(month: Runledger) -> None:
    judge = month.catalog.judge(month.policy, month.fleet)
    selection = choose(month.ledger, month.fleet, since_us=START + 3 * D, until_us=END, now_us=END)
    cards = read(month.ledger, judge, selection).cards
    assert len(cards.columns) == 28
    for at, column in enumerate(cards.columns):
        end = min(column.end_us - 1, END) if at < 27 else END
        history = History(month.ledger, judge.fold, persist=False)
        found = standings(judge.rules, history.state_at(selection.upto, end), end).cards
        expected = {
            (each.card.node, each.card.pci): each.state.replace("down", "unresponsive")
            for each in found.values()
        }
        shown = {
            place: row.cells[at].ladder
            for place, row in cards.rows.items()
            if at in row.cells and row.cells[at].ladder != "ok"
        }
        assert shown == expected


def test_a_card_that_sat_out_for_a_day_shows_in_a_column_of_a_week(tmp_path: Path) -> None:
    story = Story()
    for day in range(0, 300, 10):
        story.healthy(day * D)
    story.override("gpu/rig/0000:21:00.0", "exclude", 100 * D)
    story.override("gpu/rig/0000:21:00.0", "reinstate", 101 * D + H)
    with ledger_with(tmp_path, story.events) as opened:
        judge = opened.catalog.judge(opened.policy, opened.fleet)
        selection = choose(
            opened.ledger, opened.fleet, since_us=NOON, until_us=NOON + 290 * D, now_us=NOW
        )
        cards = read(opened.ledger, judge, selection).cards
    assert cards.columns[0].end_us - cards.columns[0].start_us == 7 * D
    shown = [cell.shown for cell in cards.rows["rig", "0000:21:00.0"].cells.values()]
    assert shown.count("excluded") == 1


def test_a_report_leaves_the_ledger_as_it_was(month: Runledger) -> None:
    fold = month.catalog.judge(month.policy, month.fleet).fold.key

    def kept() -> tuple[object, ...]:
        return month.ledger.head(), month.ledger.checkpoints.of(fold)

    before = kept()
    month.report()
    month.report(node="rig-6600")
    assert kept() == before


def test_the_same_ledger_gives_the_same_page(month: Runledger) -> None:
    assert month.report() == month.report()


def test_an_event_that_was_judged_anew_is_not_told(tmp_path: Path) -> None:
    story = Story()
    story.healthy(0)
    story.error(H, 1)
    first = story.events[-1]
    anew = msgspec.structs.replace(
        first,
        id="anew",
        source="reclassify/kernel-log",
        causationid=first.id,
        data=msgspec.structs.replace(first.data, signature="send_failed"),
    )
    with ledger_with(tmp_path, [*story.events, anew]) as opened:
        assert opened.now() == NOW
        page = Page(opened.report(since=NOON - M, until=NOON + 2 * H))
    said = page.id("failures").text
    assert "SMU send_failed" in said
    assert "SMU response_ff" not in said


def test_a_ledger_on_postgresql_gives_the_same_page(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    def page(location: str | Path) -> str:
        settings = Settings(ledger=str(location), fleet=FLEET, policy=default_policy())
        ledger = open_ledger(location, clock=lambda: NOW)
        with Runledger(ledger, settings, clock=lambda: NOW) as opened:
            opened.record([msgspec.structs.replace(each, sequence=0) for each in events])
            return opened.report()

    events = list(eventful(1).events)
    assert page(new_postgres_database()) == page(tmp_path / "same.db")
