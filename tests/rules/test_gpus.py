"""The ladder of a card, rung by rung, and which card an event is about."""

from __future__ import annotations

from copy import deepcopy

import pytest

from ledger.payloads import GpuFault, GpuProbe, JobFailedWithTraceback, ProbedGpu
from rules.fleet import parse_fleet
from tests.rules.histories import NOON, D, H, M, S, Story, found, pci


def test_a_card_without_incidents_is_not_shown() -> None:
    assert Story().healthy().states() == {}


def test_the_first_incident_puts_a_card_on_watch_and_the_second_takes_it_out() -> None:
    story = Story().healthy().error(-5 * H)
    assert story.state(at=0) == "watch"
    assert story.error(-4 * H).state(at=0) == "excluded"


def test_errors_closer_than_the_gap_are_one_incident() -> None:
    story = Story()
    for minutes in range(0, 60, 9):
        story.error(minutes * M)
    assert story.state(at=2 * H) == "watch"


@pytest.mark.parametrize(("gap", "state"), [(600 * S - 1, "watch"), (600 * S, "excluded")])
def test_an_error_exactly_the_gap_later_opens_a_new_incident(gap: int, state: str) -> None:
    assert Story().error(0).error(gap).state(at=H) == state


def test_an_incident_that_harmed_nothing_counts_for_a_fortnight() -> None:
    assert Story().error(0).error(14 * D).state(at=14 * D) == "watch"
    assert Story().error(0).error(14 * D - 1).state(at=14 * D) == "excluded"


def test_one_that_took_a_job_or_its_node_down_counts_for_a_month() -> None:
    crash = Story().ssh(at=-H, boot_id="b1").error(0).ssh(at=5 * M, boot_id="b2", uptime_s=60)
    failure = failed(Story().error(0), 5 * M, "f", "HIP error: hardware exception")
    for story in (crash, failure):
        events = list(story.events)
        assert story.error(30 * D).state(at=30 * D) == "watch"
        story.events = events
        assert story.error(30 * D - 1).state(at=30 * D) == "excluded"


def test_clean_looks_between_incidents_do_not_make_them_forgotten() -> None:
    story = Story().error(0)
    for hours in range(2, 13 * 24, 6):
        story.probe(at=hours * H)
    assert story.state(at=13 * D) == "watch"
    assert story.error(13 * D).state(at=13 * D) == "excluded"


def test_watch_lapses_when_no_incident_counts_and_exclusion_does_not() -> None:
    assert Story().error(0).state(at=14 * D - 1) == "watch"
    assert Story().error(0).state(at=14 * D) == "ok"
    assert Story().error(0).error(H).state(at=300 * D) == "excluded"


def test_some_faults_count_as_incidents_and_others_do_not() -> None:
    lost = GpuFault(node="rig", pci=pci(2), fault="device_lost", raw="x")
    ring = GpuFault(node="rig", pci=pci(2), fault="ring_timeout", raw="x")
    assert Story().add(lost).state() == "watch"
    assert Story().add(ring).state() == "ok"
    assert Story().add(ring).state(2, M, 'gpu.incident_faults=["ring_timeout"]') == "watch"


def clean(story: Story, since: int, days: float) -> int:
    """Looks every twelve hours that show all cards ok, over so many days; returns the last."""
    at = since
    while at < since + days * D:
        story.probe(at=at)
        at += 12 * H
    story.probe(at=since + round(days * D))
    return since + round(days * D)


def test_a_fortnight_of_clean_looks_brings_a_card_back_to_watch() -> None:
    story = Story().error(0).error(H)
    back = clean(story, 2 * H, 14)
    assert story.state(at=back - 1) == "excluded"
    assert story.state(at=back) == "watch"


def test_few_looks_bring_nothing_back_however_far_apart() -> None:
    story = Story().error(0).error(H).probe(at=2 * H).probe(at=20 * D)
    assert story.state(at=20 * D) == "excluded"
    assert story.probe(at=21 * D).state(at=21 * D) == "watch"


