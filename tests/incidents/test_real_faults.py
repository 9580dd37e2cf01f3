"""What was broken, and others saw late, forgot, or put back too soon."""

from __future__ import annotations

import pytest

from tests.incidents.telling import CARDS, Told
from tests.rules.histories import D, H, M, S, found, pci
from tests.rules.test_gpus import failed


def test_a_card_that_fell_off_the_bus_without_an_xid_is_out() -> None:
    """NVIDIA/NVSentinel#155: three lines of the driver, none with a number."""
    story = Told().look(0).fault(H, 3, "device_lost", boot_id="b1")
    story.look(H + 5 * M, states={3: "unresponsive"})
    assert not story.may_use(H + 5 * M)
    assert story.card(3, H + 5 * M) == "down"
    assert story.may_use(H + 5 * M, "n1", "preflight.allow_dead_cards=1")


def test_a_lost_card_does_not_take_its_neighbours_along() -> None:
    """NVIDIA/k8s-device-plugin#2038: one card off the bus, and no pod of the node could start."""
    story = Told().look(0).fault(H, 5, "device_lost", code="79", action="reboot", boot_id="b1")
    story.look(2 * H, states={5: "unresponsive"})
    draft = story.decide("preflight", {"step": "n1"}, 2 * H, "preflight.allow_dead_cards=1")
    assert draft.outcome["nodes"] == ["n1"]
    assert [card["pci"] for card in draft.outcome["excluded_gpus"]["n1"]] == [pci(5)]


def test_a_card_that_drops_out_without_a_word_is_known_the_second_time() -> None:
    """NVIDIA/NVSentinel#684: seven of eight cards, and nothing in any log."""
    story = Told()
    for number in range(2):
        at = number * 3 * D
        story.look(at, boot=f"b{2 * number + 1}", since_boot_s=3600)
        story.look(at + H, boot=f"b{2 * number + 1}", states={5: "gone"})
        assert not story.may_use(at + H) or number
        story.look(at + 3 * H, boot=f"b{2 * number + 2}", since_boot_s=600)
        assert story.may_use(at + 3 * H)
        assert story.card(5, at + 3 * H) == ("watch", "excluded")[number]


def test_fewer_cards_than_there_should_be_is_a_block_and_no_warning() -> None:
    """aws/eks-node-monitoring-agent#94: a count that does not match was a warning only."""
    story = Told().look(0).look(H, states={7: "gone"})
    assert ("gpu_missing", "block") in found(story.decide("preflight", {"step": "n1"}, H + M))


def test_a_reset_that_failed_is_followed_by_a_boot_before_the_card_is_used() -> None:
    """NVIDIA/NVSentinel#1240: a reset fails, and the card is taken for mended."""
    story = Told().look(0).fault(H, 2, "needs_reset", code="119", action="reset", boot_id="b1")
    story.fault(H + 5 * M, 2, "gpu_reset_failed", boot_id="b1").look(2 * H)
    draft = story.decide("preflight", {"step": "n1"}, 2 * H + M)
    assert ("gpu_needs_reset", "degrade") in found(draft)
    assert [card["pci"] for card in draft.outcome["excluded_gpus"]["n1"]] == [pci(2)]
    story.look(3 * H, boot="b2", since_boot_s=600)
    assert story.decide("preflight", {"step": "n1"}, 3 * H + M).verdict == "go"


def test_after_a_swap_the_new_card_has_a_clean_record() -> None:
    """NVIDIA/NVSentinel#1585: the fault names a uid that never comes back; nothing clears it."""
    old, new = ("a", "b", "c"), ("a", "b", "z")
    story = Told().look(0, uids=old).error(H, 2, "n1").error(D, 2, "n1").look(D + H, uids=old)
    assert story.is_out(2, D + H)
    story.look(2 * D, boot="b2", since_boot_s=600, uids=new)
    assert not story.is_out(2, 2 * D)
    assert story.may_use(2 * D)


