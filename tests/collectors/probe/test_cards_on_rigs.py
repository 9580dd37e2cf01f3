"""What a probe sees of cards, and what that costs: real shells, fake sysfs, an SMU that counts."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

import pytest

from tests.probing import HARMLESS, QUICK, REQUEST, STUCK, probe, states
from tests.rigs import BOOT_ID, KERNEL_START


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_a_healthy_rig_is_seen_whole_for_one_smu_read_a_card(make, shell):
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not installed")
    rig = make(gpus=12, shell=shell).bmc()
    report = probe(rig)
    assert report.complete
    assert report.errors == ()
    assert [card.pci for card in report.cards] == [rig.pci(index) for index in range(12)]
    assert [card.index for card in report.cards] == list(range(12))
    assert {card.state for card in report.cards} == {"ok"}
    assert {(card.vram_used_mib, card.vram_total_mib, card.busy_pct) for card in report.cards} == {
        (17, 8176, 0)
    }
    assert report.smu_reads == rig.smu_reads == 12
    assert (report.boot_id, report.uptime_s, report.hostname) == (BOOT_ID, 86400.5, "rig-0")


def test_a_probe_without_leave_to_ask_costs_no_smu_read(make):
    rig = make(gpus=3)
    report = probe(rig, replace(REQUEST, ask_smu=False))
    assert (report.smu_reads, rig.smu_reads) == (0, 0)
    assert set(states(report).values()) == {"unknown"}


def test_a_card_off_the_bus_is_unresponsive_and_its_smu_is_left_alone(make):
    rig = make(gpus=12).dead(10)
    report = probe(rig)
    assert states(report) == {"0000:22:00.0": "unresponsive"}
    assert report.cards[10].index == 10
    assert report.smu_reads == rig.smu_reads == 11


def test_a_card_that_has_gone_is_not_listed_and_shifts_the_numbers_behind_it(make):
    report = probe(make(gpus=3).gone(1))
    assert [(card.pci, card.index) for card in report.cards] == [
        ("0000:04:00.0", 0),
        ("0000:0a:00.0", 1),
    ]


def test_a_card_that_no_driver_took_is_unresponsive_and_has_no_index(make):
    report = probe(make(gpus=3).undriven(1))
    assert states(report) == {"0000:07:00.0": "unresponsive"}
    assert [card.index for card in report.cards] == [0, None, 1]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("Timer expired", "unresponsive"),
        ("Input/output error", "unresponsive"),
        ("Remote I/O error", "unresponsive"),
        ("Device or resource busy", "unknown"),
        ("Operation not permitted", "unknown"),
    ],
)
def test_what_the_smu_answers_with_tells_lost_from_busy(make, words, state):
    rig = make(gpus=4).smu_error(2, words)
    report = probe(rig)
    assert states(report) == {rig.pci(2): state}
    assert words in report.cards[2].detail
    assert report.smu_reads == rig.smu_reads == 4


def test_a_real_read_error_is_understood_like_a_reported_one(make):
    rig = make(gpus=2).smu_read_error(1)
    assert states(probe(rig)) == {rig.pci(1): "unresponsive"}


def test_a_stuck_smu_is_unknown_and_named_while_all_others_are_read(make):
    rig = make(gpus=12).stuck(4)
    report = probe(rig, QUICK)
    assert states(report) == {rig.pci(4): "unknown"}
    assert [(hung.pci, hung.timeout_s) for hung in report.hung] == [(rig.pci(4), 1)]
    assert report.smu_reads == 12
    assert rig.smu_reads == 11  # the stuck one cannot count


def test_many_stuck_smus_cost_two_limits_and_not_one_each(make):
    rig = make(gpus=12).stuck(*range(12))
    began = time.monotonic()
    report = probe(rig, replace(QUICK, read_limit_s=3))
    assert time.monotonic() - began < 30  # one limit each would be 36 s
    assert {hung.pci for hung in report.hung} == {rig.pci(index) for index in range(12)}
    assert set(states(report)) == {hung.pci for hung in report.hung}
    assert report.smu_reads == 12


def test_a_card_whose_memory_counters_block_is_named_and_the_rest_is_seen(make):
    rig = make(gpus=4).blocked(2, "mem_info_vram_used")
    report = probe(rig, QUICK)
    assert states(report) == {rig.pci(2): "unknown"}
    assert [hung.pci for hung in report.hung] == [rig.pci(2)]
    assert rig.smu_reads == report.smu_reads == 3


def test_a_card_whose_config_blocks_is_unknown_and_the_rest_is_seen(make):
    rig = make(gpus=3).blocked(1, "config")
    report = probe(rig, QUICK)
    assert states(report) == {rig.pci(1): "unknown"}
    assert rig.smu_reads == report.smu_reads == 2


def test_cards_known_as_failed_are_not_asked(make):
    rig = make(gpus=3)
    report = probe(rig, replace(REQUEST, failed=(rig.pci(0), rig.pci(2))))
    assert states(report) == {rig.pci(0): "unknown", rig.pci(2): "unknown"}
    assert rig.smu_reads == report.smu_reads == 1


def test_a_card_with_a_new_smu_error_in_the_log_is_not_asked(make):
    rig = make(gpus=12).journal([KERNEL_START, *HARMLESS, STUCK])
    report = probe(rig)
    assert states(report) == {"0000:22:00.0": "unknown"}
    assert rig.smu_reads == report.smu_reads == 11


def test_an_smu_error_that_was_read_before_does_not_keep_the_card_from_being_asked(make):
    rig = make(gpus=12).journal([KERNEL_START, STUCK])
    first = probe(rig)
    second = probe(rig, replace(REQUEST, boot_id=BOOT_ID, cursor=first.kernel.cursor))
    assert states(second) == {}


def test_a_noisy_card_does_not_hide_another_one(make):
    noise = [f"{STUCK} {number}" for number in range(3000)]
    other = (
        "amdgpu 0000:04:00.0: amdgpu: SMU: response:0xFFFFFFFF for index:18 param:0x5 message:X?"
    )
    rig = make(gpus=12).journal([KERNEL_START, *noise, other])
    assert set(states(probe(rig))) == {"0000:22:00.0", "0000:04:00.0"}


def test_processes_with_memory_on_a_card_are_counted(make):
    rig = make(gpus=2).kfd(71, 1, 300).kfd(72, 1, 20).kfd(73, 0, 0)
    assert [card.owners for card in probe(rig).cards] == [0, 2]


def test_a_card_keeps_its_place_when_the_buses_are_numbered_anew(make):
    rig = make(gpus=2, count_smu=False).behind(0, "0000:00:01.1", "0000:01:00.0")
    before = probe(rig)
    assert [card.place for card in before.cards] == ["0000/01.1/00.0/00.0", "0000/00.0"]


def test_heat_is_read_where_that_is_the_one_read_of_the_card(make):
    rig = make(gpus=2, count_smu=False)
    (rig.card_dir(0) / "gpu_busy_percent").unlink()
    rig.set(0, "hwmon/hwmon3/temp1_input", "41000\n")
    first, second = probe(rig).cards
    assert (first.state, first.temp_c, first.busy_pct) == ("ok", 41.0, None)
    assert (second.state, second.temp_c, second.busy_pct) == ("ok", None, 0)


def test_heat_that_cannot_be_is_no_sign_of_life(make):
    rig = make(gpus=1, count_smu=False)
    (rig.card_dir(0) / "gpu_busy_percent").unlink()
    rig.set(0, "hwmon/hwmon3/temp1_input", "511000\n")
    assert set(states(probe(rig)).values()) == {"unresponsive"}


def test_a_nodes_memory_and_clock_come_with_the_same_round_trip(make):
    rig = make(gpus=1).tool("date", "echo 1769274000.250000000")
    rig.write("proc/meminfo", "MemTotal:  32768000 kB\nMemFree:  1 kB\nMemAvailable: 16384000 kB\n")
    report = probe(rig)
    assert (report.mem_total_mib, report.mem_available_mib) == (32000, 16000)
    assert report.clock_s == 1769274000.25
