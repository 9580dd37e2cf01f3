"""The summary says what is on record, and says where nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from runledger.api.facade import Runledger
from tests.rules.histories import NOON, D, H, M, Story, pci
from tests.runledger.nights import eventful, ledger_with
from tests.runledger.report.reading_pages import Page


def summary(opened: Runledger, **asked: str) -> str:
    return Page(opened.report(**asked)).id("summary").text


def test_nobody_looked_is_not_health(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().run("R1", 0, 500).events) as opened:
        said = summary(opened)
    assert "No preflight on record" in said
    assert "Nobody looked: no probe of a node is on record" in said
    assert "No decision was recorded." in said
    assert "nothing here says that a step may start" in said


def test_all_well_is_said_with_the_looks_it_rests_on(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        opened.preflight("r", at=NOON + M)
        said = summary(opened)
    assert "Clear to start" in said
    assert "2 nodes answered each of 2 probes" in said
    assert "Nothing, by the newest preflight (step r, 24 Jan 2026, 12:01 UTC): go." in said


def test_cards_that_sit_out_are_named_beside_a_step_that_may_start(tmp_path: Path) -> None:
    story = Story().healthy().override(f"gpu/rig/{pci(1)}", "exclude", M)
    with ledger_with(tmp_path, story.events) as opened:
        opened.preflight("r", at=NOON + 2 * M)
        said = summary(opened)
    assert "Running on, with 1 card sitting out" in said
    assert "1 card sits out: GPU 1" in said
    assert "Lift it with: runledger override" in said.replace("of rig: lift", "of rig: Lift")


def test_the_same_rule_on_many_things_is_one_line(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        opened.preflight("1", at=NOON + 2 * H)
        said = summary(opened)
    assert "Step 1 cannot be judged" in said
    assert "more of the kind" in said
    assert said.count("Step 1: ") == 1


def test_zero_is_not_unknown(tmp_path: Path) -> None:
    story = Story().run("R1", 0, 0).run("R2", D, None)
    with ledger_with(tmp_path, story.events) as opened:
        assert "0 survivors were counted" in summary(opened, run="R1")
        assert "its yield is unknown, which is not zero" in summary(opened, run="R2")


@pytest.mark.parametrize("seed", range(2))
def test_every_run_node_and_day_of_any_history_gives_a_whole_page(
    tmp_path: Path, seed: int
) -> None:
    story = eventful(seed)
    with ledger_with(tmp_path, story.events) as opened:
        for hour in range(0, 72, 9):
            opened.preflight("1", trials=50, seed_count=100_000, at=NOON + hour * H)
            opened.exclusions(at=NOON + hour * H)
            opened.next_parameters(at=NOON + hour * H)
        runs = {event.runid for event in story.events if event.runid}
        assert runs
        pages = [opened.report(run=run) for run in sorted(runs)[:4]]
        pages += [opened.report(node=node) for node in ("rig", "zeus")]
        pages += [opened.report(since=NOON + d * D, until=NOON + (d + 1) * D) for d in range(3)]
        for html in pages:
            page = Page(html)
            ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
            assert len(ids) == len(set(ids))
            links = {each.attributes["href"].removeprefix("#") for each in page.all("a")}
            assert links <= set(ids)


def test_a_verdict_with_very_many_findings_shows_the_worst_and_counts_the_rest(
    tmp_path: Path,
) -> None:
    fleet = "".join(f'[[nodes]]\nname = "n{number}"\n' for number in range(70))
    with ledger_with(tmp_path, Story().run("R1", 0, 500).events, fleet) as opened:
        decision = opened.preflight("1", at=NOON + M)
        said = Page(opened.report()).id("verdicts").text
    left_out = len(decision.findings) - said.count("To do:")
    assert left_out > 0
    assert f"{left_out:,} lesser findings are not shown" in said
    assert f"runledger why {decision.decision}" in said