def test_each_exclusion_takes_twice_as_long_to_come_back_from() -> None:
    story = Story().error(0).error(H)
    back = clean(story, 2 * H, 14)
    story.error(back + H)
    again = clean(story, back + 2 * H, 28)
    assert story.state(at=again - 12 * H) == "excluded"
    assert story.state(at=again) == "watch"


def test_a_card_that_came_back_is_on_probation_for_a_month() -> None:
    for later, state in ((30 * D - 1, "excluded"), (30 * D, "watch")):
        story = Story().error(0).error(H)
        back = clean(story, 2 * H, 14)
        assert story.error(back + later).state(at=back + later) == state


def test_what_brings_a_card_back_is_said_with_how_much_of_it_is_left() -> None:
    story = Story().error(0).error(H)
    clean(story, 2 * H, 3)
    (finding,) = story.decide("exclusions", {}, 4 * D).findings
    assert "14 days of clean looks (at least 3), 11 days to go" in finding.remedy


def test_after_a_persons_word_earlier_incidents_no_longer_count_and_there_is_no_probation() -> None:
    story = Story().error(0).error(H).override(f"gpu/rig/{pci(2)}", "reinstate", 2 * H)
    assert story.error(27 * H).state(at=28 * H) == "watch"
    assert story.error(29 * H).state(at=30 * H) == "excluded"


def test_a_persons_word_on_a_watched_card_makes_it_ok() -> None:
    story = Story().error(0).override(f"gpu/rig/{pci(2)}", "reinstate", 2 * H)
    assert story.state(at=2 * H) == "ok"
    assert story.error(3 * H).state(at=3 * H) == "watch"


@pytest.mark.parametrize("state", ["unresponsive", "unknown", "missing"])
def test_another_state_between_clean_looks_starts_the_count_anew(state: str) -> None:
    story = Story().error(0).error(H)
    at = clean(story, 2 * H, 7)
    story.probe(at=at + H, states=("ok", "ok", state, "ok"))
    at = clean(story, at + 2 * H, 13.9)
    assert story.state(at=at) == "excluded"


def test_an_incident_between_clean_looks_starts_the_count_anew() -> None:
    story = Story().error(0).error(H)
    at = clean(story, 2 * H, 7)
    at = clean(story.error(at + H), at + 2 * H, 13.9)
    assert story.state(at=at) == "excluded"


def test_clean_looks_take_no_watched_card_off_the_list() -> None:
    story = Story().error(0)
    at = clean(story, 2 * H, 13)
    assert story.state(at=at) == "watch"


def test_a_card_that_came_back_is_watched_for_one_window() -> None:
    story = Story().error(0).error(H)
    at = clean(story, 40 * D, 14)
    assert story.state(at=at + 30 * D - 1) == "watch"
    assert story.state(at=at + 30 * D) == "ok"


def exclude(story: Story, at: int) -> int:
    """Two incidents, then a person's word that brings the card back; returns when it is back."""
    story.error(at).error(at + H).override(f"gpu/rig/{pci(2)}", "reinstate", at + 2 * H)
    return at + 3 * H


def test_from_the_third_exclusion_on_a_card_is_retired_and_only_a_person_brings_it_back() -> None:
    story = Story()
    at = exclude(story, exclude(story, 0))
    story.error(at).error(at + H)
    assert story.state(at=at + 2 * H) == "retire"
    at = clean(story, at + 2 * H, 100)
    assert story.state(at=at) == "retire"
    story.override(f"gpu/rig/{pci(2)}", "reinstate", at + H)
    assert story.state(at=at + H) == "watch"


def test_a_retired_card_that_looks_well_for_a_month_may_have_been_swapped() -> None:
    story = Story()
    at = exclude(story, exclude(story, 0))
    story.error(at).error(at + H)
    last = clean(story, at + 2 * H, 30)
    rules = found(story.decide("exclusions", {}, last))
    assert ("retired_but_clean", "info") in rules
    assert ("retired_but_clean", "info") not in found(story.decide("exclusions", {}, last - 12 * H))
    assert story.state(at=last) == "retire"


