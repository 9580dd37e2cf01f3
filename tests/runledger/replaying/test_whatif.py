"""What-if against recomputing everything from scratch, on a made-up month of a fleet."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

import runledger
from benchmarks.year import build
from ledger import Conflict, Event, parse_filters
from ledger.payloads import DecisionPayload, SmuError, SshProbe
from ledger.times import parse_time
from rules.decide import Judge
from rules.fold import FOLDED_TYPES
from rules.kinds import DECIDED_TYPES
from rules.policy import with_settings
from runledger.api.facade import Runledger
from runledger.kinds import SHOWN
from runledger.replaying.junit import Case, write_junit
from runledger.replaying.summary import grouped
from runledger.replaying.whatif import Change, WhatIf, effect
from tests.rules.histories import NOON, H, M, Story, ordered, pci
from tests.runledger.nights import eventful, ledger_with


def _unstored(event: Event) -> Event:
    """An event as it was before the ledger took it."""
    return msgspec.structs.replace(event, sequence=0, recorded_us=0, prevhash="", hash="")


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runledger]:
    folder = tmp_path_factory.mktemp("month")
    build(folder, seed=3, days=24)
    with runledger.open(folder / "year.db", config=folder / "runledger.toml") as opened:
        yield opened


def _ask(opened: Runledger, change: Change) -> WhatIf:
    return opened.what_if(change)


def _from_scratch(
    opened: Runledger,
    settings: list[str],
    without: set[str] = frozenset(),  # type: ignore[assignment]
    added: list[Event] = [],  # noqa: B006
) -> set[str]:
    """The decisions that change, found with none of what-if's own code."""
    stored = list(opened.ledger.read())
    changed = set()
    for event in stored:
        decision = event.data
        if event.type not in DECIDED_TYPES:
            continue
        assert isinstance(decision, DecisionPayload)
        at_us = parse_time(decision.as_of.time)
        known = [each for each in stored[: decision.as_of.sequence] if each.id not in without]
        # Added events have no position: they come last among those of their time.
        last = [msgspec.structs.replace(each, sequence=2**62 + n) for n, each in enumerate(added)]
        due = ordered([*known, *last], at_us)
        policy = opened.catalog.policy(decision.policy.digest)
        judge = Judge(with_settings(policy, settings), opened.catalog.fleet(decision.fleet.digest))
        state = judge.fold.run(due)
        draft = judge.decide(decision.kind, decision.question, state, at_us)
        after = msgspec.structs.replace(
            decision, verdict=draft.verdict, findings=draft.findings, outcome=draft.outcome
        )
        if effect(after) != effect(decision):
            changed.add(decision.decision)
    return changed


@pytest.mark.parametrize(
    "settings",
    [
        ["gpu.exclude_after_incidents=1"],
        ["gpu.incident_gap_s=86400"],
        ["preflight.allow_missing_nodes=1"],
        ["preflight.evidence_max_age_s=30"],
        ["tuning.few_survivors=90000", "tuning.seed_growth=5"],
        ['rules.disabled=["ramdisk_missing"]'],
    ],
)
def test_a_threshold_changes_just_what_recomputing_changes(
    month: Runledger, settings: list[str]
) -> None:
    result = _ask(month, Change(settings=settings))
    assert {each.decision for each in result.changed} == _from_scratch(month, settings)
    assert result.drifted == []
    assert result.problems == {}


def test_some_of_these_changes_do_change_something(month: Runledger) -> None:
    for setting in ("gpu.exclude_after_incidents=1", "preflight.evidence_max_age_s=30"):
        assert _ask(month, Change(settings=[setting])).changed