def test_what_a_person_cleared_is_cleared_and_is_remembered_the_next_time() -> None:
    """leptonai/gpud#1072, #1028: no way to clear a state but to purge what happened."""
    story = Told()
    for number, state in enumerate(("excluded", "excluded", "retire")):
        at = number * 12 * D
        story.error(at, 4, "n1").error(at + D, 4, "n1").look(at + D + H)
        assert story.card(4, at + D + H) == state
        story.override(f"gpu/n1/{pci(4)}", "reinstate", at + 2 * D).look(at + 2 * D)
        assert story.card(4, at + 2 * D) == "watch"


def test_a_state_that_passed_leaves_a_trace() -> None:
    """leptonai/gpud#1234: a transient state was gone with the next poll, and from the history."""
    story = Told().look(0).look(H, states={1: "unresponsive"})
    assert not story.may_use(H)
    story.look(2 * H)
    assert story.may_use(2 * H)
    (gpu,) = story.decide("exclusions", {}, 2 * H).outcome["gpus"]
    assert (gpu["state"], "stopped answering" in gpu["reason"]) == ("watch", True)


def test_a_node_that_a_person_drained_stays_drained() -> None:
    """mej/nhc#134: a node drained by hand was resumed after a check that hung."""
    story = Told().look(0).override("node/n1", "exclude", M).hung(H).look(2 * H)
    assert not story.may_use(2 * H)
    assert not story.look(40 * D).may_use(40 * D)


def test_a_card_that_a_person_took_out_is_not_put_back_by_its_recovery() -> None:
    """NVIDIA/NVSentinel#1424: recovery undid what a person had cordoned."""
    story = Told().look(0).override(f"gpu/n1/{pci(3)}", "exclude", M)
    story.error(H, 3, "n1").error(D, 3, "n1").looks(2 * D, 40 * D, 12 * H)
    assert story.is_out(3, 40 * D)


def test_a_card_that_fails_again_and_again_is_taken_out_by_itself() -> None:
    """NVIDIA/NVSentinel#127: a few machines fail over and over, and users find out one by one."""
    story = Told().looks(0, D, 6 * H).error(D, 6, "n1").looks(D + H, 9 * D, 6 * H)
    assert story.card(6, 9 * D) == "watch"
    assert story.error(10 * D, 6, "n1").look(10 * D + H).is_out(6, 10 * D + H)


def test_a_card_that_takes_its_node_down_between_clean_looks_is_out_at_the_second_time() -> None:
    """One card crashed its machine every day and a half, and looked clean in between."""
    story = Told().look(-H)
    for number in range(2):
        at = number * 36 * H
        story.error(at, 2, "n1", boot_id=f"b{number + 1}")
        story.looks(at + H, at + 34 * H, 6 * H, boot=f"b{number + 2}")
        assert story.is_out(2, at + 34 * H) == (number == 1)


def test_a_card_that_resets_under_every_load_stands_out_among_its_neighbours() -> None:
    """ROCm/legacy-rocm-build#2533: one card resets after some time, whatever runs on it."""
    story = Told().look(-H)
    for number in range(6):
        for card in range(CARDS):
            story.done(number * 4 * H + card * S, card, "n1")
        story.fault(number * 4 * H + H, 4, "ring_timeout", boot_id="b1")
        story.fault(number * 4 * H + H + S, 4, "gpu_reset", code="succeeded", boot_id="b1")
    story.look(D)
    assert story.is_out(4, D)
    assert [gpu["pci"] for gpu in story.decide("exclusions", {}, D).outcome["gpus"]] == [pci(4)]


def test_jobs_that_fail_on_one_card_only_take_it_out_where_no_log_says_a_word() -> None:
    """The user's fleet: results of one card went wrong while the kernel saw nothing."""
    story = Told().look(-H)
    for number in range(8):
        for card in (0, 1, 2):
            story.done(number * 2 * H, card, "n1")
        failed(story, number * 2 * H + M, f"f{number}", "HIP error: hardware exception", "n1", 5)
    assert story.look(D).is_out(5, D)


def test_a_retry_elsewhere_does_not_hide_on_which_card_it_failed() -> None:
    """The user's fleet: the coordinator tries on another rig and deletes the failed result."""
    story = Told().look(-H).look(-H, "n2")
    for number in range(3):
        failed(story, number * H, f"f{number}", "GPU hang", "n1", 3)
        story.done(number * H + M, 3, "n2")
    assert story.look(4 * H).card(3, 4 * H) == "watch"


