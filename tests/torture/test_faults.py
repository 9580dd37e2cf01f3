"""A disk that is full or broken, in short; ``python -m tests.torture disk`` fails every change."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.torture import faults


@pytest.mark.timeout(240)
def test_a_full_disk_loses_nothing_and_is_named(tmp_path: Path) -> None:
    report = faults.run_appends(tmp_path, errors=(errno.ENOSPC,), step=7)
    assert report.found == []
    assert report.counts["changes failed"] > 20
    assert report.counts["batches refused and stored later"] > 20


@pytest.mark.timeout(240)
def test_a_command_on_a_broken_disk_says_try_later(tmp_path: Path) -> None:
    report = faults.run_commands(
        tmp_path, commands=faults.COMMANDS[1:2], step=6, errors=(errno.EIO,)
    )
    assert report.found == []
    assert report.counts["exit 75"] > 0