@pytest.mark.parametrize("kind", ["smu_error", "ssh_probe", "survivors_counted"])
def test_leaving_out_one_event_changes_just_what_depends_on_it(month: Runledger, kind: str) -> None:
    events = list(month.ledger.read(types=[kind]))
    for event in (events[0], events[len(events) // 2]):
        result = _ask(month, Change(without=parse_filters([f"id={event.id}"])))
        assert result.left_out == 1
        assert {each.decision for each in result.changed} == _from_scratch(month, [], {event.id})


def test_with_nothing_changed_nothing_changes(month: Runledger) -> None:
    result = _ask(month, Change())
    assert (result.changed, result.drifted, result.problems) == ([], [], {})
    assert result.decisions > 100


@pytest.mark.parametrize("seed", range(3))
def test_mixed_changes_change_just_what_recomputing_changes(tmp_path: Path, seed: int) -> None:
    """Events come late and early, decisions go back and forth; left out, added, set and cut."""
    rng = random.Random(seed)
    events = [_unstored(event) for event in eventful(seed, days=1).events]
    rng.shuffle(events)
    with ledger_with(tmp_path, events[:40]) as opened:
        for start in range(40, len(events), 25):
            at = NOON + rng.randrange(36) * H + 5 * M
            opened.preflight(rng.choice("13"), at=at)
            opened.exclusions(at=at, as_of=rng.choice([None, start // 2]))
            opened.next_parameters(at=at, study="w")
            opened.record(events[start : start + 25])
        stored = list(opened.ledger.read(types=FOLDED_TYPES))
        for _ in range(6):
            settings = rng.choice(
                [[], ["gpu.exclude_after_incidents=1"], ["gpu.incident_gap_s=7200"]]
            )
            left_out = {event.id for event in rng.sample(stored, rng.choice([0, 1, 15]))}
            added = [
                _unstored(msgspec.structs.replace(event, id=f"{event.id}+", time_us=moved_us))
                for event in rng.sample(stored, rng.choice([0, 2]))
                if (moved_us := event.time_us - rng.choice([0, H]))
            ]
            without = parse_filters(f"id={id}" for id in sorted(left_out))
            change = Change(settings=settings, without=without, added=added)
            assert {each.decision for each in _ask(opened, change).changed} == _from_scratch(
                opened, settings, left_out, added
            )


def test_an_added_event_is_considered_from_its_time_on(month: Runledger) -> None:
    middle = list(month.decisions("type=preflight_decided"))[60]
    lost = runledger.new_event(
        SshProbe(node="rig-6600", reachable=False, error="timeout"),
        time_us=middle.time_us - 1,
        source="test",
        id="added",
    )
    result = _ask(month, Change(added=[lost]))
    assert {each.decision for each in result.changed} == _from_scratch(month, [], added=[lost])
    assert result.changed


def test_an_added_event_that_is_stored_already_counts_once(month: Runledger) -> None:
    everything = list(month.ledger.read())
    assert _ask(month, Change(added=[_unstored(each) for each in everything])).changed == []


def test_an_added_event_that_was_stored_late_counts_from_its_time_on(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).events) as opened:
        then = opened.exclusions(at=NOON + 2 * H)
        late = _unstored(Story().error(H).events[0])
        opened.record(late)
        now = opened.exclusions(at=NOON + 2 * H)
        (changed,) = _ask(opened, Change(added=[late])).changed
        assert changed.decision == then.decision
        assert changed.after.outcome == now.outcome


def test_an_added_event_with_the_id_of_another_is_a_conflict(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).events) as opened:
        opened.exclusions(at=NOON + 2 * H)
        (stored,) = opened.ledger.read(types=["smu_error"])
        moved = _unstored(msgspec.structs.replace(stored, time_us=stored.time_us + H))
        with pytest.raises(Conflict, match=stored.id):
            _ask(opened, Change(added=[moved]))
        with pytest.raises(Conflict, match="new"):
            _ask(
                opened,
                Change(added=[msgspec.structs.replace(each, id="new") for each in (stored, moved)]),
            )


def test_an_event_can_be_exchanged_for_another_version_of_it(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).events) as opened:
        opened.exclusions(at=NOON + 2 * H)
        (stored,) = opened.ledger.read(types=["smu_error"])
        later = _unstored(msgspec.structs.replace(stored, time_us=NOON + 3 * H))
        change = Change(added=[later], without=parse_filters([f"id={stored.id}"]))
        (changed,) = _ask(opened, change).changed
        assert changed.after.outcome == {"gpus": []}


def test_without_its_correction_an_event_counts_again(tmp_path: Path) -> None:
    story = Story().healthy().error(M).error(2 * H)
    with ledger_with(tmp_path, story.events) as opened:
        newest = list(opened.ledger.read(types=["smu_error"]))[-1]
        anew = msgspec.structs.replace(
            _unstored(newest),
            id="anew",
            source="reclassify/x",
            causationid=newest.id,
            data=msgspec.structs.replace(newest.data, pci=None),  # type: ignore[call-arg]
        )
        opened.record(anew)
        for late in (0, 30 * M):  # what comes late is folded another way
            opened.exclusions(at=NOON + 3 * H)
            opened.record(_unstored(Story().error(late, card=1).events[0]))
        result = _ask(opened, Change(without=parse_filters(["id=anew"])))
        assert [
            [gpu["state"] for gpu in changed.after.outcome["gpus"] if gpu["pci"] == pci(2)]
            for changed in result.changed
        ] == [["excluded"], ["excluded"]]


def test_each_filter_that_leaves_nothing_out_is_named(month: Runledger) -> None:
    filters = ["type=smu_error", "type=smu_errors", "node=nowhere"]
    result = _ask(month, Change(without=parse_filters(filters)))
    assert result.unmatched == filters[1:]
    assert result.left_out == sum(1 for _ in month.ledger.read(types=["smu_error"]))


def test_what_would_be_decided_says_on_which_cut(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).events) as opened:
        opened.exclusions(at=NOON + 2 * H)
        (changed,) = _ask(opened, Change(as_of=3, at_us=NOON + H)).changed
        assert changed.before.as_of.time == "2026-01-24T14:00:00Z"
        assert msgspec.to_builtins(changed.after.as_of) == {
            "sequence": 3,
            "hash": opened.ledger.hash_at(3),
            "time": "2026-01-24T13:00:00Z",
        }


def test_it_leaves_no_trace(month: Runledger) -> None:
    before = (month.ledger.head(), list(month.ledger.read()))
    _ask(month, Change(settings=["gpu.exclude_after_incidents=1"]))
    assert (month.ledger.head(), list(month.ledger.read())) == before


def test_known_now_against_known_then(tmp_path: Path) -> None:
    """An error that was reported late changes what would have been said, not what was."""
    with ledger_with(tmp_path, Story().healthy().error(M).events) as opened:
        decision = opened.exclusions(at=NOON + 2 * H)
        late = Story().error(H).events[0]
        opened.record(msgspec.structs.replace(late, sequence=0))
        assert _ask(opened, Change()).changed == []
        head = opened.ledger.head().sequence
        (changed,) = _ask(opened, Change(as_of=head)).changed
        assert changed.decision == decision.decision
        assert changed.after.outcome["gpus"][0]["state"] == "excluded"
        assert _ask(opened, Change(as_of=head, at_us=NOON + 30 * M)).changed == []


def test_late_events_are_folded_in_their_place(tmp_path: Path) -> None:
    """Decisions whose cuts go back and forth in time are made as they would be alone."""
    story = Story().healthy().error(M).error(2 * H).healthy(3 * H)
    with ledger_with(tmp_path, story.events) as opened:
        for at in (5 * H, M, 3 * H, 30 * M, 5 * H):
            opened.exclusions(at=NOON + at)
            opened.preflight("1", at=NOON + at)
            late = Story().error(at - 20 * M, card=at % 3).events[0]
            opened.record(msgspec.structs.replace(late, sequence=0))
        assert opened.replay().drifted == []
        result = _ask(opened, Change(settings=["gpu.exclude_after_incidents=1"]))
        assert {each.decision for each in result.changed} == _from_scratch(
            opened, ["gpu.exclude_after_incidents=1"]
        )


def test_totals_are_in_the_units_of_the_fleet(tmp_path: Path) -> None:
    story = Story().healthy().error(0).run("R1", H, 900)
    story.ssh("rig", 5 * H, reachable=False, error="timeout").healthy(6 * H)
    with ledger_with(tmp_path, story.events) as opened:
        opened.exclusions(at=NOON + H)
        opened.exclusions(at=NOON + 3 * H)
        opened.preflight("1", at=NOON + 5 * H + M)
        opened.next_parameters(at=NOON + 6 * H)
        settings = [
            "gpu.exclude_after_incidents=1",
            "tuning.seed_growth=5",
            'rules.disabled=["node_unreachable", "evidence_missing"]',
        ]
        totals = _ask(opened, Change(settings=settings)).totals
    assert totals["steps"] == {"blocked": 0, "freed": 1}
    assert totals["gpu_hours_out"] == {"before": 0.0, "after": 2.0}
    assert totals["trials"] == {"before": 50, "after": 50}
    assert totals["seeds"] == {"before": 50 * 200_000, "after": 50 * 500_000}


def test_totals_go_by_the_times_of_decisions_and_not_by_when_they_were_made(
    tmp_path: Path,
) -> None:
    with ledger_with(tmp_path, Story().healthy().error(0).events) as opened:
        for at in (3 * H, H):
            opened.exclusions(at=NOON + at)
        totals = _ask(opened, Change(settings=["gpu.exclude_after_incidents=1"])).totals
    assert totals["gpu_hours_out"] == {"before": 0.0, "after": 2.0}


def test_drift_is_named_and_not_blamed_on_the_change(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).error(H).events) as opened:
        decision = opened.exclusions(at=NOON + 2 * H)
        event = opened.ledger.get(decision.decision)
        forged = msgspec.structs.replace(
            decision, decision="forged", outcome={"gpus": []}, verdict="ok"
        )
        opened.ledger.append(msgspec.structs.replace(event, id="forged", data=forged, sequence=0))
        result = _ask(opened, Change(settings=["gpu.retire_after_exclusions=9"]))
        assert result.drifted == ["forged"]
        assert result.changed == []


