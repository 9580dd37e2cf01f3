"""A node's bar claims what probes saw, and nothing between two that disagree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runledger.report.reachability import NodeTrack
from tests.rules.histories import D, H, M


def told(*probes: tuple[int, bool], pixel_us: int = 1) -> list[tuple[int, int, str]]:
    track = NodeTrack("rig", pixel_us)
    for time_us, reachable in probes:
        track.probed(time_us, reachable, None)
    return [(each.start_us, each.end_us, each.state) for each in track.stretches]


def test_between_two_probes_that_agree_the_node_was_as_both_say() -> None:
    assert told((0, True), (H, True), (2 * H, True)) == [(0, 2 * H, "up")]
    assert told((0, False), (H, False)) == [(0, H, "down")]


def test_between_two_that_do_not_nobody_knows() -> None:
    assert told((0, True), (H, False), (2 * H, False), (3 * H, True)) == [
        (0, 0, "up"),
        (0, H, "between"),
        (H, 2 * H, "down"),
        (2 * H, 3 * H, "between"),
        (3 * H, 3 * H, "up"),
    ]


def test_more_than_a_day_without_a_look_claims_nothing() -> None:
    assert told((0, True), (D, True), (2 * D + 1, True)) == [
        (0, D, "up"),
        (2 * D + 1, 2 * D + 1, "up"),
    ]


def test_a_new_boot_is_seen_and_an_unknown_one_is_not() -> None:
    track = NodeTrack("rig", 1)
    boots = [track.probed(at, True, boot) for at, boot in enumerate(["a", "a", None, "a", "b"])]
    assert boots == [False, False, False, False, True]


def test_losses_are_counted_once_each() -> None:
    track = NodeTrack("rig", 1)
    for at, up in enumerate([False, False, True, False, True]):
        track.probed(at, up, None)
    assert (track.lost, track.up, track.probes) == (2, True, 5)


@given(st.lists(st.tuples(st.integers(0, 3 * D), st.booleans()), min_size=1, max_size=300))
def test_however_often_it_comes_and_goes_the_bar_stays_short_and_in_order(
    probes: list[tuple[int, bool]],
) -> None:
    pixel = 10 * M
    found = told(*sorted(probes), pixel_us=pixel)
    assert all(start <= end for start, end, _ in found)
    assert [each[0] for each in found] == sorted(each[0] for each in found)
