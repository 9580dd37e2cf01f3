"""A card's fault shows on it, a workload's on all: cards that stand out among the others."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.card import Card
from rules.folds.context import FoldSettings
from rules.folds.standing_out import standing_out
from rules.policy import default_policy
from rules.state import State
from tests.rules.histories import FLEET, D, H, M, S, Story, found, pci


def at_work(story: Story, at: int = -H) -> Story:
    for card in range(4):
        story.done(at, card)
    return story


def rings(story: Story, count: int, card: int = 2, since: int = 0) -> Story:
    for number in range(count):
        story.fault(since + number * H, card, "ring_timeout")
    return story


def test_three_ring_timeouts_on_one_card_of_those_at_work_are_an_incident() -> None:
    story = at_work(Story().healthy(-D))
    assert rings(story, 2).state(at=9 * H) == "ok"
    draft = rings(at_work(Story().healthy(-D)), 3).decide("exclusions", {}, 9 * H)
    assert ("stands_out", "warn") in found(draft)
    (gpu,) = draft.outcome["gpus"]
    assert gpu["state"] == "watch"
    assert "3 x ring timeout, the other cards 0 on average" in gpu["reason"]


def test_three_more_take_it_out() -> None:
    story = at_work(Story().healthy(-D))
    assert rings(story, 5).state(at=9 * H) == "watch"
    assert rings(at_work(Story().healthy(-D)), 6).state(at=9 * H) == "excluded"


def test_lines_less_than_the_gap_apart_are_one_fault() -> None:
    story = at_work(Story().healthy(-D))
    for minutes in range(0, 90, 9):
        story.fault(minutes * M, 2, "ring_timeout")
        story.fault(minutes * M + S, 2, "gpu_reset", code="succeeded")
    assert story.state(at=9 * H) == "ok"


def test_what_all_cards_at_work_have_is_the_workloads() -> None:
    story = at_work(Story().healthy(-D))
    for card in range(4):
        rings(story, 6, card, since=card * 11 * M)
    assert story.states(9 * H) == {}


def test_with_fewer_than_two_to_compare_none_stands_out() -> None:
    assert rings(Story(), 9).states(9 * H) == {}


def test_where_nobody_knows_who_worked_the_cards_that_look_well_are_compared() -> None:
    assert rings(Story().probe(at=-D), 3).state(at=9 * H) == "watch"


def test_cards_of_another_model_are_no_measure() -> None:
    story = Story()
    story.probe("rig", -D, card={"model": "RX 6600"}).probe(
        "zeus", -D, ("ok", "ok"), card={"model": "3080"}
    )
    for card in range(2):
        story.done(-H, card, "zeus")
    rings(story, 3, 0)
    for card in range(1, 4):
        rings(story, 2, card, since=5 * M)
    assert story.states(9 * H) == {}


def test_twenty_hangs_of_a_tool_put_a_card_on_watch_and_never_further() -> None:
    story = at_work(Story().healthy(-D))
    for number in range(20):
        story.hung(number * 10 * M)
    story.hung(H, 1)
    draft = story.decide("exclusions", {}, 9 * H)
    (gpu,) = draft.outcome["gpus"]
    assert (gpu["state"], gpu["pci"]) == ("watch", pci(2))
    assert "hung on it 20 times within 14 days, the other cards 0.3 on average" in gpu["reason"]
    assert story.states(at=15 * D) == {}


def test_a_persons_word_makes_it_count_anew() -> None:
    story = at_work(Story().healthy(-D))
    rings(story, 3).override(f"gpu/rig/{pci(2)}", "reinstate", 5 * H)
    assert rings(story, 2, since=6 * H).state(at=9 * H) == "ok"


_cards = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from((None, -15 * D, -14 * D, -14 * D + 1, -D)),
        st.sampled_from((None, "a", "b")),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(cards=_cards, seed=st.integers(0, 99))
def test_standing_out_is_what_comparing_all_with_all_gives(cards: list[Any], seed: int) -> None:
    at = 100 * D
    state, counts = State(), {}
    order = list(enumerate(cards))
    random.Random(seed).shuffle(order)
    for number, (count, worked, model, well) in order:
        card = Card(node="n", pci=pci(number), model=model)
        card.worked_us = None if worked is None else at + worked
        card.up, card.shown_ok_us = well, at - H if well else None
        state.cards[f"{number}"] = card
        counts[f"{number}"] = count
    fold = FoldSettings(default_policy(), FLEET)
    found_out = {
        key: (each.count, each.others)
        for key, each in standing_out(state, counts, at, fold).items()
    }
    expected: dict[str, tuple[int, float]] = {}
    recent = at - 14 * D
    for key in sorted(counts, key=lambda each: (-counts[each], each)):
        mine = state.cards[key]
        alike = [
            other
            for other, card in state.cards.items()
            if other != key
            if None in (mine.model, card.model) or card.model == mine.model
        ]
        working = [each for each in alike if (state.cards[each].worked_us or 0) > recent]
        if len(working) < 2:
            working += [each for each in alike if state.cards[each].up and each not in working]
        others = [each for each in working if each not in expected]
        if counts[key] < 3 or len(others) < 2:
            continue
        total = sum(counts[each] for each in others)
        if counts[key] * len(others) >= 3 * total:
            expected[key] = counts[key], total / len(others)
    assert found_out == expected