def test_a_decision_that_cannot_be_made_again_is_a_problem_of_its_own(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        decision = opened.exclusions(at=NOON + 2 * H)
        event = opened.ledger.get(decision.decision)
        policy = msgspec.structs.replace(decision.policy, digest="f" * 64)
        forged = msgspec.structs.replace(decision, decision="forged", policy=policy)
        opened.ledger.append(msgspec.structs.replace(event, id="forged", data=forged, sequence=0))
        result = _ask(opened, Change())
        assert list(result.problems) == ["forged"]
        assert "policy" in result.problems["forged"]


def test_junit_holds_any_text(tmp_path: Path) -> None:
    bad = Case("a <b> & \x1b[31m\x00", "group")
    bad.fail("changed", "- one\n+ two \ud7ff\uffff \U0001d11e ]]>")
    broken = Case("c", "group")
    broken.error("no policy")
    write_junit(tmp_path / "j.xml", "suite", [Case("fine", "group"), bad, broken])
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    assert "+ two" in (root.findtext("testcase/failure") or "")
    assert list(tmp_path.iterdir()) == [tmp_path / "j.xml"]


def test_an_event_type_that_no_fold_takes_changes_nothing(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).events) as opened:
        opened.exclusions(at=NOON + H)
        result = _ask(opened, Change(without=parse_filters(["type=policy_activated"])))
        assert (result.left_out, result.changed) == (1, [])


