"""May a step start: every rule of preflight, and what waivers and exclusions change."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from ledger.payloads import (
    CleanupCompleted,
    CommandHung,
    InputFile,
    InputsChecked,
    RamdiskChecked,
    RamdiskFile,
    RunStarted,
    SmuError,
    StepStarted,
    TrialCompleted,
)
from rules.explain import Watched
from rules.fleet import Fleet, fleet_text, parse_fleet
from rules.policy import default_policy, with_settings
from tests.rules.histories import FLEET, NOON, H, M, S, Story, found, pci


def test_fresh_evidence_of_healthy_nodes_is_a_go() -> None:
    draft = Story().healthy().preflight()
    assert (draft.verdict, draft.findings) == ("go", ())
    assert draft.outcome == {"nodes": ["rig", "zeus"], "excluded_nodes": [], "excluded_gpus": {}}


def test_no_evidence_is_unknown_and_never_a_go() -> None:
    draft = Story().preflight()
    assert draft.verdict == "unknown"
    assert found(draft) == {("evidence_missing", "unknown")}


def test_evidence_is_fresh_up_to_its_age() -> None:
    story = Story().healthy()
    assert story.preflight(at=600 * S).verdict == "go"
    assert story.preflight(at=600 * S + 1).verdict == "unknown"


def test_an_unreadable_kernel_log_is_unknown() -> None:
    story = Story().healthy().scan(at=S, readable=False)
    assert found(story.preflight()) == {("evidence_missing", "unknown")}


def test_an_unreachable_node_blocks_and_is_named() -> None:
    story = Story().healthy().ssh(at=S, reachable=False, error="timeout", detail="after 5 s")
    draft = story.preflight()
    assert draft.verdict == "no_go"
    assert found(draft) == {("node_unreachable", "block")}
    assert "rig did not answer SSH (timeout: after 5 s)" in draft.findings[0].message
    assert draft.outcome["nodes"] == ["zeus"]
    assert draft.outcome["excluded_nodes"] == ["rig"]


def test_a_policy_may_allow_a_missing_node() -> None:
    story = Story().healthy().ssh(at=S, reachable=False, error="timeout")
    draft = story.preflight("1", M, "preflight.allow_missing_nodes=1")
    assert (draft.verdict, draft.outcome["nodes"]) == ("degraded", ["zeus"])


def test_with_no_node_left_the_answer_is_no_go_whatever_is_allowed() -> None:
    story = Story()
    for node in ("rig", "zeus"):
        story.ssh(node, reachable=False, error="timeout")
    draft = story.preflight("1", M, "preflight.allow_missing_nodes=5")
    assert draft.verdict == "no_go"
    assert ("no_usable_node", "block") in found(draft)


def test_with_no_node_configured_nothing_is_known() -> None:
    assert Story(Fleet()).preflight().verdict == "unknown"


def test_a_step_that_is_not_configured_is_no_go_and_names_the_nearest() -> None:
    draft = Story().healthy().preflight("33")
    assert (draft.verdict, found(draft)) == ("unknown", {("step_not_configured", "unknown")})
    assert "did you mean 3?" in draft.findings[0].message


@pytest.mark.parametrize("severity", ["warn", "info"])
def test_the_policy_says_how_bad_a_step_is_that_is_not_configured(severity: str) -> None:
    draft = Story().healthy().preflight("33", M, f"preflight.unconfigured_step={severity}")
    assert (draft.verdict, found(draft)) == ("go", {("step_not_configured", severity)})


def test_a_step_that_is_not_configured_still_needs_healthy_nodes() -> None:
    setting = "preflight.unconfigured_step=info"
    assert Story().preflight("99", M, setting).verdict == "unknown"
    lost = Story().healthy().ssh("zeus", S, reachable=False, error="timeout")
    assert lost.preflight("99", M, setting).verdict == "no_go"


def test_where_no_step_is_configured_none_can_be_misspelt() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\n[[nodes]]\nname = "zeus"')
    draft = Story(fleet).healthy().preflight("33")
    assert (draft.verdict, found(draft)) == ("go", {("step_not_configured", "info")})


def test_an_alias_is_the_step_that_it_stands_for() -> None:
    aliased = fleet_text(FLEET).replace("[steps.3]", '[steps.3]\naliases = ["2.5", "three"]')
    fleet = parse_fleet(aliased)
    assert fleet != FLEET
    story = Story(fleet).healthy()
    for name in ("3", "2.5", "three"):
        assert found(story.preflight(name)) == found(Story().healthy().preflight("3"))
    assert "did you mean 3?" in story.preflight("thre").findings[-1].message


def test_nodes_that_are_not_part_of_the_step_are_ignored() -> None:
    story = Story().healthy().ssh("zeus", S, reachable=False, error="timeout")
    story.ssh("stranger", reachable=False, error="dns")
    assert story.preflight("r").verdict == "go"


def test_a_node_may_be_named_by_its_address() -> None:
    story = Story().healthy().ssh("192.0.2.10", S, reachable=False, error="timeout")
    assert story.preflight("r").outcome["excluded_nodes"] == ["rig"]


@pytest.mark.parametrize(
    ("state", "rule"), [("unresponsive", "gpu_unresponsive"), ("missing", "gpu_missing")]
)
def test_a_dead_card_blocks_unless_that_very_card_is_excluded(state: str, rule: str) -> None:
    states = ["ok", "ok", state, "ok"]
    story = Story().healthy().probe(at=S, states=states)
    assert found(story.preflight()) == {(rule, "block")}
    other = story.override(f"gpu/rig/{pci(1)}", "exclude", S)
    assert other.preflight().verdict == "no_go"
    excluded = story.override(f"gpu/rig/{pci(2)}", "exclude", S)
    draft = excluded.preflight()
    assert draft.verdict == "degraded"
    assert (rule, "degrade") in found(draft)


def test_a_card_that_is_not_shown_blocks_unless_it_is_the_excluded_one() -> None:
    story = Story().healthy().probe(at=S, states=("ok", "ok", "gone", "ok"))
    assert found(story.preflight()) == {("gpu_missing", "block")}
    shown = story.override(f"gpu/rig/{pci(1)}", "exclude", S)
    assert shown.preflight().verdict == "no_go"  # a known bad card that is there hides nothing
    absent = story.override(f"gpu/rig/{pci(2)}", "exclude", S)
    assert absent.preflight().verdict == "degraded"


def test_the_configured_number_of_cards_wins_over_the_probes() -> None:
    story = Story().healthy().probe(at=S, expected=12)
    assert story.preflight().verdict == "go"


def test_a_card_of_unknown_state_is_unknown_unless_excluded() -> None:
    story = Story().healthy().probe(at=S, states=("ok", "unknown", "ok", "ok"))
    assert story.preflight().verdict == "unknown"
    assert story.override(f"gpu/rig/{pci(1)}", "exclude", S).preflight().verdict == "degraded"


def test_a_command_that_hung_after_the_probe_is_unknown() -> None:
    hung = CommandHung(node="rig", pci=pci(1), command="rocm-smi", timeout_s=10)
    assert Story().healthy().add(hung, S).preflight().verdict == "unknown"
    assert Story().healthy().add(hung, S).probe(at=2 * S).preflight().verdict == "go"
    on_node = CommandHung(node="rig", command="rocm-smi", timeout_s=10)
    assert Story().healthy().add(on_node, S).preflight().verdict == "unknown"


def test_a_command_that_hung_on_a_card_that_no_probe_shows_is_unknown_too() -> None:
    hung = CommandHung(node="rig", pci=pci(8), command="rocm-smi", timeout_s=10)
    draft = Story().healthy().add(hung, S).preflight()
    assert (found(draft), draft.outcome["excluded_gpus"]) == ({("command_hung", "unknown")}, {})
    unprobed = Story().ssh().ssh("zeus").add(hung, S)
    draft = unprobed.preflight("1", M, 'preflight.required_evidence=["ssh_probe"]')
    assert found(draft) == {("command_hung", "unknown")}


def test_a_gone_card_that_is_excluded_is_ignored_even_where_a_command_hung_on_it() -> None:
    story = Story().healthy().override(f"gpu/rig/{pci(8)}", "exclude", S)
    story.add(CommandHung(node="rig", pci=pci(8), command="rocm-smi", timeout_s=10), S)
    draft = story.preflight()
    assert (draft.verdict, draft.outcome["excluded_gpus"]) == ("go", {})


def test_an_excluded_card_degrades_and_is_listed() -> None:
    story = Story().healthy().override(f"gpu/rig/{pci(2)}", "exclude", 0)
    draft = story.preflight()
    assert draft.verdict == "degraded"
    (card,) = draft.outcome["excluded_gpus"]["rig"]
    assert (card["pci"], card["index"]) == (pci(2), 2)


def test_a_watched_card_is_used() -> None:
    draft = Story().healthy().override(f"gpu/rig/{pci(2)}", "watch", 0).preflight()
    assert draft.verdict == "go"


def test_of_two_excluded_cards_either_may_be_the_one_that_is_missing() -> None:
    story = Story().healthy().probe(at=S, states=("ok", "ok", "gone", "ok"))
    story.override(f"gpu/rig/{pci(2)}", "exclude", S).override(f"gpu/rig/{pci(8)}", "exclude", S)
    draft = story.preflight()
    assert (draft.verdict, found(draft)) == ("degraded", {("gpu_missing", "degrade")})
    listed = [card["pci"] for card in draft.outcome["excluded_gpus"]["rig"]]
    assert listed == [pci(2), pci(8)]


def test_no_card_hides_behind_an_excluded_one_that_is_gone_for_good() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\ngpus = 3\n[steps.1]')
    story = Story(fleet).probe(at=-H).override(f"gpu/rig/{pci(3)}", "exclude", -H)
    story.probe(at=-M, states=("ok", "ok", "ok", "gone")).ssh().scan()
    assert story.preflight().verdict == "go"
    story.probe(states=("ok", "gone", "ok", "gone"))
    draft = story.preflight()
    assert found(draft) == {("gpu_missing", "block")}
    assert f"not shown any more: {pci(1)}" in draft.findings[0].message


def test_no_card_hides_behind_an_excluded_one_that_was_replaced() -> None:
    story = Story().healthy().probe(at=S, uids=("a", "b", "c", "d"))
    story.override(f"gpu/rig/{pci(0)}", "exclude", 2 * S)
    story.probe(at=3 * S, states=("ok", "ok", "ok", "gone"), uids=("new", "b", "c"))
    draft = story.preflight()
    assert found(draft) == {("gpu_missing", "block")}
    (missing,) = draft.outcome["excluded_gpus"]["rig"]
    assert missing == {"pci": pci(3), "down": True, "reason": "is missing"}


def test_a_missing_card_is_named_where_it_was_shown_before() -> None:
    story = Story().healthy().probe(at=S, states=("ok", "ok", "gone", "ok"))
    assert f"not shown any more: {pci(2)}" in story.preflight().findings[0].message


def test_a_gone_card_is_ignored_where_the_number_is_right() -> None:
    story = Story().error(-9 * H, card=9).error(-8 * H, card=9).healthy()
    assert story.states() == {f"rig {pci(9)}": "excluded"}
    assert story.preflight().verdict == "go"


def test_an_incident_since_boot_on_a_card_that_answers_is_a_warning() -> None:
    story = Story().ssh(at=-9 * H, boot_id="b1").error(-5 * H)
    assert found(story.healthy().preflight()) == {("smu_error_since_boot", "warn")}
    rebooted = Story().ssh(at=-9 * H, boot_id="b1").error(-5 * H).healthy(boot="b2")
    assert found(rebooted.preflight()) == set()


def test_an_error_in_an_unknown_boot_counts_as_since_boot() -> None:
    story = Story().error(-5 * H)
    for node, cards in (("rig", 4), ("zeus", 2)):
        story.ssh(node).probe(node, states=("ok",) * cards).scan(node)
    assert found(story.preflight()) == {("smu_error_since_boot", "warn")}


def test_an_uptime_that_began_before_time_itself_tells_nothing() -> None:
    story = Story().error(-5 * H).healthy().ssh(uptime_s=1e308)
    assert found(story.preflight()) == {("smu_error_since_boot", "warn")}


def test_an_uptime_tells_a_reboot_where_there_is_no_boot_id() -> None:
    story = Story().ssh(at=-9 * H, uptime_s=100).error(-5 * H).healthy(boot="b1")
    story = Story().ssh(at=-9 * H, uptime_s=100).error(-5 * H)
    story.ssh(uptime_s=3600).probe().scan().ssh("zeus").probe("zeus", states=("ok", "ok"))
    assert found(story.scan("zeus").preflight()) == set()


def test_an_incident_that_went_on_after_a_reboot_is_one_since_the_boot() -> None:
    story = Story().error(-2 * M, boot_id="b1").error(-M, boot_id="b2").healthy(boot="b2")
    assert found(story.preflight()) == {("smu_error_since_boot", "warn")}


def burst(story: Story, at: int = -5 * H, cards: int = 3, **more: object) -> Story:
    for card in range(cards):
        story.error(at + card * S, card=card, **more)
    return story


def test_many_cards_failing_together_block_the_node_and_no_card() -> None:
    draft = burst(Story()).healthy().preflight()
    assert found(draft) == {("common_cause", "block")}
    assert (draft.outcome["nodes"], draft.outcome["excluded_nodes"]) == (["zeus"], ["rig"])
    assert burst(Story()).healthy().states() == {}


def test_a_common_cause_holds_until_a_newer_boot_a_reinstatement_or_a_waiver() -> None:
    def blamed() -> Story:
        return burst(Story().ssh(at=-9 * H, boot_id="b1")).healthy(boot="b1")

    assert blamed().preflight().verdict == "no_go"
    assert blamed().override("node/rig", "reinstate", -6 * H).preflight().verdict == "no_go"
    assert blamed().override("node/rig", "reinstate", S).preflight().verdict == "go"
    assert blamed().override("node/rig", "waive", S, until=H).preflight().verdict == "go"
    assert blamed().ssh(at=S, boot_id="b2").preflight().verdict == "go"


def test_a_boot_that_began_before_a_common_cause_does_not_end_it() -> None:
    story = burst(Story().ssh(at=-9 * H, boot_id="b1")).healthy(boot="b1")
    assert story.ssh(at=S, boot_id="b2", uptime_s=7 * 3600).preflight().verdict == "no_go"
    newer = burst(Story().ssh(at=-9 * H, boot_id="b1")).healthy(boot="b1")
    assert newer.ssh(at=S, boot_id="b2", uptime_s=3600).preflight().verdict == "go"


def test_a_common_cause_is_seen_once_a_probe_tells_how_many_cards_there_are() -> None:
    nodes = '[[nodes]]\nname = "rig"\n[[nodes]]\nname = "spare"\ngpus = 0'
    fleet = parse_fleet(f"{nodes}\n[steps.1]")

    early = Story(fleet).ssh("spare").probe("spare", states=()).scan("spare")
    burst(early.ssh(at=-9 * H, boot_id="b1")).ssh().scan()
    few = deepcopy(early).probe()
    assert found(few.preflight()) == {("common_cause", "block")}
    assert few.states() == {}
    many = deepcopy(early).probe(states=("ok",) * 7)
    assert found(many.preflight()) == {  # too few at once, and yet one after another
        ("common_cause", "block"),
        ("smu_error_since_boot", "warn"),
    }
    assert set(many.states().values()) == {"watch"}
    rebooted = deepcopy(early).ssh(at=S, boot_id="b2").probe(at=S)
    assert (rebooted.preflight().verdict, rebooted.states()) == ("go", {})


def test_a_common_cause_is_as_far_away_as_decimals_say_it_is() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\ngpus = 20')
    policy = with_settings(default_policy(), ["gpu.common_cause_share=0.55"])
    watched = Watched(policy, fleet)

    def near(cards: int) -> list[tuple[str, float, float]]:
        events = burst(Story(fleet), at=0, cards=cards).events
        state = watched.judge.fold.run(events)
        nearly = watched.decide("preflight", {"step": "1"}, state, NOON + M).nearly
        return [
            (each.what, each.value, each.limit) for each in nearly if each.rule == "common_cause"
        ]

    assert near(3) == [("share", 0.15, 0.55)]
    assert near(10) == [("share", 0.5, 0.55)]
    assert near(11) == []  # 11 of 20 is 0.55: the node is to blame


def test_an_error_that_names_no_card_is_the_nodes() -> None:
    line = SmuError(node="rig", signature="not_done", raw="x")
    story = Story().healthy().add(line, S)
    assert story.states() == {}
    assert found(story.preflight()) == {("node_smu_error", "warn")}


def ramdisk(present: bool = True, size: int | None = 10) -> RamdiskChecked:
    file = RamdiskFile(path="/dev/shm/train.json", present=present, bytes=size)
    return RamdiskChecked(node="rig", files=(file,))


def inputs(node: str | None = None, **file: object) -> InputsChecked:
    values = {"path": "survivors.json", "present": True, "bytes": 10, **file}
    return InputsChecked(node=node, files=(InputFile(**values),))  # type: ignore[arg-type]


def test_a_step_with_its_files_in_place_may_start() -> None:
    assert Story().healthy().files().preflight("3").verdict == "go"


def test_files_that_nobody_looked_for_are_unknown() -> None:
    draft = Story().healthy().preflight("3")
    assert found(draft) == {("evidence_missing", "unknown")}
    assert {finding.subject for finding in draft.findings} == {"node/rig", "node/zeus"}


def test_inputs_checked_on_a_remote_node_only_are_unknown() -> None:
    story = Story().healthy().add(ramdisk()).add(inputs("rig"))
    assert story.preflight("3").verdict == "unknown"


@pytest.mark.parametrize("name", ["zeus", "localhost"])
def test_the_controller_may_be_named_by_its_node(name: str) -> None:
    assert Story().healthy().add(ramdisk()).add(inputs(name)).preflight("3").verdict == "go"


def test_the_controller_is_localhost_where_it_is_no_node() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\n[steps."3"]\ninputs = ["survivors.json"]')
    story = Story(fleet).ssh().probe().scan().add(inputs("localhost"))
    assert story.preflight("3").verdict == "go"


def test_a_check_that_passed_over_a_file_says_which() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\n[steps."3"]\nramdisk = ["/a", "/b"]')
    checked = RamdiskChecked(node="rig", files=(RamdiskFile(path="/a", present=True),))
    draft = Story(fleet).ssh().probe().scan().add(checked).preflight("3")
    assert found(draft) == {("evidence_missing", "unknown")}
    assert draft.findings[0].message == "rig: ramdisk_checked did not look for /b"


def test_a_file_without_the_hash_that_is_expected_of_it_is_unknown() -> None:
    draft = Story().healthy().files().add(inputs(expected_sha256="b" * 64), S).preflight("3")
    assert found(draft) == {("evidence_missing", "unknown")}


@pytest.mark.parametrize(("present", "size"), [(False, None), (True, 0)])
def test_a_missing_or_empty_ramdisk_file_blocks(present: bool, size: int | None) -> None:
    draft = Story().healthy().files().add(ramdisk(present, size), S).preflight("3")
    assert found(draft) == {("ramdisk_missing", "block")}
    assert "/dev/shm/train.json" in draft.findings[0].message
    assert "rig" in draft.findings[0].message


@pytest.mark.parametrize(("present", "size"), [(False, None), (True, 0)])
def test_a_ramdisk_that_the_step_fills_itself_is_a_warning(present: bool, size: int | None) -> None:
    steps = '[steps."3"]\nramdisk = ["/dev/shm/train.json"]\nramdisk_filled_by_step = true\n'
    story = Story(parse_fleet('[[nodes]]\nname = "rig"\ngpus = 4\n' + steps)).healthy()
    draft = deepcopy(story).add(ramdisk(present, size)).preflight("3")
    assert (draft.verdict, found(draft)) == ("go", {("ramdisk_missing", "warn")})
    assert "step 3" in draft.findings[0].remedy
    assert story.add(ramdisk()).preflight("3").findings == ()


def test_a_reboot_empties_no_ramdisk_that_the_step_fills_itself() -> None:
    steps = '[steps."3"]\nramdisk = ["/dev/shm/train.json"]\nramdisk_filled_by_step = true\n'
    fleet = parse_fleet('[[nodes]]\nname = "rig"\ngpus = 4\n' + steps)
    story = Story(fleet).ssh(at=-H, boot_id="b0").add(ramdisk(), -2 * M).healthy(boot="b1")
    assert story.preflight("3").findings == ()


@pytest.mark.parametrize("node", [None, "zeus", "rig"])
def test_a_missing_input_blocks_wherever_it_was_looked_for(node: str | None) -> None:
    story = Story().healthy().files().add(inputs(node, present=False), S)
    assert found(story.preflight("3")) == {("input_missing", "block")}


def test_an_old_look_for_an_input_on_another_node_is_no_evidence() -> None:
    story = Story().healthy().files().add(inputs("rig", present=False), -H)
    assert story.preflight("3").verdict == "go"


def test_an_input_with_another_hash_blocks() -> None:
    changed = inputs(sha256="a" * 64, expected_sha256="b" * 64)
    draft = Story().healthy().files().add(changed, S).preflight("3")
    assert found(draft) == {("input_changed", "block")}


def test_a_ramdisk_check_older_than_the_boot_is_unknown() -> None:
    story = Story().ssh(at=-H, boot_id="b0").add(ramdisk(), -2 * M).healthy(boot="b1")
    draft = story.add(inputs()).preflight("3")
    assert found(draft) == {("rebooted_since_check", "unknown")}


def trials(story: Story, seconds: float = 210, seeds: int = 10_000_000, **more: object) -> Story:
    for number in range(5):
        values = {"state": "COMPLETE", "params": {}, "duration_s": seconds, **more}
        trial = TrialCompleted(
            study="any",
            number=number,
            seed_count=seeds,
            **values,  # type: ignore[arg-type]
        )
        story.add(trial, -H)
    return story


def test_too_many_trials_for_the_timeout_block_and_say_how_many_fit() -> None:
    draft = trials(Story().healthy()).preflight("1", trials=50, seed_count=10_000_000)
    assert found(draft) == {("over_time_budget", "block")}
    assert "34 would fit" in draft.findings[0].message
    assert (
        trials(Story().healthy()).preflight("1", trials=34, seed_count=10_000_000).verdict == "go"
    )


@pytest.mark.parametrize(
    ("seconds", "share", "fits"),
    [(3.6, 1.0, 2000), (0.1, 1.0, 72000), (210, 0.7, 24), (8000, 1, 0)],
)
def test_trials_fit_to_the_last_decimal(seconds: float, share: float, fits: int) -> None:
    story = trials(Story().healthy(), seconds)
    setting = f"preflight.time_budget_share={share}"
    allowed = story.preflight("1", M, setting, trials=fits, seed_count=10_000_000)
    assert found(allowed) == set()
    over = story.preflight("1", M, setting, trials=fits + 1, seed_count=10_000_000)
    assert found(over) == {("over_time_budget", "block")}
    assert f"{fits:,} would fit" in over.findings[0].message
    assert ("at most" in over.findings[0].remedy) is (fits > 0)


def test_of_an_even_number_of_trials_the_median_lies_between_the_middle_two() -> None:
    story = Story().healthy()
    for seconds in (10, 100, 200, 9000):
        trials(story, seconds)
    assert found(story.preflight("1", trials=48, seed_count=10_000_000)) == set()
    over = story.preflight("1", trials=49, seed_count=10_000_000)
    assert found(over) == {("over_time_budget", "block")}


def test_trials_of_other_sizes_or_without_a_result_are_not_comparable() -> None:
    other = trials(Story().healthy(), seeds=100_000)
    draft = other.preflight("1", trials=50, seed_count=10_000_000)
    assert (draft.verdict, found(draft)) == ("go", {("no_comparable_trials", "info")})
    pruned = trials(Story().healthy(), state="PRUNED")
    assert found(pruned.preflight("1", trials=50, seed_count=10_000_000)) == {
        ("no_comparable_trials", "info")
    }


def test_parameters_that_did_not_reach_the_program_are_a_warning() -> None:
    started = RunStarted(requested={"trials": 100, "x": 1}, effective={"trials": 50})
    story = Story().healthy().add(started, runid="R1")
    draft = story.preflight(run="R1")
    assert found(draft) == {("parameters_dropped", "warn")}
    assert "trials: asked 100, got 50" in draft.findings[0].message
    assert found(story.preflight(run="R2")) == set()


def test_what_reached_the_program_unasked_is_not_dropped() -> None:
    started = RunStarted(requested={"trials": 100}, effective={"trials": 100, "prng": "mt"})
    story = Story().healthy().add(started, runid="R1")
    assert found(story.preflight(run="R1")) == set()


@pytest.mark.parametrize(
    ("asked", "got", "same"), [(100.0, 100, True), ([1, "a"], [1, "a"], True), ("100", 100, False)]
)
def test_values_are_the_same_where_json_has_one_form_for_them(
    asked: Any, got: Any, same: bool
) -> None:
    started = RunStarted(requested={"trials": asked}, effective={"trials": got})
    story = Story().healthy().add(started, runid="R1")
    assert found(story.preflight(run="R1")) == (set() if same else {("parameters_dropped", "warn")})


def test_what_a_program_does_not_know_cannot_have_reached_it() -> None:
    started = RunStarted(requested={"max_seeds": 5, "trials": 1}, accepts=("trials", "seeds"))
    draft = Story().healthy().add(started, runid="R1").preflight(run="R1")
    assert found(draft) == {("parameters_dropped", "warn")}
    assert "max_seeds: asked 5, got nothing" in draft.findings[0].message
    assert "it knows seeds" in draft.findings[0].message
    assert "trials" not in draft.findings[0].message


def test_a_steps_own_parameters_are_told_of_that_step_alone() -> None:
    started = StepStarted(requested={"trials": 100}, effective={"x": 1}, accepts=("x",))
    story = Story().healthy().add(RunStarted(), runid="R1").add(started, S, runid="R1", step="1")
    draft = story.preflight("1", run="R1")
    assert [each.message for each in draft.findings] == [
        "parameters of R1 did not reach the program: trials: asked 100, got nothing (the program "
        "does not know it, it knows x)"
    ]
    assert len(draft.findings[0].evidence) == 2
    assert found(story.preflight("r", run="R1")) == set()
    again = StepStarted(requested={"trials": 100}, effective={"trials": 100})
    assert found(story.add(again, 2 * S, runid="R1", step="1").preflight("1", run="R1")) == set()


def test_a_step_may_be_told_of_by_one_of_its_names_and_asked_for_by_another() -> None:
    fleet = parse_fleet('[[nodes]]\nname = "rig"\n[steps."2"]\naliases = ["2.5"]\n')
    started = StepStarted(requested={"a": 1}, effective={})
    story = Story(fleet).healthy().add(started, runid="R", step="2.5")
    assert found(story.preflight("2", run="R")) == {("parameters_dropped", "warn")}


def test_memory_left_on_a_card_is_told_once() -> None:
    sentence = f"orphaned VRAM on {pci(1)}: 512 MiB that no living process owns"
    warned = CleanupCompleted(
        node="rig", actions=(), warnings=(sentence,), orphaned_vram_mib={pci(1): 512}
    )
    draft = Story().healthy().add(warned, S).preflight()
    assert [finding.subject for finding in draft.findings] == [f"gpu/rig/{pci(1)}"]
    other = CleanupCompleted(
        node="rig",
        actions=(),
        warnings=(sentence, f"{pci(1)} did not answer in time; left alone"),
        orphaned_vram_mib={pci(1): 512},
    )
    draft = Story().healthy().add(other, S).preflight()
    assert {finding.subject for finding in draft.findings} == {"node/rig", f"gpu/rig/{pci(1)}"}
    assert sentence not in "".join(finding.message for finding in draft.findings)


def test_warnings_of_the_newest_cleanup_since_boot_are_passed_on() -> None:
    warned = CleanupCompleted(
        node="rig", actions=(), warnings=("clocks",), orphaned_vram_mib={pci(1): 512}
    )
    draft = Story().healthy().add(warned, S).preflight()
    assert (draft.verdict, found(draft)) == ("go", {("cleanup_warning", "warn")})
    assert {finding.subject for finding in draft.findings} == {"node/rig", f"gpu/rig/{pci(1)}"}
    elsewhere = CleanupCompleted(
        node="rig", actions=(), warnings=(), orphaned_vram_mib={pci(8): 9, pci(1): 0}
    )
    draft = Story().healthy().add(elsewhere, S).preflight()
    assert [finding.subject for finding in draft.findings] == [f"gpu/rig/{pci(8)}"]
    fine = CleanupCompleted(node="rig", actions=(), warnings=())
    assert found(Story().healthy().add(warned, S).add(fine, 2 * S).preflight()) == set()


def test_a_waiver_turns_a_block_on_exactly_its_subject_into_a_warning() -> None:
    def dead() -> Story:
        return Story().healthy().probe(at=S, states=("ok", "ok", "unresponsive", "ok"))

    waived = dead().override(f"gpu/rig/{pci(2)}", "waive", S, until=H)
    draft = waived.preflight()
    assert (draft.verdict, found(draft)) == ("go", {("gpu_unresponsive", "warn")})
    assert waived.preflight(at=9 * M).verdict == "go"
    node = dead().override("node/rig", "waive", S, until=H)
    assert node.preflight().verdict == "no_go"


def test_a_waiver_never_lifts_unknown() -> None:
    story = Story().healthy().scan(at=S, readable=False)
    assert story.override("node/rig", "waive", S, until=H).preflight().verdict == "unknown"


def test_an_expired_waiver_lifts_nothing() -> None:
    story = Story().healthy().ssh(at=S, reachable=False, error="refused")
    story.override("node/rig", "waive", S, until=2 * S)
    assert story.preflight().verdict == "no_go"


@pytest.mark.parametrize("action", ["reinstate", "watch", "exclude", "retire"])
def test_a_newer_word_on_its_subject_ends_a_waiver(action: str) -> None:
    story = Story().healthy().probe(at=S, states=("ok", "ok", "gone", "ok"))
    story.override("node/zeus", "exclude", S).override("node/rig", "waive", S, until=H)
    assert found(story.preflight()) == {("gpu_missing", "warn"), ("node_excluded", "degrade")}
    story.override("node/rig", action, 2 * S, until=2 * M)
    assert ("gpu_missing", "warn") not in found(story.preflight())
    assert ("gpu_missing", "warn") in found(story.preflight(at=2 * M))


@pytest.mark.parametrize("action", ["exclude", "retire"])
def test_a_node_taken_out_by_an_operator_is_left_out(action: str) -> None:
    draft = Story().healthy().override("node/rig", action, S).preflight()
    assert (draft.verdict, draft.outcome["nodes"]) == ("degraded", ["zeus"])
    assert draft.outcome["excluded_nodes"] == ["rig"]


def test_nothing_on_a_node_that_was_taken_out_stops_the_others() -> None:
    story = burst(Story()).healthy().override("node/rig", "exclude", S)
    story.add(CommandHung(node="rig", command="rocm-smi", timeout_s=10), S)
    assert found(story.preflight()) == {("node_excluded", "degrade")}
    story.ssh(at=2 * S, reachable=False, error="timeout")
    draft = story.preflight()
    assert found(draft) == {("node_excluded", "degrade"), ("node_unreachable", "degrade")}
    assert (draft.verdict, draft.outcome["nodes"]) == ("degraded", ["zeus"])


def test_of_two_words_spoken_at_once_the_later_recorded_holds() -> None:
    story = Story().healthy().override("node/rig", "exclude", S).override("node/rig", "watch", S)
    assert story.preflight().verdict == "go"


def test_a_node_is_usable_unprobed_where_no_probe_is_required() -> None:
    story = Story().probe().probe("zeus", states=("ok", "ok"))
    draft = story.preflight("1", M, 'preflight.required_evidence=["gpu_probe"]')
    assert (draft.verdict, draft.outcome["nodes"]) == ("go", ["rig", "zeus"])


def test_a_finding_rests_on_the_events_that_made_it_and_no_others() -> None:
    warned = CleanupCompleted(node="rig", actions=(), warnings=("clocks",))
    story = Story().healthy().add(warned, S).error(2 * S, card=1)
    story.probe(at=3 * S, states=("ok", "ok", "unresponsive", "ok"))
    kinds = {event.id: event.type for event in story.events}
    rests = {each.rule: [kinds[id] for id in each.evidence] for each in story.preflight().findings}
    assert rests == {
        "gpu_unresponsive": ["gpu_probe"],
        "cleanup_warning": ["cleanup_completed"],
        "smu_error_since_boot": ["smu_error"],
    }


@pytest.mark.parametrize(
    ("error", "remedy"),
    [("timeout", "power and network"), ("auth", "user and key"), ("host_key", "host key")],
)
def test_the_remedy_for_a_lost_node_fits_the_reason(error: str, remedy: str) -> None:
    story = Story().healthy().ssh(at=S, reachable=False, error=error)
    assert remedy in story.preflight().findings[0].remedy


def test_of_a_node_lost_long_ago_it_is_said_when() -> None:
    story = Story().ssh("zeus").probe("zeus", states=("ok", "ok")).scan("zeus")
    draft = story.ssh(at=-H, reachable=False, error="timeout").preflight()
    assert found(draft) == {("node_unreachable", "block")}
    assert draft.findings[0].message == ("rig did not answer SSH at 2026-01-24 11:00:00Z (timeout)")
    assert draft.findings[0].remedy.startswith("probe again")


def test_stale_evidence_never_reads_as_if_it_were_fresh() -> None:
    draft = Story().healthy().preflight("r", at=601 * S)
    assert draft.findings[0].message.endswith("is over 10 minutes old (at most 10 minutes)")


def test_a_rule_that_is_switched_off_does_not_speak() -> None:
    story = Story().healthy().ssh(at=S, reachable=False, error="refused")
    assert story.preflight("1", M, 'rules.disabled=["node_unreachable"]').verdict == "go"