@pytest.mark.parametrize("polled", [True, False])
def test_a_rig_whose_every_card_fails_at_once_was_harmed_from_outside(polled: bool) -> None:
    """20 January on the user's fleet: tools polled the controllers until the rig went down."""
    story = Told().look(-H)
    for card in range(CARDS if polled else 2):
        story.error(card * 5 * S, card, "n1", boot_id="b1")
    story.ssh("n1", 2 * M, reachable=False, error="timeout")
    story.look(20 * M, boot="b2", since_boot_s=600)
    assert len(story.states(20 * M)) == (0 if polled else 2)
    assert story.may_use(20 * M)


def test_the_night_of_24_january_is_watched_first_and_out_the_second_time() -> None:
    """The user's fleet: a two-hour run lost with its rig, after one line of one card."""
    story = Told().look(-H).error(0, 3, "n1", boot_id="b1")
    story.ssh("n1", 4 * M, reachable=False, error="timeout")
    story.look(3 * H, boot="b2", since_boot_s=2 * 3600)
    assert story.card(3, 3 * H) == "watch"
    assert (
        "the node went down" in story.decide("exclusions", {}, 3 * H).outcome["gpus"][0]["reason"]
    )
    story.looks(4 * H, 5 * D, 6 * H, boot="b2").error(6 * D, 3, "n1", boot_id="b2")
    assert story.look(6 * D + H, boot="b2").is_out(3, 6 * D + H)


def test_a_supply_that_gives_in_hour_by_hour_is_the_nodes_and_no_cards() -> None:
    """Rigs with many cards on one supply: another card every hour, none of them to blame."""
    story = Told().look(-H)
    for card in range(4):
        story.error(card * 50 * M, card, "n1", boot_id="b1")
    story.look(4 * H)
    assert not story.may_use(4 * H)
    assert {gpu["state"] for gpu in story.decide("exclusions", {}, 4 * H).outcome["gpus"]} == {
        "watch"
    }
    story.repair("node/n1", 5 * H, found="supply").look(6 * H)
    assert story.may_use(6 * H)


def test_a_heat_wave_over_the_whole_room_excludes_nobody() -> None:
    """Cooling fails for an afternoon: cards of three machines fail within hours."""
    story = Told()
    for number, node in enumerate(("n1", "n2", "n3")):
        story.look(-H, node).error(number * H, number, node)
        story.error(number * H + 30 * M, number, node).look(4 * H, node)
    draft = story.decide("exclusions", {}, 4 * H)
    assert ("fleet_cause", "warn") in found(draft)
    assert {gpu["state"] for gpu in draft.outcome["gpus"]} == {"watch"}


def test_a_link_that_corrects_errors_all_day_is_watched_before_it_breaks() -> None:
    """AER floods of an MI100: a riser corrects thousands of errors a day, until it does not."""
    story = Told().look(0)
    for day in range(2):
        for number in range(150):
            story.fault(day * D + number * 3 * M, 6, "pcie_corrected", boot_id="b1")
    assert story.look(2 * D).card(6, 2 * D) == "watch"
    assert story.may_use(2 * D)


def test_another_card_has_the_index_of_the_dead_one_after_the_buses_were_numbered_anew() -> None:
    """The user's fleet: cards moved up when one was missing, and the wrong one was left out."""
    ways = tuple(f"0000/01.{number}/00.0" for number in range(CARDS))
    story = Told().look(0, places=ways).error(H, 6, "n1").error(2 * H, 6, "n1")
    rest = (*ways[:2], *ways[3:])
    story.ssh("n1", D, boot_id="b2", uptime_s=600)
    story.probe("n1", D, ("ok",) * 7, places=rest)
    gpus = {gpu["place"]: gpu for gpu in story.decide("exclusions", {}, D).outcome["gpus"]}
    assert (gpus[ways[6]]["state"], gpus[ways[6]]["index"]) == ("excluded", 5)
    assert gpus[ways[2]]["down"]
    assert gpus[ways[2]]["gone"]
