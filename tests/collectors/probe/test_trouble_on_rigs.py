"""What may go wrong around a probe."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from tests.probing import QUICK, probe
from tests.rigs import BOOT_ID


def test_no_room_for_temporary_files_is_said_and_nothing_is_claimed(make):
    rig = make(gpus=2)
    rig.tool("mktemp", "echo 'mktemp: No space left on device' >&2; exit 1")
    report = probe(rig)
    assert (report.complete, report.cards_read, report.boot_id) == (True, False, BOOT_ID)
    assert any("disk full" in error for error in report.errors)


def test_terminal_sequences_in_sysfs_stay_out_of_the_report(make):
    rig = (
        make(gpus=1)
        .set(0, "product_name", "\x1b[31mRX\x07 6600\n")
        .write("proc/sys/kernel/hostname", "evil\x1b]0;owned\x07\n")
    )
    report = probe(rig)
    assert report.cards[0].model == "[31mRX 6600"
    assert report.hostname == "evil ]0;owned"


def test_the_time_for_a_probe_is_bounded_as_a_whole(make):
    rig = make(gpus=0).slow_tool("nvidia-smi", 30).slow_tool("rocm-smi", 30)
    report = probe(rig, replace(QUICK, total_limit_s=1))
    assert report.complete
    assert any("ran out of time" in error for error in report.errors)


def test_nothing_is_left_running(make):
    rig = make(gpus=2).slow_tool("nvidia-smi", 3600)
    probe(rig, QUICK)
    mark = str(rig.bin).encode()
    for _ in range(300):  # what was killed takes a moment to be gone
        left = [
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/environ")
            if mark in _bytes(path)
        ]
        if not left:
            break
        time.sleep(0.1)
    assert left == []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
