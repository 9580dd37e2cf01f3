"""Folds: the same events give the same state, however they arrived and wherever one paused."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Event
from ledger.payloads import CommandHung, JobFailedWithTraceback, TrialCompleted
from rules.decide import Judge
from rules.fold import Fold
from rules.policy import default_policy
from rules.state import dump_state, load_state
from tests.rules.histories import FLEET, NOON, D, H, M, S, Story, ordered, pci

JUDGE = Judge(default_policy(), FLEET)
FOLD = JUDGE.fold

_moves = st.lists(
    st.tuples(
        st.sampled_from(["healthy", "error", "lost", "run", "override", "trial", "job", "gone"]),
        st.integers(0, 6),
    ),
    max_size=40,
)


def _history(moves: list[tuple[str, int]]) -> list[Event]:
    """Events at times of their own, so that their order is a matter of time alone."""
    story = Story()
    at = 0
    for kind, number in moves:
        at += (number + 1) * 7 * M
        card = number % 4
        if kind == "healthy":
            story.healthy(at, boot=f"b{number % 3}")
        elif kind == "error":
            story.error(at, card)
        elif kind == "lost":
            story.ssh("rig", at, reachable=False, error="timeout")
        elif kind == "run":
            story.run(f"R{len(story.events)}", at, None if number == 0 else number * 20_000)
        elif kind == "override":
            action = ("watch", "exclude", "reinstate", "retire")[card]
            story.override(f"gpu/rig/{pci(card)}", action, at, until=at + number * D or None)
        elif kind == "trial":
            story.add(
                TrialCompleted(
                    study="w", number=number, state="COMPLETE", params={}, duration_s=number + 1,
                    seed_count=100_000,
                ),
                at,
            )  # fmt: skip
        elif kind == "job":
            story.add(
                JobFailedWithTraceback(
                    job="j", node="rig", pci=pci(card), attempt=1, exception="RuntimeError",
                    message="HIP error: hang", traceback="", will_retry=False,
                    fingerprint=f"f{number}",
                ),
                at,
            )  # fmt: skip
        else:
            story.probe("rig", at, ("ok", "gone", "ok", "ok"))
    return [
        msgspec.structs.replace(event, time_us=event.time_us + position * S)
        for position, event in enumerate(story.events)
    ]


def _state(events: list[Event]) -> str:
    return dump_state(FOLD.run(ordered(events, 2**62)))


@settings(max_examples=60, deadline=None)
@given(moves=_moves, seed=st.integers(0, 10**6))
def test_the_order_of_arrival_does_not_matter(moves: list[tuple[str, int]], seed: int) -> None:
    events = _history(moves)
    arrived = list(events)
    random.Random(seed).shuffle(arrived)
    again = [
        msgspec.structs.replace(event, sequence=position)
        for position, event in enumerate(arrived, 1)
    ]
    # Positions are remembered, for equal times; beside them, nothing tells the two apart.
    positions = {event.id: event.sequence for event in events}
    restored = [msgspec.structs.replace(event, sequence=positions[event.id]) for event in again]
    assert _state(restored) == _state(events)
    late = max((event.time_us for event in events), default=0)
    assert JUDGE.decide("exclusions", {}, FOLD.run(ordered(again, late)), late) == JUDGE.decide(
        "exclusions", {}, FOLD.run(ordered(events, late)), late
    )


@settings(max_examples=60, deadline=None)
@given(moves=_moves, cuts=st.lists(st.floats(0, 1), max_size=4))
def test_a_fold_that_paused_and_was_saved_goes_on_as_if_it_had_not(
    moves: list[tuple[str, int]], cuts: list[float]
) -> None:
    events = ordered(_history(moves), 2**62)
    at = sorted(int(cut * len(events)) for cut in cuts)
    state = dump_state(FOLD.run([]))
    for first, last in zip([0, *at], [*at, len(events)], strict=True):
        state = dump_state(FOLD.run(events[first:last], load_state(state)))
    assert state == dump_state(FOLD.run(events))


@settings(max_examples=60, deadline=None)
@given(moves=_moves)
def test_a_state_that_was_saved_decides_to_the_byte_as_before(
    moves: list[tuple[str, int]],
) -> None:
    events = ordered(_history(moves), 2**62)
    at = max((event.time_us for event in events), default=NOON)
    state = FOLD.run(events)
    for kind in ("preflight", "exclusions", "parameters"):
        question = {"step": "1"} if kind == "preflight" else {}
        assert msgspec.json.encode(
            JUDGE.decide(kind, question, load_state(dump_state(state)), at)
        ) == msgspec.json.encode(JUDGE.decide(kind, question, state, at))


def test_of_many_runs_a_pause_forgets_none_but_those_that_are_forgotten_anyway() -> None:
    story = Story()
    for number in range(3_000):
        story.run(f"R{number * 7_919 % 3_000}", number * H, 60_000)
    events = ordered(story.events, 2**62)
    state = dump_state(FOLD.run([]))
    for first in range(0, len(events), 500):
        state = dump_state(FOLD.run(events[first : first + 500], load_state(state)))
    assert state == _state(events)


def test_a_fold_depends_on_policy_and_fleet_by_its_key() -> None:
    assert FOLD.key == Fold(default_policy(), FLEET).key
    other = msgspec.structs.replace(FLEET, nodes=FLEET.nodes[:1])
    assert FOLD.key != Fold(default_policy(), other).key


def test_a_long_history_keeps_a_bounded_state() -> None:
    story = Story()
    for number in range(3_000):
        story.run(f"R{number}", number * H, 60_000)
    sizes = [
        len(dump_state(FOLD.run(ordered(story.events[:count], 2**62)))) for count in (2_000, 6_000)
    ]
    assert sizes[1] < 1.2 * sizes[0]


def _word_for_an_hour(story: Story, number: int) -> None:
    story.override(f"gpu/rig/{pci(0)}", "exclude", number * H, until=(number + 1) * H)


def _word_for_good(story: Story, number: int) -> None:
    story.override(f"gpu/rig/{pci(0)}", ("watch", "exclude")[number % 2], number * H)
    story.override("node/rig", "reinstate", number * H)


def _tool_that_hangs(story: Story, number: int) -> None:
    story.add(CommandHung(node="rig", command="rocm-smi", timeout_s=3), number * H)


def _other_uids_every_time(story: Story, number: int) -> None:
    story.probe(at=number * H, uids=[f"{number}-{card}" for card in range(4)])


def _storm(story: Story, number: int) -> None:
    story.error(number * S // 10, number % 2)


@pytest.mark.parametrize(
    "add", [_word_for_an_hour, _word_for_good, _tool_that_hangs, _other_uids_every_time, _storm]
)
def test_what_comes_again_and_again_leaves_no_more_behind(
    add: Callable[[Story, int], None],
) -> None:
    story = Story()
    for number in range(600):
        add(story, number)
    assert len(_state(story.events)) < 6_000


def test_a_card_with_a_record_is_remembered_when_another_takes_its_place() -> None:
    story = Story().probe(uids=("a", "b", "c", "d")).error(M, 0)
    story.override(f"gpu/rig/{pci(1)}", "watch", M)
    story.probe(at=H, uids=("e", "f", "g", "h"))
    state = FOLD.run(ordered(story.events, 2**62))
    assert sorted(card.uid for card in state.cards.values() if card.uid) == list("abefgh")
