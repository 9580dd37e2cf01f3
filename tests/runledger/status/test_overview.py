"""How things are, from what the ledger holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import runledger
from ledger import Event
from runledger.api.facade import Runledger
from runledger.status import Status
from tests.rules.histories import NOON, D, H, M, Story
from tests.runledger.nights import ledger_with

AT = 40 * D
"""When `nights` looks, after noon."""

Look = Callable[[Story], Status]


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Look]:
    opened: list[Runledger] = []

    def of(story: Story) -> Status:
        opened.append(ledger_with(tmp_path, story.events))
        return opened[-1].status()

    yield of
    for each in opened:
        each.close()


def test_a_fleet_that_is_well_has_nothing_held_against_it(look: Look) -> None:
    status = look(Story().healthy(AT - M))
    assert {node.node: node.verdict for node in status.nodes} == {"rig": "go", "zeus": "go"}
    assert (status.cards, status.runs, status.findings, status.decisions) == ([], [], [], [])
    rig = status.nodes[0]
    assert (rig.reachable, rig.age_s, rig.cards, rig.expected) == (True, 60.0, 4, 4)


def test_a_node_that_does_not_answer_and_one_that_nobody_looked_at(look: Look) -> None:
    story = Story().ssh("rig", AT - M, reachable=False, error="timeout")
    rig, zeus = look(story).nodes
    assert (rig.verdict, rig.reachable, rig.error) == ("no_go", False, "timeout")
    assert (zeus.verdict, zeus.reachable, zeus.last_look) == ("unknown", None, None)


def test_a_look_that_is_too_old_is_no_go_of_anybodys(look: Look) -> None:
    status = look(Story().healthy(AT - D))
    assert {node.verdict for node in status.nodes} == {"unknown"}
    assert status.nodes[0].age_s == 86_400.0


def test_a_card_that_sits_out_degrades_its_node(look: Look) -> None:
    story = Story().healthy(AT - M).override("gpu/rig/0000:21:00.0", "exclude", AT - M)
    status = look(story)
    assert [(card["node"], card["state"]) for card in status.cards] == [("rig", "excluded")]
    assert {node.node: node.verdict for node in status.nodes} == {"rig": "degraded", "zeus": "go"}
    assert {each.subject for each in status.findings} == {"gpu/rig/0000:21:00.0"}


def test_a_node_that_is_not_configured_has_no_verdict(look: Look) -> None:
    status = look(Story().healthy(AT - M).ssh("guest", AT - M))
    guest = status.nodes[-1]
    assert (guest.node, guest.configured, guest.verdict) == ("guest", False, None)


def test_runs_that_have_not_ended_are_going_on(look: Look) -> None:
    story = Story().run("done", AT - 2 * H, 900).run("aborted", AT - 2 * H, None)
    story.run("on", AT - H, 1)
    story.events = [e for e in story.events if not (e.run == "on" and e.type != "run_started")]
    (run,) = look(story).runs
    assert (run.run, run.age_s, run.study) == ("on", 2 * 3600.0, "w")


def test_the_newest_decision_of_each_kind_is_shown(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy(AT - M).events) as opened:
        opened.exclusions()
        last = opened.exclusions()
        ready = opened.preflight("1")
        found = {each.kind: each.decision for each in opened.status().decisions}
    assert found == {"exclusions": last.decision, "preflight": ready.decision}


def test_a_look_leaves_nothing_behind(tmp_path: Path) -> None:
    story = Story()
    for hour in range(600):
        story.healthy(hour * H)
    with ledger_with(tmp_path, story.events) as opened:
        head = opened.ledger.head()
        opened.status()
        assert opened.ledger.head() == head
        assert not opened.ledger.checkpoints.of(opened.session.judge().fold.key)


class TestTheLedger:
    def test_an_empty_one_is_well(self, look: Look) -> None:
        ledger = look(Story()).ledger
        assert (ledger.sequence, ledger.recorded, ledger.bytes_per_day) == (0, None, None)
        assert ledger.size_bytes > 0
        assert ledger.backup is None

    def test_its_growth_is_that_of_the_last_week(self, tmp_path: Path) -> None:
        now = [NOON]
        with runledger.open(tmp_path / "l.db", create=True, clock=lambda: now[0]) as opened:
            _record(opened, Story().healthy().events * 1)
            now[0] = NOON + 100 * D
            _record(opened, Story().healthy(100 * D).healthy(100 * D + M).events)
            now[0] += 7 * D
            ledger = opened.status().ledger
        assert ledger.events_per_day == pytest.approx(12 / 7)
        assert ledger.bytes_per_day == pytest.approx(12 / 7 * ledger.size_bytes / 18)
        assert ledger.free_bytes is not None
        assert ledger.bytes_per_day is not None
        assert ledger.days_until_full == pytest.approx(ledger.free_bytes / ledger.bytes_per_day)

    def test_a_young_one_has_no_growth_yet(self, tmp_path: Path) -> None:
        now = [NOON]
        with runledger.open(tmp_path / "l.db", create=True, clock=lambda: now[0]) as opened:
            _record(opened, Story().healthy().events)
            now[0] += H
            assert opened.status().ledger.bytes_per_day is None

    def test_one_on_a_server_has_a_size_and_no_disk_of_ours(
        self, new_postgres_database: Callable[[], str]
    ) -> None:
        with runledger.open(new_postgres_database(), create=True) as opened:
            ledger = opened.status().ledger
        assert ledger.size_bytes > 0
        assert (ledger.database, ledger.free_bytes) == ("postgresql", None)


def _record(opened: Runledger, events: list[Event]) -> None:
    import msgspec

    opened.record([msgspec.structs.replace(event, sequence=0) for event in events])
