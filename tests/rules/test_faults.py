"""What faults weigh: kinds that count, cards that ask for a reset, faults that blame no card."""

from __future__ import annotations

import pytest

from collectors.vendors.nvidia import XIDS
from ledger.payloads import NodeFault
from rules.fleet import parse_fleet
from rules.folds.lines import XIDS_THAT_BLAME_NOBODY
from tests.rules.histories import D, H, M, S, Story, found, pci

COUNT = (
    "device_lost", "gpu_reset_failed", "ras_uncorrectable", "ras_retire", "needs_reset", "nvlink",
    "iommu",
)  # fmt: skip
COUNT_NOT = (
    "ring_timeout", "gpu_reset", "page_fault", "pcie_error", "pcie_corrected", "pcie_uncorrected",
    "xid", "thermal", "init_failed", "other",
)  # fmt: skip


@pytest.mark.parametrize("later", [M, 2 * D])
@pytest.mark.parametrize("cards", [1, 2, 4, 8])
@pytest.mark.parametrize("fault", COUNT)
def test_one_line_of_a_kind_that_counts_is_an_incident(fault: str, cards: int, later: int) -> None:
    fleet = parse_fleet(f'[[nodes]]\nname = "rig"\ngpus = {cards}\n')
    story = Story(fleet).ssh("rig", boot_id="b1", uptime_s=1).probe("rig", states=("ok",) * cards)
    story.fault(later, cards - 1, fault, "rig")
    assert story.states(later) == {f"rig {pci(cards - 1)}": "watch"}


@pytest.mark.parametrize("fault", COUNT_NOT)
def test_one_line_of_any_other_kind_is_none(fault: str) -> None:
    assert Story().healthy().fault(M, 1, fault).states(H) == {}


def test_heat_counts_where_the_driver_ordered_a_shutdown() -> None:
    assert Story().fault(0, 2, "thermal", code="shutdown").state() == "watch"


def test_what_an_rma_asks_for_is_said() -> None:
    story = Story().fault(0, 2, "ras_retire", action="rma")
    (finding,) = story.decide("exclusions", {}, M).findings
    assert "its maker's advice is to return it" in finding.remedy


def asks(story: Story, *settings: str) -> tuple[str, set[tuple[str, str]], list[str]]:
    draft = story.preflight("r", H, *settings)
    rules = {each for each in found(draft) if each[0] == "gpu_needs_reset"}
    cards = [card["pci"] for card in draft.outcome["excluded_gpus"].get("rig", [])]
    return draft.verdict, rules, cards


def lost(**more: str) -> Story:
    story = Story().healthy(-H).fault(0, 2, more.pop("fault", "device_lost"), boot_id="b1", **more)
    return story.healthy(H - M)


@pytest.mark.parametrize("fault", ["device_lost", "gpu_reset_failed"])
def test_a_card_that_was_lost_sits_out_until_it_had_a_reset(fault: str) -> None:
    verdict, rules, cards = asks(lost(fault=fault))
    assert (verdict, rules, cards) == ("degraded", {("gpu_needs_reset", "degrade")}, [pci(2)])
    (gpu,) = lost(fault=fault).decide("exclusions", {}, H).outcome["gpus"]
    assert (gpu["state"], gpu["needs_reset"]) == ("watch", True)


@pytest.mark.parametrize(
    ("action", "asked"), [("reset", 1), ("drain_reset", 1), ("reboot", 1), ("rma", 0)]
)
def test_an_action_that_a_line_asks_for_is_a_reset_or_none(action: str, asked: int) -> None:
    assert len(asks(lost(fault="xid", code="45", action=action))[1]) == asked


def test_its_severity_is_the_policys() -> None:
    assert asks(lost(), 'preflight.needs_reset="block"')[0] == "no_go"
    verdict, rules, cards = asks(lost(), 'preflight.needs_reset="warn"')
    assert (verdict, rules, cards) == ("go", {("gpu_needs_reset", "warn")}, [])
    (gpu,) = lost().decide("exclusions", {}, H, 'preflight.needs_reset="warn"').outcome["gpus"]
    assert "needs_reset" not in gpu


