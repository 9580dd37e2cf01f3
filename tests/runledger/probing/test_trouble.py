"""Probes that break off, are killed, run at once or meet hostile machines: no harm, no "go"."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import runledger.probing.service as service
from tests.fleet import Fleet, rules
from tests.rigs import KERNEL_START

MakeFleet = Callable[..., Fleet]

STEP_3 = '[steps."3"]\ntimeout_s = 7200\n'
STUCK = "amdgpu {pci}: amdgpu: SMU: I'm not done with your previous command!"


def wait_until(holds: Callable[[], bool], within_s: float = 40) -> None:
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up, "it never came to that"
        time.sleep(0.05)


# -- half-way -----------------------------------------------------------------


def test_a_probe_cut_off_half_way_is_unknown_however_fresh_the_last_one_is(fleet: Fleet) -> None:
    # The cut must come before any limit does, however slow the machine is.
    patient = "probe_min_interval_s = 0\ncommand_timeout_s = 50\ntotal_timeout_s = 300\n"
    fleet.configure('[steps."3"]\ntimeout_s = 7200\n', probe=patient)
    assert fleet.preflight(code=0)["verdict"] == "go"
    rig = fleet.rigs["rig-6600"]
    rig.tool("journalctl", f"echo >>{rig.folder}/reading; sleep 45")
    others = [name for name in fleet.rigs if name != "rig-6600"]

    def others_are_done() -> bool:
        scans = [fleet.events(f"type=kernel_log_scanned,node={name}") for name in others]
        return all(len(each) == 2 for each in scans)

    def cut() -> None:
        wait_until((rig.folder / "reading").exists)
        wait_until(others_are_done)
        fleet.sshd.drop_sessions()

    cutter = threading.Thread(target=cut)
    cutter.start()
    decision = fleet.preflight(code=11)
    cutter.join()
    assert "command_hung" in rules(decision, "unknown")
    assert "node/rig-6600" in rules(decision, "unknown")["command_hung"]
    assert "node/zeus" not in str(rules(decision))
    (hung,) = fleet.events("type=command_hung,node=rig-6600")
    assert hung["data"]["command"] == "health probe"


def test_a_rig_without_room_for_temporary_files_is_unknown(fleet: Fleet) -> None:
    fleet.rigs["rig-6600"].tool("mktemp", "echo 'No space left on device' >&2; exit 1")
    decision = fleet.preflight(code=11)
    assert "command_hung" in rules(decision, "unknown")
    (probe,) = fleet.events("type=ssh_probe,node=rig-6600")
    assert "disk full" in probe["data"]["detail"]


def test_a_login_that_says_something_else_than_a_probe_is_unknown(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"]
    rig.tool("sh", "echo 'This account is currently not available.'")
    decision = fleet.preflight(code=11)
    assert set(rules(decision, "unknown")) == {"evidence_missing"}
    assert not fleet.events("type=command_hung")
    (probe,) = fleet.events("type=ssh_probe,node=rig-6600")
    assert "not the output of a probe: This account" in probe["data"]["detail"]


def test_a_fault_of_our_own_is_stored_and_is_never_go(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fleet.preflight(code=0)["verdict"] == "go"

    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("boom")

    monkeypatch.setattr(service, "wanted", broken)
    with fleet.opened() as opened:
        probed = opened.probe(step="3")
        decision = opened.preflight("3")
    assert all("boom" in look.problems[0] for look in probed.looks)
    assert decision.verdict == "unknown"


def test_hanging_tools_do_not_hang_the_caller(fleet: Fleet) -> None:
    for rig in fleet.rigs.values():
        rig.unkillable_tool("journalctl", 30)
    started = time.monotonic()
    decision = fleet.preflight(code=11)
    assert time.monotonic() - started < 30
    assert len(rules(decision, "unknown")["evidence_missing"]) == 3


# -- killed, and at once ---------------------------------------------------------


def test_a_collector_killed_in_the_middle_loses_nothing_and_counts_nothing_twice(
    fleet: Fleet,
) -> None:
    slow, quick = fleet.rigs["rig-6600"], fleet.rigs["rig-6600b"]
    for rig in (slow, quick):
        rig.journal([KERNEL_START, *(STUCK.format(pci=rig.pci(at)) for at in (1, 1, 2))])
    (slow.bin / "journalctl").rename(slow.bin / "journalctl.real")
    slow.tool("journalctl", 'sleep 1.9; exec journalctl.real "$@"')
    process = subprocess.Popen(
        fleet.command("probe"),
        cwd=fleet.home,
        env=fleet.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with fleet.opened(create=True) as opened:
        wait_until(lambda: any(opened.ledger.read(types=("smu_error",))))
        process.send_signal(signal.SIGKILL)
        process.wait()
        stored = list(opened.ledger.read(types=("smu_error",)))
    assert {event.data.node for event in stored} == {"rig-6600b"}  # type: ignore[attr-defined]
    assert fleet.run("verify").returncode == 0
    (slow.bin / "journalctl.real").rename(slow.bin / "journalctl")
    for _ in range(2):
        assert fleet.run("probe").returncode == 0
    errors = fleet.events("type=smu_error")
    assert len(errors) == 6
    assert len({event["id"] for event in errors}) == 6
    matches = sum(event["data"]["matches"] for event in fleet.events("type=kernel_log_scanned"))
    assert matches == 6


def test_twelve_cards_cost_twelve_smu_reads_and_none_while_that_is_fresh(
    make_fleet: MakeFleet,
) -> None:
    fleet = make_fleet(gpus=12, rigs={"rig-6600": "127.0.0.2"}, controller=False)
    fleet.configure(STEP_3, probe="probe_min_interval_s = 60\n")
    for _ in range(2):
        assert fleet.preflight(code=0)["verdict"] == "go"
        assert fleet.smu_reads == 12
    (probe,) = fleet.events("type=gpu_probe")
    assert probe["data"]["smu_reads"] == 12


def test_fresh_evidence_costs_no_smu_read_in_any_process(fleet: Fleet) -> None:
    fleet.configure(STEP_3, probe="probe_min_interval_s = 60\n")
    first = fleet.json("probe", code=0)
    assert first["smu_reads"] == fleet.smu_reads + 2 == 3 * fleet.gpus + 2
    before = fleet.smu_reads
    again = fleet.json("probe", code=0)
    assert fleet.preflight(code=0)["verdict"] == "go"
    assert fleet.smu_reads == before
    assert again["smu_reads"] == again["stored"] == 0
    assert all(node["reused"] for node in again["nodes"])


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_ask_at_the_same_time_share_one_probe(
    fleet: Fleet, database: str, request: pytest.FixtureRequest
) -> None:
    fleet.configure(STEP_3, probe="probe_min_interval_s = 60\n")
    ledger = ["--ledger", "runledger.db"]
    if database == "postgresql":
        ledger[1] = request.getfixturevalue("new_postgres_database")()
    fleet.json("probe", "--node", "zeus", *ledger, code=0)  # the ledger is there
    for rig in fleet.rigs.values():
        (rig.bin / "journalctl").rename(rig.bin / "journalctl.real")
        rig.tool("journalctl", 'sleep 1; exec journalctl.real "$@"')
    asking = [
        subprocess.Popen(
            fleet.command("preflight", "--step", "3", *ledger),
            cwd=fleet.home,
            env=fleet.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0] for process in asking]
    assert [process.returncode for process in asking] == [0, 0, 0], said
    assert fleet.smu_reads == 3 * fleet.gpus
    probes = fleet.json("events", "--where", "type=gpu_probe", *ledger)["events"]
    assert len(probes) == 4


def test_bad_news_that_costs_no_smu_read_is_looked_at_again(fleet: Fleet) -> None:
    path = "/dev/shm/prng/step3/train_history.json"
    fleet.has_controller = False
    fleet.configure(f'[steps."3"]\nramdisk = ["{path}"]\n', probe="probe_min_interval_s = 60\n")
    fleet.rigs["rig-6600"].write(path, "{}")
    fleet.rigs["rig-6600c"].write(path, "{}")
    assert rules(fleet.preflight(code=10)) == {"ramdisk_missing": ["node/rig-6600b"]}
    reads = fleet.smu_reads
    fleet.rigs["rig-6600b"].write(path, "{}")
    assert fleet.preflight(code=0)["verdict"] == "go"
    assert fleet.smu_reads == reads
    assert len(fleet.events("type=ramdisk_checked,node=rig-6600")) == 1


def test_connections_kept_open_are_used_again(fleet: Fleet) -> None:
    with fleet.opened() as opened, opened.prober(keep_open=True) as prober:
        names = tuple(fleet.rigs)
        assert all(look.reachable for look in prober.probe(names=names).looks)
        kept = fleet.sshd.sessions()
        assert kept
        assert all(look.reachable for look in prober.probe(names=names).looks)
        assert fleet.sshd.sessions() == kept


# -- hostile -------------------------------------------------------------------------

NASTY = "$(touch PWNED);`touch PWNED`'\"\\;&|<>"


def test_hostile_names_and_paths_run_nothing_and_are_looked_for_as_they_are(
    fleet: Fleet, tmp_path: Path
) -> None:
    name = "rig-" + NASTY.replace(" ", "")
    path = f"/dev/shm/{NASTY}"
    fleet.addresses = {name: "127.0.0.2"}
    fleet.configure(f'[steps."3"]\nramdisk = [{json.dumps(path)}]\n')
    decision = fleet.preflight(code=10)
    assert rules(decision)["ramdisk_missing"] == [f"node/{name}", "node/zeus"]
    fleet.rigs["rig-6600"].write(path, "x")
    fleet.controller.write(path, "x")
    assert fleet.preflight(code=0)["verdict"] == "go"
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("address", ["-oProxyCommand=touch${IFS}PWNED", "$(touch${IFS}PWNED)"])
def test_hostile_addresses_are_refused(fleet: Fleet, address: str, tmp_path: Path) -> None:
    fleet.addresses["bad"] = address
    fleet.configure(STEP_3)
    decision = fleet.preflight(code=10)
    assert rules(decision, "block") == {"node_unreachable": ["node/bad"]}
    assert not list(tmp_path.rglob("PWNED"))


def test_hostile_output_is_bounded_and_prints_no_terminal_control(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"]
    escape = "\x1b]0;owned\x07\x1b[2J"
    rig.journal([KERNEL_START, f"amdgpu {rig.pci(1)}: amdgpu: SMU: response:0xFFFFFFFF {escape}"])
    fleet.rigs["rig-6600b"].endless_tool("journalctl")
    fleet.rigs["rig-6600c"].set(0, "product_name", f"{escape}$(reboot)\n").endless_tool(
        "nvidia-smi"
    )
    done = fleet.run("preflight", "--step", "3")
    assert done.returncode in (10, 11)
    assert "\x1b" not in done.stdout + done.stderr
    printed = fleet.run("events")
    assert "\x1b" not in printed.stdout
    assert fleet.run("verify").returncode == 0


def test_a_shell_that_never_stops_talking_is_cut_off(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"]
    rig.tool("cat", "while :; do echo 0123456789abcdef0123456789abcdef0123456789abcdef; done")
    started = time.monotonic()
    decision = fleet.preflight()
    assert time.monotonic() - started < 40
    assert decision["verdict"] in ("unknown", "no_go")


def test_a_ledger_that_cannot_be_written_is_no_go_either(fleet: Fleet) -> None:
    if os.getuid() == 0:
        fleet.home.joinpath("runledger.db").mkdir()
    else:
        fleet.home.chmod(0o500)
    done = fleet.run("preflight", "--step", "3")
    fleet.home.chmod(0o700)
    assert done.returncode not in (0, 10, 11)