def test_an_operator_may_watch_exclude_and_retire_until_an_expiry() -> None:
    subject = f"gpu/rig/{pci(2)}"
    for action, state in (("watch", "watch"), ("exclude", "excluded"), ("retire", "retire")):
        story = Story().override(subject, action, 0, until=H)
        assert story.state(at=H - 1) == state
        assert story.state(at=H) == "ok"


def test_watch_never_lowers_a_worse_state() -> None:
    story = Story().error(0).error(H).override(f"gpu/rig/{pci(2)}", "watch", 2 * H)
    assert story.state(at=3 * H) == "excluded"


def test_the_newest_active_word_wins_and_on_its_expiry_the_older_one_returns() -> None:
    subject = f"gpu/rig/{pci(2)}"
    story = Story().override(subject, "exclude", 0).override(subject, "watch", H, until=2 * H)
    assert story.state(at=H) == "watch"
    assert story.state(at=2 * H) == "excluded"


def test_an_operators_exclusion_outlasts_clean_probes() -> None:
    story = Story().override(f"gpu/rig/{pci(2)}", "exclude", 0)
    for hours in (2, 14, 26, 40):
        story.probe(at=hours * H)
    assert story.state(at=41 * H) == "excluded"


def test_an_operator_reinstates_to_watch_and_a_reinstatement_expires_too() -> None:
    story = Story().error(0).error(H)
    story.override(f"gpu/rig/{pci(2)}", "reinstate", 2 * H, until=4 * H)
    assert story.state(at=3 * H) == "watch"
    assert story.state(at=4 * H) == "excluded"


def test_a_waiver_does_not_put_a_card_back() -> None:
    story = Story().healthy().error(-5 * H).error(-4 * H)
    story.override(f"gpu/rig/{pci(2)}", "waive", 0, until=H)
    assert story.state(at=M) == "excluded"
    assert ("gpu_excluded", "degrade") in found(story.preflight())


def test_the_watch_that_a_persons_word_leads_to_lasts_for_one_window() -> None:
    subject = f"gpu/rig/{pci(2)}"
    story = Story().override(subject, "exclude", 0).override(subject, "reinstate", H)
    clean(story, 2 * H, 15)
    assert story.state(at=30 * D + H - 1) == "watch"
    assert story.state(at=30 * D + H) == "ok"


def test_of_one_time_the_order_of_the_ledger_decides() -> None:
    subject = f"gpu/rig/{pci(2)}"
    assert Story().override(subject, "reinstate", 0).error(0).state(at=0) == "watch"
    assert Story().error(0).override(subject, "reinstate", 0).state(at=0) == "ok"


def test_a_watch_names_the_incidents_that_still_count() -> None:
    story = Story().error(0).error(10 * D)
    keys = ("gpu.watch_after_incidents=2", "gpu.exclude_after_incidents=3")
    (entry,) = story.decide("exclusions", {}, 10 * D, *keys).outcome["gpus"]
    assert entry["evidence"] == [event.id for event in story.events]
    (entry,) = story.decide("exclusions", {}, 15 * D, *keys).outcome["gpus"]
    assert entry["evidence"] == [story.events[1].id]
    assert entry["reason"].startswith("1 incident:")


def test_a_retired_card_rests_on_an_incident_of_each_of_its_exclusions() -> None:
    story = Story()
    at = exclude(story, exclude(story, 0))
    story.error(at).error(at + H)
    (entry,) = story.decide("exclusions", {}, at + 2 * H).outcome["gpus"]
    errors = [event.id for event in story.events if event.type == "smu_error"]
    assert entry["evidence"] == [errors[1], errors[3], errors[4], errors[5]]


def test_what_an_operator_said_and_what_the_rules_say_rest_on_events_of_their_own() -> None:
    story = Story().error(0).override(f"gpu/rig/{pci(2)}", "exclude", H)
    error, word = (event.id for event in story.events)
    draft = story.decide("exclusions", {}, 2 * H)
    assert {finding.rule: finding.evidence for finding in draft.findings} == {
        "first_incident": (error,),
        "operator_override": (word,),
    }
    (entry,) = draft.outcome["gpus"]
    assert (entry["state"], entry["evidence"]) == ("excluded", [word])


