"""Tools where sysfs does not do: missing, dead, slow, stubborn, endless."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from collectors.probe import WantedFile, parse_probe, probe_script, report_to_payloads
from tests.probing import QUICK, REQUEST, probe, states

NVIDIA = """index, pci.bus_id, uuid, name, memory.used [MiB], temperature.gpu, compute_mode
0, 00000000:1A:00.0, GPU-0a1b2c3d-0001, NVIDIA GeForce RTX 3080 Ti, 25, 40, Default
"""


def test_the_controllers_nvidia_cards_are_seen_without_sysfs(make):
    rig = make(gpus=0).printing_tool("nvidia-smi", NVIDIA)
    report = probe(rig)
    assert [(card.pci, card.state, card.compute_mode) for card in report.cards] == [
        ("0000:1a:00.0", "ok", "Default")
    ]
    assert (report.method, report.smu_reads) == ("nvidia-smi", 0)


def test_a_lost_nvidia_card_is_unresponsive_and_the_rest_is_listed(make):
    lost = "Unable to determine the device handle for GPU0000:68:00.0: Unknown Error\n"
    rig = make(gpus=0).printing_tool("nvidia-smi", NVIDIA, exit_code=15, to_stderr=lost)
    assert states(probe(rig)) == {"0000:68:00.0": "unresponsive"}


def test_sysfs_is_believed_and_rocm_smi_not_called_where_there_are_cards(make):
    rig = make(gpus=2).printing_tool("rocm-smi", "")
    probe(rig)
    assert rig.calls("rocm-smi") == []


def test_rocm_smi_is_asked_once_where_sysfs_shows_nothing(make):
    rig = make(gpus=0).printing_tool(
        "rocm-smi",
        'WARNING: x\n{"card0": {"PCI Bus": "0000:03:00.0", "Performance Level": "auto", '
        '"Average Graphics Package Power (W)": "4.0"}, '
        '"card1": {"PCI Bus": "0000:06:00.0", "Performance Level": "unknown"}}\n',
    )
    report = probe(rig)
    assert [(card.index, card.state) for card in report.cards] == [(0, "ok"), (1, "unresponsive")]
    assert (report.method, report.smu_reads, len(rig.calls("rocm-smi"))) == ("rocm-smi", 2, 1)


def test_amd_smi_follows_where_rocm_smi_is_missing(make):
    rig = make(gpus=0).tool(
        "amd-smi",
        'case $1 in list) echo \'[{"gpu": 0, "bdf": "0000:03:00.0", "uuid": "x"}]\';; '
        'metric) echo \'{"gpu_data": [{"gpu": 0, "usage": {"gfx_activity": {"value": 1}}}]}\';; '
        "esac",
    )
    report = probe(rig)
    assert [(card.pci, card.state, card.busy_pct) for card in report.cards] == [
        ("0000:03:00.0", "ok", 1)
    ]


@pytest.mark.parametrize("kind", ["slow_tool", "stubborn_tool", "unkillable_tool"])
def test_a_tool_that_does_not_come_back_is_named_and_the_probe_goes_on(make, kind):
    rig = make(gpus=0).write("/dev/shm/a", "x")
    arguments = ("nvidia-smi",) if kind == "stubborn_tool" else ("nvidia-smi", 60)
    getattr(rig, kind)(*arguments)
    began = time.monotonic()
    report = probe(rig, replace(QUICK, ramdisk=(WantedFile("/dev/shm/a"),)))
    assert time.monotonic() - began < 30
    assert [hung.command for hung in report.hung] == ["nvidia-smi"]
    assert report.complete
    assert not report.cards_read
    assert report.ramdisk[0].present


def test_without_timeout_the_limits_hold_all_the_same(make):
    rig = make(gpus=3).no_timeout().stuck(1).slow_tool("nvidia-smi", 60)
    began = time.monotonic()
    report = probe(rig, QUICK)
    assert time.monotonic() - began < 30
    assert {hung.command for hung in report.hung} == {"one read through the SMU", "nvidia-smi"}
    assert states(report) == {rig.pci(1): "unknown"}


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_output_without_end_is_cut(make, stream):
    rig = make(gpus=1).tool(
        "nvidia-smi", f"while :; do echo 0123456789abcdef0123456789abcdef{stream}; done"
    )
    output = rig.run(probe_script(QUICK))
    assert len(output) < 4 * 2**20
    assert parse_probe(output, QUICK).cards[0].state == "ok"


def test_a_hundred_megabytes_are_cut_at_the_limit(make):
    rig = make(gpus=1).tool("journalctl", "head -c 100000000 /dev/zero")
    output = rig.run(probe_script(REQUEST))
    assert len(output) < 10 * 2**20
    report = parse_probe(output, REQUEST)
    assert (report.complete, report.kernel.readable, report.kernel.lines) == (True, False, ())


FULL_QUERY = (
    'case "$*" in *gpu_recovery_action*) '
    "echo 'Field \"gpu_recovery_action\" is not a valid field to query.'; exit 2;; esac\n"
)


def test_an_older_nvidia_smi_is_asked_less_until_it_understands(make):
    answer = NVIDIA.replace("\n", "\\n")
    rig = make(gpus=0).tool("nvidia-smi", f"{FULL_QUERY}printf '{answer}'")
    report = probe(rig)
    assert [(card.pci, card.state) for card in report.cards] == [("0000:1a:00.0", "ok")]
    assert report.errors == ()


@pytest.mark.parametrize(
    ("said", "state"), [("", "unknown"), ("WARNING: infoROM is corrupted", "ok")]
)
def test_a_tool_that_fails_without_saying_why_vouches_for_nobody(make, said, state):
    rig = make(gpus=0).printing_tool("nvidia-smi", NVIDIA, exit_code=255, to_stderr=said)
    (card,) = probe(rig).cards
    assert card.state == state
    assert ("status 255" in card.detail) == (state == "unknown")


def test_a_card_that_requires_a_reset_explains_the_exit_status(make):
    second = "1, 00000000:68:00.0, GPU-x, RTX, 0, [GPU requires reset], Default\n"
    rig = make(gpus=0).printing_tool("nvidia-smi", NVIDIA + second, exit_code=255)
    assert [card.state for card in probe(rig).cards] == ["ok", "unresponsive"]
    assert len(rig.calls("nvidia-smi")) == 1


def test_why_no_card_is_shown_is_what_the_tool_said(make):
    mismatch = "Failed to initialize NVML: Driver/library version mismatch"
    rig = make(gpus=0).printing_tool("nvidia-smi", mismatch, exit_code=18)
    report = probe(rig)
    (payload,) = [
        p for p in report_to_payloads(report, "rig", expected=2) if p.event_type == "gpu_probe"
    ]
    assert payload.gpus == ()
    assert mismatch in payload.detail


def test_why_no_card_is_shown_may_be_a_tool_that_is_not_on_the_path(make):
    report = probe(make(gpus=0))
    assert report.why_none is not None
    for tool in ("rocm-smi", "amd-smi", "nvidia-smi"):
        assert tool in report.why_none
    assert probe(make(gpus=1)).why_none is None
