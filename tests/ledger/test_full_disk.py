"""A disk without room: what only reads goes on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import new_event, open_ledger
from ledger.payloads import SshProbe

DAY_US = 86_400_000_000


def _left_open(path: Path) -> None:
    """A ledger whose writer was killed: its newest event is in the write-ahead log only."""
    child = os.fork()
    if child == 0:
        ledger = open_ledger(path)
        for day in range(3):
            probe = SshProbe(node="rig", reachable=True)
            ledger.append(new_event(probe, time_us=day * DAY_US, source="test"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert Path(f"{path}-wal").stat().st_size > 0
    Path(f"{path}-shm").unlink()


def _no_room() -> None:
    # Not one byte can be written into any file, as on a disk that is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize(
    "command",
    [
        ["events", "--json"],
        ["verify", "--json"],
        ["decisions", "--json"],
        ["query", "SELECT count(*) AS n FROM events", "--format", "ndjson"],
        ["export"],
        ["replay", "--json"],
        ["context", "--json"],
    ],
    ids=lambda command: str(command[0]),
)
@pytest.mark.parametrize("killed", [True, False])
def test_what_only_reads_goes_on(tmp_path: Path, command: list[str], killed: bool) -> None:
    path = tmp_path / "l.db"
    _left_open(path)
    if not killed:
        open_ledger(path).close()
    done = subprocess.run(
        [sys.executable, "-m", "runledger", "--ledger", str(path), *command],
        capture_output=True,
        text=True,
        preexec_fn=_no_room,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    if command[0] == "events":
        assert len(json.loads(done.stdout)["events"]) == 3
    if command[0] == "query":
        assert json.loads(done.stdout) == {"n": 3}
    if command[0] == "export":
        assert len(done.stdout.splitlines()) == 3
    with open_ledger(path) as ledger:
        assert ledger.head().sequence == 3


def test_what_writes_says_to_try_again(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    _left_open(path)
    event = {"type": "ssh_probe", "source": "x", "time": "2026-01-01T00:00:00Z"}
    done = subprocess.run(
        [sys.executable, "-m", "runledger", "--ledger", str(path), "record"],
        input=json.dumps({**event, "data": {"node": "rig", "reachable": True}}),
        capture_output=True,
        text=True,
        preexec_fn=_no_room,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 75, done.stderr