def test_a_card_that_came_back_and_was_taken_out_again_is_not_said_to_be_back() -> None:
    subject = f"gpu/rig/{pci(2)}"
    story = Story().error(0).error(H).override(subject, "reinstate", 2 * H)
    assert found(story.decide("exclusions", {}, 2 * H)) == {("reinstated", "warn")}
    story.override(subject, "exclude", 3 * H, until=4 * H)
    assert found(story.decide("exclusions", {}, 3 * H)) == {("operator_override", "degrade")}
    assert found(story.decide("exclusions", {}, 4 * H)) == {("reinstated", "warn")}


def test_an_entry_says_where_since_when_and_why() -> None:
    story = Story().healthy().error(-5 * H)
    (entry,) = story.decide("exclusions", {}, M).outcome["gpus"]
    assert entry["subject"] == f"gpu/rig/{pci(2)}"
    assert (entry["index"], entry["state"], entry["since"]) == (2, "watch", "2026-01-24T07:00:00Z")
    assert entry["evidence"] == [story.events[-1].id]
    assert "SMU response_ff" in entry["reason"]


def reason(story: Story, at: int = D) -> str:
    (entry,) = story.decide("exclusions", {}, at).outcome["gpus"]
    return str(entry["reason"])


@pytest.mark.parametrize(("later", "is_crash"), [(900 * S, True), (901 * S, False)])
def test_a_newer_boot_or_a_loss_that_ends_in_one_makes_the_incident_a_crash(
    later: int, is_crash: bool
) -> None:
    story = Story().ssh(at=-H, boot_id="b1").error(0)
    rebooted = deepcopy(story).ssh(at=5 * H, boot_id="b2", uptime_s=(5 * H - later) / S)
    lost = story.ssh(at=later, reachable=False, error="timeout").ssh(at=9 * H, boot_id="b2")
    for each in (rebooted, lost):
        assert ("the node went down" in reason(each)) == is_crash


def test_a_lost_connection_with_the_same_boot_afterwards_is_no_crash() -> None:
    story = Story().ssh(at=-H, boot_id="b1").error(0)
    story.ssh(at=5 * M, reachable=False, error="timeout")
    assert "went down" not in reason(story, 6 * M)
    assert "went down" not in reason(story.ssh(at=10 * M, boot_id="b1"))


def test_a_boot_that_is_over_does_not_come_again_with_a_late_line() -> None:
    story = Story().ssh(at=-H, boot_id="b1").ssh(at=0, boot_id="b2").error(H)
    story.scan(at=H + M, boot_id="b1")
    assert "went down" not in reason(story.scan(at=H + 2 * M, boot_id="b2"))


def crash(story: Story, at: int, boot: int, card: int = 2) -> Story:
    story.error(at, card, boot_id=f"b{boot}")
    return story.ssh(at=at + 10 * M, boot_id=f"b{boot + 1}", uptime_s=300).probe(at=at + 11 * M)


def test_three_crashes_over_all_time_take_a_card_out() -> None:
    story = Story().ssh(at=-H, boot_id="b1")
    for number in range(3):
        assert story.state(at=number * 40 * D) == "ok"
        crash(story, number * 40 * D, number + 1)
    draft = story.decide("exclusions", {}, 81 * D)
    assert ("crashes", "degrade") in found(draft)
    assert draft.outcome["gpus"][0]["reason"] == "took rig down 3 times"


def test_crashes_before_a_persons_word_count_no_more() -> None:
    story = Story().ssh(at=-H, boot_id="b1")
    for number in range(3):
        crash(story, number * 40 * D, number + 1)
        if number == 1:
            story.override(f"gpu/rig/{pci(2)}", "reinstate", 45 * D)
    assert story.state(at=81 * D) == "watch"


