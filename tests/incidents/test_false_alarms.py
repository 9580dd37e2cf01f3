"""What others took for broken and was not: a tool that blames too soon costs what it saves."""

from __future__ import annotations

import pytest

from tests.incidents.telling import CARDS, Told
from tests.rules.histories import D, H, M, S, found
from tests.rules.test_gpus import failed


def test_links_that_train_at_each_boot_flag_no_node() -> None:
    """NVIDIA/NVSentinel#1701: NVLink lines of start-up had most nodes of a cluster flagged."""
    story = Told()
    for number, node in enumerate(("n1", "n2", "n3")):
        boot = number * 10 * M
        story.look(boot - D, node)
        for card in range(CARDS):
            story.fault(boot + 20 * S + card * S, card, "nvlink", node, code="74", boot_id="b2")
        story.look(boot + 10 * M, node, boot="b2", since_boot_s=600)
    assert all(
        story.may_use(30 * M - S, node, "preflight.evidence_max_age_s=7200")
        for node in ("n1", "n2", "n3")
    )
    assert story.states(D) == {}


def test_one_check_that_timed_out_costs_half_a_minute() -> None:
    """NVIDIA/NVSentinel#1642: one health check over its time was fatal, with a call for support."""
    story = Told().look(0)
    story.hung(M)
    assert not story.may_use(M)
    assert story.look(M + 30 * S).may_use(M + 30 * S)
    assert story.states(H) == {}


def test_a_link_that_flapped_once_while_it_was_brought_up_drains_nothing() -> None:
    """leptonai/gpud#1247: one flap during bring-up kept the node out."""
    story = Told().looks(0, 8 * H, H).fault(20 * M, 2, "nvlink", code="74", boot_id="b1")
    story.looks(9 * H, 10 * H, H)
    assert story.may_use(10 * H)
    assert not story.is_out(2, 10 * H)


def test_a_fatal_record_of_last_night_does_not_keep_a_working_card_out() -> None:
    """ROCm/device-metrics-exporter#506: a stale record of a fatal error, fifteen hours old."""
    story = (
        Told().look(0).fault(H, 0, "ras_uncorrectable", boot_id="b1").looks(2 * H, 16 * H, 7 * H)
    )
    assert story.may_use(16 * H)
    assert story.card(0, 16 * H) == "watch"


def test_no_data_is_not_unhealthy() -> None:
    """ROCm/k8s-device-plugin#195: a metric that could not be had made the card unhealthy."""
    story = Told().look(0).look(H, states={2: "unknown"})
    assert story.card(2, H) == "ok"
    assert story.look(2 * H).may_use(2 * H)


def test_a_harmless_line_each_hour_for_a_fortnight_is_harmless() -> None:
    """NVIDIA/aicr#2641: thirteen days unhealthy for a service that was not needed there."""
    story = Told().look(0)
    for hour in range(13 * 24):
        story.fault(hour * H, 0, "other", boot_id="b1")
    at = 13 * D
    assert story.look(at).may_use(at)
    assert story.states(at) == {}


@pytest.mark.parametrize("code", ["13", "31", "43", "45", "69", "94"])
def test_a_programs_own_fault_makes_no_card_unhealthy_for_ever(code: str) -> None:
    """NVIDIA/k8s-device-plugin#189, #234, #1014: a program's Xid, and the card never returned."""
    kind = "page_fault" if code == "31" else "xid"
    story = Told().looks(0, D, 6 * H)
    for number in range(40):
        story.fault(number * 20 * M, 4, kind, code=code, boot_id="b1")
    assert story.look(D + M).may_use(D + M)
    assert story.states(D + H) == {}


def test_a_page_fault_asks_nobody_to_put_the_node_back_by_hand() -> None:
    """NVIDIA/NVSentinel#911: an Xid 31 cordoned the node, and no action was known to end it."""
    story = Told().look(0).fault(H, 4, "page_fault", code="31", boot_id="b1").look(2 * H)
    assert story.decide("preflight", {"step": "n1"}, 2 * H + M).verdict == "go"


