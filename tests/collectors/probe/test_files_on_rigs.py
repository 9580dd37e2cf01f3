"""Files on the ramdisk and inputs, hostile names included."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest

from collectors.probe import WantedFile
from tests.probing import QUICK, REQUEST, probe


def test_files_are_found_with_size_and_hash(make):
    rig = make(gpus=0).write("/dev/shm/prng/a.json", "{}").write("/dev/shm/prng/empty.json", "")
    (rig.home / "in.json").write_text("[]")
    request = replace(
        REQUEST,
        ramdisk=tuple(
            WantedFile(f"/dev/shm/prng/{name}") for name in ("a.json", "none.json", "empty.json")
        ),
        ramdisk_dir="/dev/shm",
        inputs=(WantedFile("in.json", hashed=True), WantedFile("/dev/shm/prng")),
    )
    report = probe(rig, request)
    assert [(file.present, file.bytes) for file in report.ramdisk] == [
        (True, 2),
        (False, None),
        (True, 0),
    ]
    assert [file.present for file in report.inputs] == [True, False]
    assert (
        report.inputs[0].sha256
        == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    )
    assert report.ramdisk_free_mib is not None


def test_hostile_paths_do_nothing_but_be_looked_for(make):
    names = ["$(touch pwned)", "`touch pwned`", "a'b\"c", "-rf", " two  spaces ", "a\\nb", "*", "é"]
    rig = make(gpus=0)
    for name in names[:-1]:
        rig.write(f"/dev/shm/{name}", "x")
    request = replace(
        REQUEST, ramdisk=tuple(WantedFile(f"/dev/shm/{name}", hashed=True) for name in names)
    )
    report = probe(rig, request)
    assert [file.present for file in report.ramdisk] == [True] * 7 + [False]
    assert {file.bytes for file in report.ramdisk[:-1]} == {1}
    assert len({file.sha256 for file in report.ramdisk[:-1]}) == 1
    assert not list(rig.folder.rglob("pwned"))


def test_a_hash_that_takes_too_long_leaves_the_file_without_one(make):
    rig = make(gpus=0).write("/dev/shm/a", "x").slow_tool("sha256sum", 5)
    report = probe(rig, replace(QUICK, ramdisk=(WantedFile("/dev/shm/a", hashed=True),)))
    assert [(file.bytes, file.sha256) for file in report.ramdisk] == [(1, None)]


def test_a_file_that_may_not_be_read_counts_as_missing_and_says_why(make):
    rig = make(gpus=1).write("/dev/shm/locked", "x").write("/dev/shm/open", "x")
    (rig.root / "dev/shm/locked").chmod(0)
    if os.getuid() == 0:  # who may read everything
        setpriv = shutil.which("setpriv") or pytest.skip("needs Debian package util-linux")
        rig.shell = f"{setpriv} --bounding-set -dac_override,-dac_read_search sh"
    request = replace(REQUEST, ramdisk=(WantedFile("/dev/shm/locked"), WantedFile("/dev/shm/open")))
    report = probe(rig, request)
    assert [(file.present, file.bytes) for file in report.ramdisk] == [(False, None), (True, 1)]
    assert any("/dev/shm/locked is there" in error for error in report.errors)