def test_each_incident_shortly_before_a_reboot_was_one_crash() -> None:
    story = Story().ssh(at=-H, boot_id="b1").error(0).error(650 * S)
    story.ssh(at=2 * H, boot_id="b2", uptime_s=(2 * H - 800 * S) / S)
    assert "2 of them crashes" in reason(story)
    one_node = ("gpu.exclude_after_crashes=2", "gpu.exclude_after_incidents=9")
    assert story.state(2, D, *one_node) == "watch"


# -- common cause ----------------------------------------------------------


def test_half_of_the_cards_failing_together_blame_the_node_and_no_card() -> None:
    story = Story()
    for card in range(3):
        story.error(card * M, card)
    assert story.states(at=H) == {}
    assert ("common_cause", "block") in found(story.healthy(30 * M).preflight(at=31 * M))


def test_two_of_four_cards_are_too_few_for_a_common_cause() -> None:
    story = Story().error(0, 0).error(M, 1)
    assert len(story.states(at=H)) == 2


def test_failing_hours_apart_is_no_common_cause() -> None:
    story = Story()
    for card in range(4):
        story.error(card * 4 * H, card)
    assert len(story.states(at=20 * H)) == 4
    assert ("common_cause", "block") not in found(story.healthy(20 * H).preflight(at=20 * H))


def test_a_newer_boot_or_an_operator_lifts_a_common_cause() -> None:
    def blamed() -> Story:
        story = Story().ssh(at=-H, boot_id="b1")
        for card in range(3):
            story.error(card * M, card)
        return story

    def blocks(story: Story) -> bool:
        return ("common_cause", "block") in found(story.preflight("r", H + M))

    assert blocks(blamed().healthy(H, boot="b1"))
    assert not blocks(blamed().healthy(H, boot="b2"))
    assert not blocks(blamed().healthy(H, boot="b1").override("node/rig", "reinstate", H))
    waived = blamed().healthy(H, boot="b1").override("node/rig", "waive", H, until=2 * H)
    assert ("common_cause", "warn") in found(waived.preflight("r", H + M))
    assert waived.preflight("r", H + M).verdict == "go"


def test_a_share_is_reached_exactly_where_binary_fractions_would_miss_it() -> None:
    story = Story(parse_fleet('[[nodes]]\nname = "rig"\ngpus = 20'))
    for card in range(11):  # 0.55 x 20 is a little more than 11
        story.error(card * S, card)
    assert story.states(H, "gpu.common_cause_share=0.55") == {}
    assert len(story.states(H, "gpu.common_cause_share=0.56")) == 11


def test_errors_with_a_common_cause_do_not_interrupt_clean_looks() -> None:
    story = Story().error(0).error(H)
    at = clean(story, 2 * H, 7)
    for card in range(3):
        story.error(at + H + card * M, card)
    at = clean(story, at + 2 * H, 7)
    assert story.state(at=at) == "watch"


def test_a_card_that_goes_on_failing_after_its_node_was_blamed_has_an_incident_of_its_own() -> None:
    story = Story()
    for card in range(3):
        story.error(card * S, card)
    story.error(9 * M, 0)
    assert story.states(at=9 * M) == {}
    assert story.error(18 * M, 0).states(at=H) == {f"rig {pci(0)}": "watch"}


# -- identity --------------------------------------------------------------


def test_another_uid_at_the_same_place_is_another_card() -> None:
    story = Story().probe(uids=("a", "b", "c", "d")).error(M).error(H)
    assert story.state(at=2 * H) == "excluded"
    story.probe(at=3 * H, uids=("a", "b", "new", "d")).error(4 * H)
    states = story.decide("exclusions", {}, 5 * H).outcome["gpus"]
    assert sorted((gpu["card_uid"], gpu["state"]) for gpu in states) == [
        ("c", "excluded"),
        ("new", "watch"),
    ]


def test_the_same_uid_elsewhere_carries_its_record_along() -> None:
    story = Story().probe(uids=("a", "b", "c", "d")).error(M).error(H)
    story.probe(at=2 * H, uids=("a", "b", None, "d"), states=("ok", "ok", "gone", "ok"))
    story.probe("zeus", 3 * H, ("ok", "ok"), uids=("c", "e"))
    assert story.states(at=4 * H) == {f"zeus {pci(0)}": "excluded"}