def test_a_bad_shader_that_hangs_every_card_it_runs_on_blames_none() -> None:
    """ROCm/amdgpu#202: a program whose shader hangs the ring; any card resets under it."""
    story = Told().look(-H)
    for number in range(4):
        for card in range(CARDS):
            at = number * 3 * H + card * 15 * M
            story.fault(at, card, "ring_timeout", boot_id="b1")
            story.fault(at + 3 * S, card, "gpu_reset", code="succeeded", boot_id="b1")
            story.done(at + 5 * M, card, "n1")
    events = [event for event in story.events if event.type != "job_finished"]
    assert len(events) > 60
    assert story.states(D) == {}


def test_a_reset_that_succeeded_is_no_incident() -> None:
    """ROCm/legacy-rocm-build#5999: rings reset, a device wedged, but recovered."""
    story = Told().look(0)
    for number in range(3):
        story.fault(H + number * S, 1, "ring_timeout", boot_id="b1")
        story.fault(H + number * S, 1, "gpu_reset", code="succeeded", boot_id="b1")
    assert story.look(2 * H).may_use(2 * H)
    assert story.states(2 * H) == {}


def test_what_no_evidence_was_found_for_changes_nothing() -> None:
    """mej/nhc#139: a check that cannot tell has no way to say so: it resumes or drains the node."""
    story = Told().look(0).error(H, 3, "n1").error(3 * H, 3, "n1").look(4 * H)
    assert story.is_out(3, 4 * H)
    story.look(5 * H, states=dict.fromkeys(range(CARDS), "unknown"))
    assert story.is_out(3, 5 * H)
    assert not story.may_use(5 * H)
    other = Told().look(0, "n2").look(H, "n2", states=dict.fromkeys(range(CARDS), "unknown"))
    assert other.states(H) == {}


def test_a_condition_ends_when_nothing_has_happened_for_long() -> None:
    """kubernetes/node-problem-detector#215, #673, #728: a condition that is never cleared."""
    story = Told().error(0, 1, "n1")
    assert story.card(1, 2 * H) == "ok"  # nobody has looked which index it has
    story.look(3 * H)
    assert story.card(1, 3 * H) == "watch"
    assert story.look(39 * D).card(1, 39 * D) == "ok"


def test_events_that_are_sent_again_after_a_restart_are_no_new_ones() -> None:
    """NVIDIA/NVSentinel#1280, #1347: what was dealt with before fires again at a cold start."""
    story = Told().look(-H)
    for at in (0, D):
        story.error(at, 3, "n1")
    story.override("gpu/n1/0000:23:00.0", "reinstate", 2 * D)
    for at in (0, D):
        story.error(at, 3, "n1")  # told again, of the time when they happened
    assert story.look(3 * D).card(3, 3 * D) == "watch"
    assert story.may_use(3 * D)


def test_a_deployment_that_fails_everywhere_at_once_is_no_cards_fault() -> None:
    """One rig of the user's fleet: every job failed within half a second, packages were missing."""
    story = Told().look(0)
    for card in range(CARDS):
        for number in range(3):
            at = H + number * 20 * M + card * S
            failed(story, at, f"f{card}", "No module named 'cupy'", "n1", card)
    assert story.states(D) == {}


def test_all_cards_failing_alike_when_jobs_start_are_the_launchers() -> None:
    """The user's fleet: too many jobs started at once; each died, and each was retried."""
    story = Told().look(0)
    for number in range(9):
        for card in range(CARDS):
            failed(story, H + number * H + card * S, "same", "GPU hang", "n1", card)
    assert story.states(D) == {}


def test_a_killed_process_is_out_of_memory_and_no_gpu_fault() -> None:
    """The user's fleet: first jobs died without a word, the kernel had killed them for memory."""
    story = Told().look(0)
    for number in range(9):
        failed(story, H + number * H, f"f{number}", "Killed", "n1", 3)
    assert story.states(D) == {}


def test_a_driver_upgrade_that_does_not_fit_is_said_and_no_card_is_lost() -> None:
    """NVIDIA/k8s-device-plugin#231 and every upgrade since: NVML and the driver do not match."""
    said = "Failed to initialize NVML: Driver/library version mismatch"
    story = Told().look(0)
    story.ssh("n1", H, boot_id="b1").probe("n1", H, (), detail=said).scan("n1", H, boot_id="b1")
    draft = story.decide("preflight", {"step": "n1"}, H + M)
    assert ("gpu_missing", "block") in found(draft)
    assert any("version mismatch" in finding.message for finding in draft.findings)
    story.look(2 * H, boot="b2", since_boot_s=600)
    assert story.states(2 * H) == {}
    assert story.may_use(2 * H)