def test_the_json_of_a_change_can_be_printed(month: Runledger) -> None:
    from runledger.replaying.whatif import changed_json

    result = _ask(month, Change(settings=["gpu.exclude_after_incidents=1"]))
    shown: Any = json.loads(json.dumps(changed_json(result.changed[0])))
    assert set(shown) == {"decision", "kind", "question", "before", "after"}
    (recorded,) = month.decisions(f"id={shown['decision']}")
    assert shown["before"] == json.loads(json.dumps(msgspec.to_builtins(recorded.data)))
    assert set(shown["after"]) == set(shown["before"])
    assert isinstance(next(month.ledger.read(types=["smu_error"])).data, SmuError)


@pytest.mark.parametrize("seed", range(3))
def test_a_summary_counts_every_decision_that_changes_and_no_other(
    tmp_path: Path, seed: int
) -> None:
    story = eventful(seed)
    with ledger_with(tmp_path, story.events) as opened:
        for hour in range(0, 72, 3):
            opened.exclusions(at=NOON + hour * H + M)
            opened.preflight("1", at=NOON + hour * H + M)
            opened.next_parameters(study="w", at=NOON + hour * H + M)
        change = Change(settings=["gpu.exclude_after_incidents=1", "tuning.seed_growth=3"])
        result = _ask(opened, change)
    groups = grouped(result.changed)
    assert len({(each.kind, each.change) for each in groups}) == len(groups)
    changes = Counter(
        (each.before.kind, line)
        for each in result.changed
        for line in SHOWN[each.before.kind].changes(each.before, each.after)
    )
    assert {(each.kind, each.change): each.decisions for each in groups} == changes
    assert all(SHOWN[c.before.kind].changes(c.before, c.after) for c in result.changed)
    assert result.changed
    for each in groups:
        assert parse_time(each.first) <= parse_time(each.last)