def test_a_card_that_moved_and_was_replaced_is_missed_nowhere() -> None:
    story = Story().healthy().probe(uids="abcd").probe("zeus", states=("ok",) * 2, uids=("y", "z"))
    story.probe(at=S, states=("gone", "ok", "ok", "ok"), uids="abcd")
    story.probe("zeus", 2 * S, ("ok",) * 2, uids=("a", "z"))
    story.probe("zeus", 3 * S, ("ok",) * 2, uids=("n", "z"))
    (finding,) = story.preflight().findings
    assert finding.message == "rig shows 3 of 4 cards"


def test_no_uid_contradicts_none() -> None:
    story = Story().error(0).error(H).probe(at=2 * H, uids=("a", "b", "c", "d"))
    assert story.probe(at=3 * H).state(at=4 * H) == "excluded"


def test_a_uid_on_two_cards_of_one_probe_identifies_neither() -> None:
    story = Story().probe(uids=("x", "x", "x", "x")).error(M).error(H)
    assert story.states(at=2 * H) == {f"rig {pci(2)}": "excluded"}


def test_a_uid_in_the_newest_probes_of_two_nodes_identifies_neither_until_it_is_gone() -> None:
    story = Story().probe(uids=("a", "b", "c", "d")).error(M).error(H)
    story.probe("zeus", 2 * H, ("ok", "ok"), uids=("c", "e"))
    assert story.states(at=3 * H) == {f"rig {pci(2)}": "excluded"}
    story.probe(at=4 * H, uids=("a", "b", "f", "d"))
    assert story.states(at=5 * H) == {f"zeus {pci(0)}": "excluded"}


def test_a_card_without_a_uid_in_the_slot_that_another_has_left_is_another_card() -> None:
    story = Story().probe(uids=("a",), states=("ok",)).error(M, 0).error(H, 0)
    story.probe(at=2 * H, uids=(None, "a"), states=("ok", "ok"))
    assert story.states(at=3 * H) == {f"rig {pci(1)}": "excluded"}


def test_a_card_that_a_tool_lists_twice_is_one_card_and_ok_only_where_both_rows_are() -> None:
    story = Story().error(0).error(H)
    for hours in (2, 14, 26):
        rows = tuple(
            ProbedGpu(pci=pci(2), index=2, state=state, card_uid="u")
            for state in ("ok", "unresponsive")
        )
        story.add(GpuProbe(node="rig", method="m", gpus=rows, smu_reads=0), hours * H)
    (entry,) = story.decide("exclusions", {}, 27 * H).outcome["gpus"]
    assert (entry["state"], entry["card_uid"]) == ("excluded", "u")


# -- failed jobs -----------------------------------------------------------


def failed(
    story: Story, at: int, fingerprint: str, message: str, node: str = "rig", card: int = 2
) -> Story:
    return story.add(
        JobFailedWithTraceback(
            job=f"j{at}",
            node=node,
            pci=pci(card),
            attempt=1,
            exception="RuntimeError",
            message=message,
            traceback="",
            will_retry=True,
            fingerprint=fingerprint,
        ),
        at,
    )


def test_three_failures_of_the_cards_own_doing_put_it_on_watch() -> None:
    story = Story()
    for number in range(3):
        failed(story, number * H, f"f{number}", "HIP error: hardware exception")
    assert story.state(at=4 * H) == "watch"
    assert Story().state() == "ok"


def test_failures_of_a_card_that_nothing_is_compared_with_lead_no_further_than_watch() -> None:
    story = Story()
    for number in range(30):
        failed(story, number * H, f"f{number}", "GPU hang")
    assert story.state(at=31 * H) == "watch"


def test_eight_failures_on_a_card_that_stands_out_take_it_out() -> None:
    for count, state in ((7, "watch"), (8, "excluded")):
        story = Story().healthy(-D)
        for number in range(count):
            failed(story, number * H, f"f{number}", "GPU hang")
        assert story.state(at=9 * H) == state