def test_a_reset_a_boot_a_look_and_a_person_end_it() -> None:
    assert asks(lost().fault(H - S, 2, "gpu_reset", code="succeeded"))[1] == set()
    assert asks(lost().healthy(H - S, boot="b2"))[1] == set()
    assert asks(lost().override(f"gpu/rig/{pci(2)}", "reinstate", H - S))[1] == set()
    assert asks(lost().probe(at=H - S, card={"recovery_action": "None"}))[1] == set()


def test_a_reset_that_was_begun_or_a_look_that_says_nothing_of_it_does_not() -> None:
    assert asks(lost().fault(H - S, 2, "gpu_reset"))[1]
    assert asks(lost().probe(at=H - S, card={"recovery_action": "GPU Reset"}))[1]


@pytest.mark.parametrize("fault", ["device_lost", "gpu_reset_failed", "ras_retire", "needs_reset"])
def test_a_fault_that_names_no_card_is_a_finding_on_its_node(fault: str) -> None:
    story = Story().healthy(-H).fault(0, None, fault, boot_id="b1").healthy(H - M)
    draft = story.preflight("r", H)
    assert (draft.verdict, found(draft)) == ("go", {("node_gpu_fault", "warn")})
    assert story.states(H) == {}
    assert found(story.healthy(H - S, boot="b2").preflight("r", H)) == set()


def test_a_code_that_nobody_knows_is_a_finding_on_its_node() -> None:
    story = Story().healthy(-H).fault(0, 2, "xid", code="999", boot_id="b1").healthy(H - M)
    (finding,) = story.preflight("r", H).findings
    assert (finding.rule, finding.subject) == ("node_gpu_fault", "node/rig")
    assert "Xid 999" in finding.message
    known = Story().healthy(-H).fault(0, 2, "xid", code="43", boot_id="b1").healthy(H - M)
    assert known.preflight("r", H).findings == ()


def test_the_codes_that_blame_nobody_are_those_of_the_catalogue() -> None:
    known = {
        int(entry.code)
        for entry in XIDS
        if entry.code is not None
        and (entry.kind == "xid" or entry.code == "154" or entry.name in _LINK_UNITS)
    }
    assert known == XIDS_THAT_BLAME_NOBODY


_LINK_UNITS = {f"xid-{code}" for code in range(144, 151)}


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("readonly_fs", True), ("machine_check", True), ("lockup", True), ("storage", True),
        ("fabric", True), ("hung_task", False), ("oom", False), ("iommu", False), ("other", False),
    ],
)  # fmt: skip
def test_faults_of_the_node_itself_are_told_since_its_boot(fault: str, told: bool) -> None:
    line = NodeFault(node="rig", fault=fault, raw="line", boot_id="b1")  # type: ignore[arg-type]
    story = Story().healthy(-H).add(line, 0).healthy(H - M)
    assert found(story.preflight("r", H)) == ({("node_fault", "warn")} if told else set())
    assert found(story.healthy(H - S, boot="b2").preflight("r", H)) == set()


def test_lines_that_could_not_be_placed_are_told_by_the_newest_scan() -> None:
    story = Story().healthy().scan(at=S, unread=3, boot_id="b1")
    (finding,) = story.preflight("r").findings
    assert (finding.rule, finding.severity) == ("log_unread", "warn")
    assert "3 lines" in finding.message
    assert story.scan(at=2 * S, unread=0, boot_id="b1").preflight("r").findings == ()


@pytest.mark.parametrize(("days", "state"), [((0, 6), "watch"), ((0, 7), "ok"), ((6,), "ok")])
def test_a_link_that_corrects_much_on_two_days_of_a_week_is_watched(
    days: tuple[int, ...], state: str
) -> None:
    story = Story()
    for day in days:
        for number in range(100):
            story.fault(day * D + number * S, 2, "pcie_corrected")
    assert story.state(at=days[-1] * D + H) == state
    assert story.state(at=20 * D) == "ok"
