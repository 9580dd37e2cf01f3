"""What cards had in common: the noise of a boot, a series, a cause of the whole fleet."""

from __future__ import annotations

import pytest

from rules.fleet import parse_fleet
from tests.rules.histories import D, H, M, S, Story, found, pci

EIGHT = parse_fleet('[[nodes]]\nname = "rig"\ngpus = 8\n[steps.r]')
OK = ("ok",) * 8


def booted(story: Story, at: int, boot: str = "b2") -> Story:
    """The node answers half an hour after it was booted, all cards ok."""
    story.ssh("rig", at + 30 * M, boot_id=boot, uptime_s=30 * 60).probe("rig", at + 30 * M, OK)
    return story.scan("rig", at + 30 * M, boot_id=boot)


def noisy(
    cards: int, fault: str = "nvlink", later: int = 10 * S, states: tuple[str, ...] = OK
) -> Story:
    story = Story(EIGHT).ssh(at=-D, boot_id="b1").probe(at=-D, states=OK)
    for card in range(cards):
        story.fault(later + card * S, card, fault, boot_id="b2")
    story.ssh(at=30 * M, boot_id="b2", uptime_s=30 * 60).probe(at=30 * M, states=states)
    return story.scan(at=30 * M, boot_id="b2")


def test_the_same_line_of_all_cards_soon_after_boot_is_neither_incident_nor_common_cause() -> None:
    story = noisy(8)
    assert story.states(31 * M) == {}
    assert story.preflight("r", 31 * M).verdict == "go"


def test_until_the_next_look_nobody_knows_and_the_node_is_blamed() -> None:
    story = Story(EIGHT).ssh(at=-D, boot_id="b1")
    for card in range(8):
        story.fault(10 * S + card * S, card, "nvlink", boot_id="b2")
    story.ssh(at=M, boot_id="b2", uptime_s=60)
    assert ("common_cause", "block") in found(story.preflight("r", 2 * M))


@pytest.mark.parametrize("fault", ["device_lost", "gpu_reset_failed", "needs_reset", "ras_retire"])
def test_kinds_by_which_a_card_is_gone_are_no_noise(fault: str) -> None:
    assert ("common_cause", "block") in found(noisy(8, fault).preflight("r", 31 * M))


def test_lines_of_few_cards_or_long_after_boot_are_no_noise() -> None:
    assert set(noisy(2).states(31 * M).values()) == {"watch"}
    late = noisy(8, later=5 * M + S)
    assert ("common_cause", "block") in found(late.preflight("r", 31 * M))


def test_a_card_that_does_not_answer_after_such_a_boot_had_an_incident() -> None:
    story = noisy(8, states=("unresponsive", *OK[1:]))
    story.probe(at=40 * M, states=OK)
    assert story.states(41 * M) == {f"rig {pci(0)}": "watch"}


def test_a_fault_that_came_among_the_noise_counts_by_itself() -> None:
    story = Story(EIGHT).ssh(at=-D, boot_id="b1").probe(at=-D, states=OK)
    for card in range(8):
        story.fault(10 * S, card, "nvlink", boot_id="b2")
    story.fault(20 * S, 3, "ras_uncorrectable", boot_id="b2")
    assert booted(story, 0).states(31 * M) == {f"rig {pci(3)}": "watch"}


def test_both_cards_of_a_pair_are_enough_for_noise() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\ngpus = 2\n[steps.r]')
    for cards, expected in ((2, 0), (1, 1)):
        story = Story(fleet).ssh(at=-D, boot_id="b1").probe(at=-D, states=OK[:2])
        for card in range(cards):
            story.error(10 * S, card, boot_id="b2")
        story.ssh(at=H, boot_id="b2", uptime_s=3600).probe(at=H, states=OK[:2])
        assert len(story.states(H)) == expected


def test_noise_asks_for_no_reset_and_interrupts_no_clean_looks() -> None:
    story = Story(EIGHT).ssh(at=-D, boot_id="b1").error(-3 * H).error(-2 * H)
    for day in range(8):
        story.probe(at=day * D, states=OK)
    for card in range(8):
        story.fault(8 * D + card * S, card, "nvlink", boot_id="b2", action="reset")
    booted(story, 8 * D)
    for day in range(9, 15):
        story.probe(at=day * D, states=OK)
    assert story.states(14 * D) == {f"rig {pci(2)}": "watch"}


def series(*hours: float) -> Story:
    story = Story(EIGHT).ssh(boot_id="b1").probe(states=OK)
    for card, hour in enumerate(hours):
        story.error(round(hour * H), card, boot_id="b1")
    return story


def look(story: Story, at: int, states: tuple[str, ...] = OK, boot: str = "b1") -> Story:
    return story.ssh("rig", at, boot_id=boot).probe("rig", at, states).scan("rig", at, boot_id=boot)


def test_three_cards_one_after_another_blame_the_node_and_go_on_watch() -> None:
    story = look(series(1, 2.5, 4), 4 * H + M)
    assert ("common_cause", "block") in found(story.preflight("r", 4 * H + M))
    gpus = story.decide("exclusions", {}, 4 * H + M).outcome["gpus"]
    assert [gpu["state"] for gpu in gpus] == ["watch"] * 3
    assert all("together with" in gpu["reason"] for gpu in gpus)
    apart = look(series(1, 2.5, 4.1), 5 * H)
    assert ("common_cause", "block") not in found(apart.preflight("r", 5 * H))


