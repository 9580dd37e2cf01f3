"""Explanations: what fired, what nearly did, and what a decision hangs on."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import parse_filter
from ledger.payloads import DecisionPayload
from runledger.api.facade import Runledger
from runledger.errors import Missing
from runledger.explaining import minimal
from runledger.explaining.explanation import Explanation, explanation_json
from runledger.explaining.graph import to_dot, to_html
from runledger.explaining.minimal import smallest_part
from runledger.replaying.whatif import Change, what_if
from tests.rules.histories import NOON, H, M, Story, pci
from tests.runledger.nights import eventful, ledger_with


@pytest.fixture
def bad_night(tmp_path: Path) -> Iterator[Runledger]:
    story = Story().healthy().error(10 * M).error(60 * M).healthy(62 * M)
    story.ssh("rig", 63 * M, reachable=False, error="timeout", detail="after 5 s")
    with ledger_with(tmp_path, story.events) as opened:
        yield opened


def test_a_decision_is_explained_to_the_last_event(bad_night: Runledger) -> None:
    decision = bad_night.preflight("1", at=NOON + 64 * M)
    found = bad_night.why(decision.decision)
    assert found.same
    assert ("node_unreachable", "block") in {(each.rule, each.severity) for each in found.fired}
    named = {id for finding in decision.findings for id in finding.evidence}
    assert named <= {event.id for event in found.evidence}
    times = [event.time_us for event in found.evidence]
    assert times == sorted(times)


def test_a_fired_rule_shows_what_it_compared_and_the_key_of_its_limit(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().run("R1", H, 98_172).events) as opened:
        decision = opened.next_parameters(at=NOON + 2 * H)
        (fired,) = opened.why(decision.decision).fired
        compared = {each.feature: each for each in fired.conditions}
        assert fired.rule == "enough_survivors"
        assert compared["survivors"].value == 98_172
        assert compared["survivors"].limit == 50_000
        assert compared["survivors"].key == "tuning.few_survivors"


def test_what_nearly_fired_says_how_far_it_is_from_its_limit(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).events) as opened:
        decision = opened.exclusions(at=NOON + 10 * M)
        near = {miss.rule: miss for miss in opened.why(decision.decision).nearly}
        miss = near["repeated_incident"]
        assert (miss.value, miss.operator, miss.limit, miss.distance) == (1, ">=", 2, 1)
        assert miss.key == "gpu.exclude_after_incidents"
        decision = opened.preflight("1", at=NOON + 9 * M)
        near = {miss.rule: miss for miss in opened.why(decision.decision).nearly}
        assert (near["evidence_missing"].value, near["evidence_missing"].limit) == (540, 600)


def test_cards_that_failed_together_nearly_blame_their_node(tmp_path: Path) -> None:
    story = Story().error(0, card=1).error(M, card=2).healthy(2 * M)
    with ledger_with(tmp_path, story.events) as opened:
        decision = opened.preflight("1", at=NOON + 3 * M)
        assert decision.verdict == "go"
        (miss,) = (
            each for each in opened.why(decision.decision).nearly if each.rule == "common_cause"
        )
        assert (miss.subject, miss.value, miss.operator, miss.limit) == ("node/rig", 2, ">=", 3)
        assert miss.key == "gpu.common_cause_min_gpus"
        assert {opened.ledger.get(id).type for id in miss.evidence} == {"smu_error"}
        later = opened.preflight("1", at=NOON + 11 * M)
        assert "common_cause" not in {each.rule for each in opened.why(later.decision).nearly}


def test_a_rule_that_is_switched_off_did_not_nearly_fire(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[rules]\ndisabled = ["repeated_incident"]\n')
    fleet = 'policy = "p.toml"\n[[nodes]]\nname = "rig"\n'
    with ledger_with(tmp_path, Story().healthy().error(M).events, fleet) as opened:
        decision = opened.exclusions(at=NOON + 10 * M)
        assert "repeated_incident" not in {
            miss.rule for miss in opened.why(decision.decision).nearly
        }


def test_a_decision_that_is_not_there_is_missing(bad_night: Runledger) -> None:
    with pytest.raises(Missing, match="nope"):
        bad_night.why("nope")


def test_a_lost_node_hangs_on_the_probe_that_lost_it(bad_night: Runledger) -> None:
    decision = bad_night.preflight("1", at=NOON + 64 * M)
    found = bad_night.why(decision.decision, minimal=True)
    assert found.minimal is not None
    (event,) = found.minimal.events
    assert bad_night.ledger.get(event).type == "ssh_probe"
    assert explanation_json(found)["minimal"] == [event]


def test_two_blocks_hang_on_two_events(tmp_path: Path) -> None:
    story = Story().healthy().probe("rig", M, ("unresponsive", "ok", "ok", "ok"))
    story.probe("zeus", M, ("ok", "unresponsive"))
    with ledger_with(tmp_path, story.events) as opened:
        decision = opened.preflight("1", at=NOON + 2 * M)
        assert decision.verdict == "no_go"
        found = opened.why(decision.decision, minimal=True).minimal
        assert found is not None
        assert {opened.ledger.get(id).subject for id in found.events} == {"node/rig", "node/zeus"}
        assert found.without is not None
        assert found.without.verdict == "go"


def test_a_long_outage_hangs_on_every_probe_that_saw_it(tmp_path: Path) -> None:
    story = Story().healthy()
    for minute in range(1, 9):
        story.ssh("rig", minute * M, reachable=False, error="refused")
    with ledger_with(tmp_path, story.events) as opened:
        decision = opened.preflight("r", at=NOON + 9 * M)
        found = opened.why(decision.decision, minimal=True).minimal
        assert found is not None
        assert len(found.events) == 8
        assert found.without is not None
        assert found.without.verdict == "go"


def test_what_hangs_on_nothing_says_so(tmp_path: Path) -> None:
    with ledger_with(tmp_path, []) as opened:
        decision = opened.preflight("1", at=NOON)
        found = opened.why(decision.decision, minimal=True).minimal
        assert found is not None
        assert found.events == ()
        assert found.without is None


def _flips(opened: Runledger, decision: DecisionPayload, ids: Sequence[str]) -> bool:
    """Asked of `what_if`, which shares no code with the search."""
    without = [parse_filter(f"id={id}") for id in ids]
    event = opened.decision(decision.decision)
    result = what_if(opened.ledger, opened.catalog, [event], Change(without=without))
    if decision.kind == "preflight":
        return any(each.before.verdict != each.after.verdict for each in result.changed)
    return bool(result.changed)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), hour=st.integers(2, 71))
def test_minimal_sets_flip_the_verdict_and_no_smaller_part_does(
    tmp_path_factory: pytest.TempPathFactory, seed: int, hour: int
) -> None:
    at = NOON + hour * H + 57 * M
    with ledger_with(tmp_path_factory.mktemp("why"), eventful(seed).events) as opened:
        decisions = [
            opened.preflight("1", at=at),
            opened.preflight("3", at=at - 50 * M),
            opened.exclusions(at=at),
            opened.next_parameters(at=at),
        ]
        for decision in decisions:
            found = opened.why(decision.decision, minimal=True).minimal
            assert found is not None
            if not found.events:
                continue
            assert _flips(opened, decision, found.events)
            largest = len(found.events) if found.exhaustive else 0
            for size in range(1, min(largest, 4)):
                for part in itertools.combinations(found.events, size):
                    assert not _flips(opened, decision, part)
            if not found.exhaustive:
                for left_out in found.events[:10]:
                    rest = [id for id in found.events if id != left_out]
                    assert not _flips(opened, decision, rest)


def test_a_search_that_takes_too_long_is_cut_short_and_says_so(
    bad_night: Runledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = bad_night.preflight("1", at=NOON + 64 * M)
    monkeypatch.setattr(minimal, "_AT_MOST_REFOLDED", 0)
    found = bad_night.why(decision.decision, minimal=True)
    assert found.minimal is not None
    assert (found.minimal.events, found.minimal.cut_short) == ((), True)
    assert explanation_json(found)["minimal_search"]["cut_short"] is True


@given(
    wanted=st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=1, max_size=4),
    extra=st.sets(st.integers(0, 7)),
)
def test_the_smallest_part_is_smallest(wanted: list[set[int]], extra: set[int]) -> None:
    sets = [frozenset(map(str, each)) for each in wanted]

    def flips(removed: frozenset[str]) -> bool:
        return any(each == removed for each in sets) or removed == everything

    everything = frozenset(map(str, extra.union(*wanted)))
    found, exhaustive = smallest_part(flips, sorted(everything))
    assert exhaustive
    assert flips(frozenset(found))
    assert not any(
        flips(frozenset(part))
        for size in range(1, len(found))
        for part in itertools.combinations(found, size)
    )


def test_what_can_be_spared_once_others_are_is_spared() -> None:
    """Nothing can go before "z" has, which is tried last; then all can but two."""
    everything = frozenset("abcdefghijklz")

    def flips(removed: frozenset[str]) -> bool:
        return removed == everything or ({"k", "l"} <= removed and "z" not in removed)

    assert smallest_part(flips, sorted(everything)) == (("k", "l"), True)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def _hostile(tmp_path: Path) -> Explanation:
    name = "rig<script>alert(1)<b>\"';\\"
    story = Story().ssh(name, 0, reachable=False, detail="\x1b[31m</svg><b>&")
    fleet = "[[nodes]]\nname = '''" + name + "'''\n"
    with ledger_with(tmp_path, story.events, fleet) as opened:
        return opened.why(opened.preflight("1", at=NOON + M).decision, minimal=True)


def test_a_drawing_escapes_what_came_from_events(tmp_path: Path) -> None:
    page = to_html(_hostile(tmp_path))
    parsed = _Tags()
    parsed.feed(page)
    assert "script" not in parsed.tags
    assert "b" not in parsed.tags
    assert parsed.links == []
    assert "\x1b" not in page
    svg = page[page.index("<svg") : page.index("</svg>") + 6]
    assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_a_dot_drawing_has_an_edge_from_each_event_to_its_rule(bad_night: Runledger) -> None:
    decision = bad_night.preflight("1", at=NOON + 64 * M)
    found = bad_night.why(decision.decision)
    dot = to_dot(found)
    assert dot.count(" -> verdict;") == len(found.fired)
    for fired in found.fired:
        for id in fired.evidence:
            assert f'"{id}" -> rule' in dot
    assert f"gpu/rig/{pci(2)}" in dot


def test_a_dot_drawing_shows_a_backslash_as_one(tmp_path: Path) -> None:
    """Graphviz takes two for one in a label."""
    with ledger_with(tmp_path, Story().ssh("a\\b").events, "[[nodes]]\nname = 'a\\b'\n") as opened:
        found = opened.why(opened.preflight("1", at=NOON + M).decision)
    assert "node/a\\\\b" in to_dot(found)
    assert "node/a\\\\\\" not in to_dot(found)


def test_a_dot_drawing_quotes_what_came_from_events(tmp_path: Path) -> None:
    dot = to_dot(_hostile(tmp_path))
    for line in dot.splitlines():
        assert line.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 0
