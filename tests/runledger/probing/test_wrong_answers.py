"""Rigs that let us in and then answer with something else than the probe: told as what they are."""

from __future__ import annotations

import shutil
import time
from typing import Any

import pytest

from tests.fleet import Fleet, rules

STEP_3 = '[steps."3"]\ntimeout_s = 7200\n'


def _told(fleet: Fleet) -> tuple[dict[str, Any], dict[str, Any], float]:
    """The one finding on the rig, its newest probe, and how long it took (seconds)."""
    fleet.configure(STEP_3, probe="probe_min_interval_s = 60\n")
    assert fleet.run("probe", "--node", "zeus").returncode == 0
    started = time.monotonic()
    decision = fleet.preflight(code=11)
    took_s = time.monotonic() - started
    assert set(rules(decision, "unknown")) == {"evidence_missing"}
    assert not fleet.events("type=command_hung")
    (finding,) = [
        each
        for each in decision["findings"]
        if each["severity"] == "unknown" and each["message"].startswith("rig-6600: ssh_probe")
    ]
    assert "did not" not in finding["message"]
    return finding, fleet.events("type=ssh_probe,node=rig-6600")[-1]["data"], took_s


@pytest.mark.parametrize(
    ("script", "said", "remedy"),
    [
        ("echo 'This account is currently not available.'; exit 1", "currently not", "login shell"),
        ("exit 1", "nothing; exit status 1", "login shell"),
        ("echo 'PTY allocation request failed' >&2; exit 1", "(PTY allocation", "forced command"),
        ("cat", "# POSIX sh", "forced command"),
        ("echo 'sh: not found' >&2; exit 127", "(sh: not found)", "`sh`"),
    ],
)
def test_a_rig_that_answers_wrongly_is_told_by_its_own_words(
    fleet: Fleet, script: str, said: str, remedy: str
) -> None:
    fleet.rigs["rig-6600"].tool("sh", script)
    finding, probe, took_s = _told(fleet)
    assert said in finding["message"]
    assert remedy in finding["remedy"]
    assert (probe["reachable"], probe["error"]) == (True, "protocol")
    assert remedy in probe["remedy"]
    assert took_s < 40


def test_a_forced_command_of_sshd_is_told_too(fleet: Fleet) -> None:
    keys = fleet.sshd.folder / "authorized_keys"
    keys.write_text(f'command="echo rrsync only" {keys.read_text()}')
    fleet.configure(STEP_3)
    decision = fleet.preflight(code=11)
    assert not fleet.events("type=command_hung")
    told = [each["subject"] for each in decision["findings"] if "rrsync only" in each["message"]]
    assert told == [f"node/{name}" for name in fleet.rigs]


@pytest.mark.parametrize("word", ["", "echo starting; "])
def test_a_shell_killed_on_the_rig_is_told_as_killed(fleet: Fleet, word: str) -> None:
    fleet.rigs["rig-6600"].tool("sh", f"{word}kill -9 $$")
    finding, probe, _ = _told(fleet)
    assert "killed there (signal KILL)" in finding["message"]
    assert "memory" in finding["remedy"]
    assert probe["reachable"] is True


def test_a_probe_killed_half_way_is_told_as_killed(fleet: Fleet) -> None:
    leader = "read -r _ _ _ _ _ leader _ </proc/self/stat"
    fleet.rigs["rig-6600"].tool("journalctl", f'{leader}; kill -9 "$leader"')
    finding, _, _ = _told(fleet)
    assert "killed there (signal KILL)" in finding["message"]


def test_what_was_known_before_does_not_stand_in_for_a_wrong_answer(fleet: Fleet) -> None:
    fleet.configure(STEP_3)
    assert fleet.preflight(code=0)["verdict"] == "go"
    fleet.rigs["rig-6600"].tool("sh", "echo 'maintenance, go away'")
    assert "go away" in str(fleet.preflight(code=11)["findings"])
    fleet.rigs["rig-6600"].tool("sh", f'exec {shutil.which("sh")} "$@"')
    assert fleet.preflight(code=0)["verdict"] == "go"


def test_a_finding_gives_the_line_to_type(fleet: Fleet) -> None:
    fleet.configure(STEP_3)
    known = fleet.sshd.known_hosts
    known.write_text("".join(known.read_text().splitlines(keepends=True)[1:]))
    (finding,) = fleet.preflight(code=10)["findings"][:1]
    assert finding["rule"] == "node_unreachable"
    assert f"ssh-keyscan -t ed25519 -p {fleet.sshd.port} -- 127.0.0.2 >> " in finding["remedy"]
    assert "ssh-keyscan" not in finding["message"]
