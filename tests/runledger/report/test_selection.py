"""What belongs to a report: both ends of a period, a run with its margin, a node by any name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledger.times import InvalidTime, format_time
from runledger.api.facade import Runledger
from runledger.errors import BadInput, Missing
from runledger.report import report_of
from tests.rules.histories import NOON, D, H, M, Story
from tests.runledger.nights import ledger_with


@pytest.fixture
def opened(tmp_path: Path) -> Runledger:
    """One healthy look every hour of a day, a run at noon, and an error after it."""
    story = Story()
    for hour in range(24):
        story.healthy(hour * H)
    story.run("R1", 2 * H, 700)
    story.error(5 * H, 1)
    return ledger_with(tmp_path, story.events)


def events(opened: Runledger, **asked: object) -> int:
    return report_of(opened.session, **asked).events  # type: ignore[arg-type]


def test_both_ends_of_a_period_belong_to_it(opened: Runledger) -> None:
    at = NOON + 5 * H
    here = events(opened, since=at, until=at)
    assert here > 1
    assert events(opened, since=at + 1, until=at + 2 * H - 1) == 0 + events(
        opened, since=at + H, until=at + H
    )
    assert events(opened, since=at - H, until=at) == here + events(
        opened, since=at - H, until=at - 1
    )


def test_times_may_be_text_in_any_zone(opened: Runledger) -> None:
    assert events(opened, since="2026-01-24T13:00:00+01:00", until="2026-01-24T12:00:00Z") > 0
    assert events(opened, since="2026-01-24") > 0
    with pytest.raises(InvalidTime, match="is no time"):
        opened.report(since="noon")


def test_one_end_is_enough(opened: Runledger) -> None:
    everything = events(opened)
    assert events(opened, since=NOON) == everything
    assert events(opened, until=NOON + 23 * H) == everything
    assert 0 < events(opened, until=NOON + H) < everything


def test_with_nothing_chosen_it_is_the_last_thirty_days(tmp_path: Path) -> None:
    story = Story()
    story.healthy(-31 * D)
    story.healthy(0)
    made = report_of(ledger_with(tmp_path, story.events).session)
    assert made.selection.default
    assert made.summary()["since"] == format_time(NOON - 30 * D)
    assert made.summary()["until"] == format_time(NOON)
    assert made.events == len(story.events) // 2


def test_when_a_policy_was_first_used_moves_no_period(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        opened.preflight("1", at=NOON + M)
        assert opened.now() > NOON + 30 * D  # the policy is dated now
        assert report_of(opened.session).summary()["until"] == format_time(NOON + M)
        with pytest.raises(Missing):
            opened.report(since=NOON + 30 * D)


def test_a_decision_long_after_the_last_look_hides_neither(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        opened.preflight("1", at=NOON + 39 * D)
        made = report_of(opened.session)
    assert (made.events, made.decisions) == (len(Story().healthy().events) + 1, 1)


def test_an_event_from_the_future_does_not_stretch_the_page(tmp_path: Path) -> None:
    story = Story()
    story.healthy(0)
    story.healthy(4000 * D)
    made = report_of(ledger_with(tmp_path, story.events).session)
    assert made.summary()["until"] == format_time(NOON)


def test_a_run_comes_with_the_looks_just_before_and_after_it(opened: Runledger) -> None:
    made = report_of(opened.session, run="R1")
    assert made.runs == 1
    assert made.selection.since_us <= NOON + 2 * H - 15 * M
    assert "R1" in made.html


def test_a_node_is_found_by_its_address_too(opened: Runledger) -> None:
    assert events(opened, node="192.0.2.10") == events(opened, node="rig") > 0


def test_another_nodes_events_are_left_out(opened: Runledger) -> None:
    assert "GPU 1" not in opened.report(node="zeus").split('id="failures"')[1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"run": "R2"}, "no event of run 'R2'"),
        ({"node": "zeuss"}, "no event about node 'zeuss'"),
        ({"since": NOON + 30 * D, "until": NOON + 31 * D}, "no event from 2026-02-23"),
    ],
)
def test_nothing_chosen_is_said(opened: Runledger, asked: dict[str, object], said: str) -> None:
    with pytest.raises(Missing, match=re.escape(said)):
        report_of(opened.session, **asked)  # type: ignore[arg-type]


def test_an_empty_ledger_says_so(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="the ledger is empty"):
        ledger_with(tmp_path, []).report()


def test_what_cannot_go_together_is_refused(opened: Runledger) -> None:
    with pytest.raises(BadInput, match="give --run alone"):
        opened.report(run="R1", node="rig")
    with pytest.raises(BadInput, match="lies after"):
        opened.report(since=NOON + 1, until=NOON)
