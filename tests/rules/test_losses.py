"""Cards that stop answering, or go missing: an incident, and down until a look shows them ok."""

from __future__ import annotations

import pytest

from rules.fleet import parse_fleet
from tests.rules.histories import FLEET, D, H, M, S, Story, found, pci

DEAD = ("ok", "ok", "unresponsive", "ok")
GONE = ("ok", "ok", "gone", "ok")


def entry(story: Story, at: int) -> dict[str, object]:
    (gpu,) = story.decide("exclusions", {}, at).outcome["gpus"]
    assert isinstance(gpu, dict)
    return gpu


@pytest.mark.parametrize(("states", "says"), [(DEAD, "does not respond"), (GONE, "is missing")])
def test_a_card_that_is_lost_between_two_looks_is_down_and_then_on_watch(
    states: tuple[str, ...], says: str
) -> None:
    story = Story().healthy(0).probe(at=H, states=states)
    lost = entry(story, 2 * H)
    assert (lost["state"], lost["down"], lost["reason"]) == ("down", True, says)
    story.probe(at=3 * H)
    assert story.state(at=4 * H) == "watch"


def test_lost_twice_within_a_fortnight_it_is_out() -> None:
    story = Story()
    for number in range(2):
        story.probe(at=number * D).probe(at=number * D + H, states=DEAD)
    out = entry(story, 2 * D)
    assert (out["state"], out["down"]) == ("excluded", True)


def test_the_error_that_it_was_lost_by_is_the_same_incident() -> None:
    before = Story().probe(at=0).error(H).probe(at=H + M, states=DEAD).probe(at=2 * H)
    after = Story().probe(at=0).probe(at=H, states=DEAD).error(H + M).probe(at=2 * H)
    assert (before.state(at=2 * H), after.state(at=2 * H)) == ("watch", "watch")


def test_looks_that_cannot_tell_neither_lose_a_card_nor_bring_it_back() -> None:
    story = Story().probe(at=0).probe(at=H, states=("ok", "ok", "unknown", "ok"))
    assert story.state(at=H) == "ok"
    story.probe(at=2 * H, states=DEAD)
    assert story.state(at=2 * H) == "down"
    assert story.probe(at=3 * H).state(at=3 * H) == "watch"


def test_a_card_that_was_dead_when_it_was_first_seen_was_not_lost() -> None:
    story = Story().probe(at=0, states=DEAD)
    assert story.state(at=0) == "down"
    assert story.probe(at=H).state(at=H) == "ok"


def test_half_the_cards_lost_at_once_are_the_nodes() -> None:
    story = Story().probe(at=0).probe(at=H, states=("unresponsive",) * 3 + ("ok",)).probe(at=2 * H)
    assert story.states(2 * H) == {}


def test_a_card_that_is_gone_while_all_are_there_is_not_down() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\ngpus = 3\n[steps.1]')
    story = Story(fleet).probe(at=0).probe(at=H, states=GONE)
    assert story.states(2 * H) == {}


def test_where_more_are_not_shown_than_are_missing_nobody_can_tell_which_was_lost() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\ngpus = 4\n[steps.1]')
    story = Story(fleet).probe(at=0, states=("ok", "ok", "ok", "ok"))
    story.probe(at=H, states=("ok", "ok", "gone", "gone", "ok"))  # the buses got other numbers
    assert story.states(2 * H) == {}


def preflight(story: Story, *settings: str) -> tuple[str, list[str], set[tuple[str, str]]]:
    draft = story.preflight("r", M, *settings)
    cards = [card["pci"] for card in draft.outcome["excluded_gpus"].get("rig", [])]
    return draft.verdict, cards, found(draft)


def test_a_dead_card_blocks_unless_the_policy_allows_it_and_is_left_out_either_way() -> None:
    story = Story().healthy().probe(at=S, states=DEAD)
    verdict, cards, rules = preflight(story)
    assert (verdict, cards) == ("no_go", [pci(2)])
    assert rules == {("gpu_unresponsive", "block")}
    verdict, cards, rules = preflight(story, "preflight.allow_dead_cards=1")
    assert (verdict, cards) == ("degraded", [pci(2)])
    assert rules == {("gpu_unresponsive", "degrade")}


def test_dead_cards_are_counted_over_the_nodes_of_the_step_and_those_that_are_out_are_not() -> None:
    story = Story().healthy().probe(at=S, states=DEAD).probe("zeus", S, ("ok", "unresponsive"))
    assert story.preflight("1", M, "preflight.allow_dead_cards=1").verdict == "no_go"
    assert story.preflight("1", M, "preflight.allow_dead_cards=2").verdict == "degraded"
    story.override(f"gpu/zeus/{pci(1)}", "exclude", 2 * S)
    assert story.preflight("1", M, "preflight.allow_dead_cards=1").verdict == "degraded"


def test_a_missing_card_is_named_by_address_index_and_place_and_has_no_index_any_more() -> None:
    places = [f"0000/0{number}.0/00.0" for number in range(4)]
    story = Story().healthy().probe(at=S, places=places)
    story.probe(at=2 * S, states=GONE, places=places)
    draft = story.preflight("r")
    (finding,) = draft.findings
    assert finding.message == (
        f"rig shows 3 of 4 cards; not shown any more: {pci(2)} (GPU 2, at {places[2]})"
    )
    assert draft.outcome["excluded_gpus"]["rig"] == [
        {"pci": pci(2), "down": True, "reason": "is missing"}
    ]


def test_a_node_whose_cards_all_are_missing_is_not_usable_and_says_what_its_tool_said() -> None:
    said = "Failed to initialize NVML: Driver/library version mismatch"
    story = Story().healthy().probe(at=S, states=(), detail=said)
    draft = story.preflight("1", M)
    assert draft.outcome["nodes"] == ["zeus"]
    finding = next(each for each in draft.findings if each.rule == "gpu_missing")
    assert finding.message.startswith(f"rig shows 0 of 4 cards: {said}")
    assert "reboot rig" in finding.remedy
    tool = Story().healthy().probe(at=S, states=(), detail="rocm-smi: command not found")
    finding = next(each for each in tool.preflight("r").findings if each.rule == "gpu_missing")
    assert "PATH" in finding.remedy


def test_a_node_whose_cards_all_are_dead_is_not_usable_however_many_are_allowed() -> None:
    story = Story().healthy().probe(at=S, states=("unresponsive",) * 4)
    draft = story.preflight("1", M, "preflight.allow_dead_cards=9")
    assert (draft.verdict, draft.outcome["nodes"]) == ("degraded", ["zeus"])
    assert {node.name for node in FLEET.nodes} == {"rig", "zeus"}
