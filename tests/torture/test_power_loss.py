"""Losing power, in short; ``python -m tests.torture power-loss`` looks at many more disks."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.torture import power_loss
from tests.torture.disk import Disk
from tests.torture.shim import Change


@pytest.mark.timeout(120)
def test_no_acknowledged_event_is_lost_when_the_power_goes(tmp_path: Path) -> None:
    report = power_loss.run(tmp_path, batches=14, extra=4)
    assert report.found == []
    assert report.counts["syncs"] > 14
    assert report.counts["disks examined"] > 50


@pytest.mark.timeout(120)
@pytest.mark.parametrize("setting", ["OFF", "NORMAL"])
def test_the_same_search_finds_loss_where_less_is_synced(tmp_path: Path, setting: str) -> None:
    report = power_loss.run(tmp_path, batches=14, extra=4, pragmas=(f"synchronous = {setting}",))
    assert report.found


def test_a_further_name_is_as_durable_as_its_folder() -> None:
    disk = Disk()
    made = Change("C", "part", 0, b""), Change("W", "part", 0, b"x"), Change("S", "part", 0, b"")
    for change in (*made, Change("L", "whole", 0, b"part"), Change("U", "part", 0, b"")):
        disk.apply(change)
    assert {image.get("whole") for image in disk.images(chance(), 50)} == {None, b"x"}
    disk.apply(Change("S", "", 0, b""))
    assert all(image == {"whole": b"x"} for image in disk.images(chance(), 50))


def test_what_was_synced_is_in_every_image() -> None:
    disk = Disk()
    for change in (
        Change("C", "a", 0, b""),
        Change("W", "a", 0, b"old" * 400),
        Change("S", "a", 0, b""),
        Change("S", "", 0, b""),
        Change("W", "a", 0, b"new" * 400),
    ):
        disk.apply(change)
    images = [image["a"] for image in disk.images(chance(), 50)]
    assert all(len(image) == 1200 for image in images)
    assert {b"old" * 400, b"new" * 400} < set(images)
    torn = [image for image in images if b"old" in image and b"new" in image]
    assert torn


def test_a_file_whose_folder_was_not_synced_may_be_gone() -> None:
    disk = Disk()
    for change in (
        Change("C", "a", 0, b""),
        Change("W", "a", 0, b"text"),
        Change("S", "a", 0, b""),
    ):
        disk.apply(change)
    images = list(disk.images(chance(), 0))
    assert {} in images
    assert {"a": b"text"} in images


def chance() -> random.Random:
    return random.Random(1)