def test_an_exclusion_that_a_series_explains_is_undone_and_never_counted() -> None:
    story = Story(EIGHT).probe(at=-2 * D, states=OK).error(-D, 0)
    for card in range(3):
        story.error(card * H, card)
        if card == 0:
            assert story.states(M)[f"rig {pci(0)}"] == "excluded"
    assert story.states(3 * H)[f"rig {pci(0)}"] == "watch"
    story.error(10 * D, 0)
    (gpu,) = [
        each
        for each in story.decide("exclusions", {}, 10 * D).outcome["gpus"]
        if each["pci"] == pci(0)
    ]
    assert gpu["state"] == "excluded"  # the first and the last, not what it had in the series
    assert "2 incidents" in gpu["reason"]


def test_a_newer_boot_a_person_or_clean_looks_over_an_hour_end_a_series() -> None:
    def blocks(story: Story, at: int) -> bool:
        return ("common_cause", "block") in found(story.preflight("r", at))

    at = 6 * H
    assert blocks(look(series(1, 2, 3), at), at)
    assert not blocks(look(series(1, 2, 3), at, boot="b2"), at)
    assert not blocks(look(series(1, 2, 3), at).override("node/rig", "reinstate", at), at)
    long = series(1, 2, 3)
    for minutes in (0, 30, 60):
        assert blocks(look(long, at + minutes * M - 1), at + minutes * M - 1) or minutes == 60
    short = series(1, 2, 3)
    for minutes in (0, 20, 59):
        look(short, at + minutes * M)
    assert blocks(short, at + 59 * M)
    assert not blocks(look(short, at + 60 * M), at + 60 * M)


def test_a_card_that_sits_out_does_not_keep_a_common_cause_going() -> None:
    dead = ("ok",) * 7 + ("unresponsive",)
    story = series(1, 2, 3)
    for minutes in (0, 30, 60):
        look(story, 6 * H + minutes * M, dead)
    at = 7 * H
    assert ("common_cause", "block") in found(story.preflight("r", at))
    story.override(f"gpu/rig/{pci(7)}", "exclude", at)
    assert ("common_cause", "block") not in found(story.preflight("r", at))


def test_a_boot_is_told_by_its_id_where_clocks_disagree() -> None:
    story = Story(EIGHT).ssh(at=-H, boot_id="b1").probe(at=-H, states=OK)
    for card in range(4):
        story.error(card * S, card, boot_id="b1")
    story.ssh(at=20 * M, boot_id="b1", uptime_s=60)  # an uptime that cannot be
    assert ("common_cause", "block") in found(look(story, 21 * M).preflight("r", 21 * M))
    story.ssh(at=22 * M, boot_id="b2", uptime_s=23 * 60)  # began "before" its last error
    later = look(story, 23 * M, boot="b2").preflight("r", 23 * M)
    assert ("common_cause", "block") not in found(later)


FLEET_OF_EIGHT = parse_fleet(
    "".join(f'[[nodes]]\nname = "n{number}"\ngpus = 8\n' for number in range(8)) + "[steps.1]"
)


def spread(*hours: float) -> Story:
    story = Story(FLEET_OF_EIGHT)
    for number, hour in enumerate(hours):
        story.error(round(hour * H), 0, f"n{number}")
    return story


def test_cards_of_many_nodes_within_hours_have_a_cause_of_the_fleet() -> None:
    draft = spread(0, 3, 6).decide("exclusions", {}, 6 * H)
    assert ("fleet_cause", "warn") in found(draft)
    assert [gpu["state"] for gpu in draft.outcome["gpus"]] == ["watch"] * 3
    assert all("together with" in gpu["reason"] for gpu in draft.outcome["gpus"])
    apart = spread(0, 3, 6.1).decide("exclusions", {}, 7 * H)
    assert ("fleet_cause", "warn") not in found(apart)


def test_three_nodes_of_a_large_fleet_are_too_few() -> None:
    fleet = parse_fleet("".join(f'[[nodes]]\nname = "n{number}"\n' for number in range(13)))
    story = Story(fleet)
    for number in range(3):
        story.error(number * M, 0, f"n{number}")
    assert ("fleet_cause", "warn") not in found(story.decide("exclusions", {}, H))


def test_what_a_fleet_cause_explains_takes_no_card_out_then_or_later() -> None:
    story = spread(0, 1, 2)
    story.error(D, 0, "n0")
    assert story.states(D)[f"n0 {pci(0)}"] == "watch"
    story.error(2 * D, 0, "n0")
    assert story.states(2 * D)[f"n0 {pci(0)}"] == "excluded"


def test_a_fleet_cause_warns_in_a_preflight_until_a_person_says_it_is_over() -> None:
    story = spread(0, 1, 2)
    assert ("fleet_cause", "warn") in found(story.preflight("1", 3 * H))
    story.override("fleet", "reinstate", 4 * H)
    assert ("fleet_cause", "warn") not in found(story.preflight("1", 5 * H))