def test_as_many_failures_on_all_cards_take_none_out() -> None:
    story = Story().healthy(-D)
    for number in range(8):
        for card in range(4):
            failed(story, number * H + card * 11 * M, f"f{number}{card}", "GPU hang", card=card)
    assert set(story.states(at=9 * H).values()) == {"watch"}


def test_cards_that_fail_alike_at_once_fail_by_their_launcher() -> None:
    story = Story().healthy(-D)
    for number in range(9):
        for card in range(3):
            failed(story, number * H + card * M, "f", "GPU hang", card=card)
    assert story.states(at=10 * H) == {}


def test_a_fingerprint_of_many_nodes_counts_for_the_card_that_stands_out_in_it() -> None:
    story = Story().healthy(-D)
    for number in range(9):
        failed(story, number * H, "same", "GPU hang")
    failed(story, 9 * H, "same", "GPU hang", node="zeus", card=0)
    assert story.states(at=10 * H) == {f"rig {pci(2)}": "excluded"}


def test_a_job_that_names_its_card_by_index_alone_ran_on_the_one_that_had_it_then() -> None:
    story = Story().probe(at=-H)
    for number in range(3):
        story.add(
            JobFailedWithTraceback(
                job=f"j{number}", node="rig", index=2, attempt=1, exception="RuntimeError",
                message="GPU hang", traceback="", will_retry=False, fingerprint=f"f{number}",
            ),
            number * M,
        )  # fmt: skip
    story.probe(at=H, states=("gone", "ok", "ok", "ok"))
    assert story.state(2, 2 * H) == "watch"


def test_of_many_failures_the_newest_are_named_and_all_are_counted() -> None:
    story = Story()
    for number in range(30):
        failed(story, number * H, f"f{number}", "GPU hang")
    (entry,) = story.decide("exclusions", {}, 31 * H).outcome["gpus"]
    assert entry["evidence"] == [event.id for event in story.events[-20:]]
    assert entry["reason"].startswith("30 jobs failed on it")
    assert entry["since"] == "2026-01-24T12:00:00Z"


def test_a_fault_seen_on_two_nodes_is_the_codes() -> None:
    story = Story()
    for number in range(3):
        failed(story, number * H, "same", "HIP error: hardware exception")
    failed(story, 3 * H, "same", "HIP error: hardware exception", node="zeus", card=0)
    assert story.states(at=4 * H) == {}


@pytest.mark.parametrize(
    "message",
    ["out of memory", "No module named torch", "CUDA error: all devices are busy or unavailable"],
)
def test_other_causes_do_not_weigh_on_the_card(message: str) -> None:
    story = Story()
    for number in range(5):
        failed(story, number * H, f"f{number}", message)
    assert story.states(at=6 * H) == {}


def test_clean_probes_between_failures_do_not_hide_that_they_add_up() -> None:
    story = Story()
    for day in range(9):
        story.probe(at=day * D)
        if day % 3 == 1:
            failed(story, day * D + H, f"f{day}", "GPU hang")
    assert story.state(at=9 * D) == "watch"


def test_clean_looks_do_not_end_the_watch_that_failures_led_to_and_a_person_does() -> None:
    story = Story()
    for number in range(3):
        failed(story, number * H, f"f{number}", "GPU hang")
    at = clean(story, 4 * H, 15)
    assert story.state(at=at) == "watch"
    story.override(f"gpu/rig/{pci(2)}", "reinstate", at + H)
    assert story.state(at=at + H) == "ok"
    for number in range(2):
        failed(story, at + (2 + number) * H, f"g{number}", "GPU hang")
    assert story.state(at=at + D) == "ok"
    assert failed(story, at + 5 * H, "g3", "GPU hang").state(at=at + D) == "watch"


def test_failures_leave_the_window() -> None:
    story = Story()
    for number in range(3):
        failed(story, number * S, f"f{number}", "GPU hang")
    assert story.state(at=30 * D) == "ok"
    assert NOON > 0
