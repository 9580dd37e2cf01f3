"""Remedies: run only when asked to, recorded, and believed only after a second look."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fleet import Fleet, rules

PATH = "/dev/shm/train_history.json"


def with_remedy(fleet: Fleet, *argv: str, probe: str = "") -> Fleet:
    fleet.has_controller = False
    return fleet.configure(
        f'[steps."3"]\nramdisk = ["{PATH}"]\n[steps."3".remedy]\nramdisk = {json.dumps(argv)}\n',
        probe=probe,
    )


def present(fleet: Fleet, *names: str) -> None:
    for name in names:
        fleet.rigs[name].write(PATH, "{}")


def test_a_remedy_that_mends_is_recorded_and_seen_to_have_mended(fleet: Fleet) -> None:
    present(fleet, "rig-6600", "rig-6600c")
    script = fleet.folder / "copy.sh"
    target = fleet.rigs["rig-6600b"].root / PATH.lstrip("/")
    script.write_text(f'echo "to $1 for step $2"\nprintf x >{target}\n')
    with_remedy(fleet, "/bin/sh", str(script), "{node}", "{step}")
    decision = fleet.preflight("3", "--remedy", code=0)
    assert decision["verdict"] == "go"
    (done,) = fleet.events("type=remedy_completed")
    assert done["data"] == {
        "node": "rig-6600b",
        "check": "ramdisk",
        "command": f"/bin/sh {script} rig-6600b 3",
        "exit_code": 0,
        "detail": "to rig-6600b for step 3",
    }
    assert len(fleet.events("type=ramdisk_checked,node=rig-6600b")) == 2
    assert len(fleet.events("type=ramdisk_checked,node=rig-6600")) == 1


def test_a_remedy_that_ends_well_and_repairs_nothing_is_not_believed(fleet: Fleet) -> None:
    with_remedy(fleet, "/bin/true")
    decision = fleet.preflight("3", "--remedy", code=10)
    assert len(rules(decision, "block")["ramdisk_missing"]) == 3
    assert {event["data"]["exit_code"] for event in fleet.events("type=remedy_completed")} == {0}


def test_no_remedy_runs_without_being_asked_for_or_needed(fleet: Fleet) -> None:
    with_remedy(fleet, "/bin/true")
    fleet.preflight("3", code=10)
    present(fleet, *fleet.rigs)
    fleet.preflight("3", "--remedy", code=0)
    assert fleet.events("type=remedy_completed") == []


def test_a_second_look_costs_no_smu_read(fleet: Fleet) -> None:
    with_remedy(fleet, "/bin/true", probe="probe_min_interval_s = 60\n")
    fleet.preflight("3", "--remedy", code=10)
    assert fleet.smu_reads == 3 * fleet.gpus


def test_a_remedy_that_hangs_or_is_missing_is_stopped_and_said(fleet: Fleet) -> None:
    probe = "probe_min_interval_s = 0\nremedy_timeout_s = 0.5\n"
    with_remedy(fleet, "/bin/sleep", "60", probe=probe)
    fleet.preflight("3", "--remedy", code=10)
    details = {event["data"]["detail"] for event in fleet.events("type=remedy_completed")}
    assert details == {"stopped after 0.5 s"}
    with_remedy(fleet, "/no/such/program")
    done = fleet.run("preflight", "--step", "3", "--remedy")
    assert done.returncode == 10
    assert "did not end" in done.stderr
    newest = fleet.events("type=remedy_completed")[-1]["data"]
    assert "exit_code" not in newest
    assert newest["detail"].startswith("did not start")


def test_a_name_is_one_argument_of_a_remedy_and_never_shell_text(
    fleet: Fleet, tmp_path: Path
) -> None:
    name = "rig-$(touch${IFS}PWNED)';`id`"
    fleet.addresses = {name: "127.0.0.2"}
    with_remedy(fleet, "/bin/echo", "{node}", "to {address}")
    fleet.preflight("3", "--remedy", code=10)
    (done,) = fleet.events("type=remedy_completed")
    assert done["data"]["detail"] == f"{name} to 127.0.0.2"
    assert not list(tmp_path.rglob("PWNED"))


def test_inputs_of_the_controller_have_a_remedy_of_their_own(fleet: Fleet) -> None:
    source = fleet.folder / "kept.json"
    source.write_text("[1]")
    target = fleet.inputs / "survivors.json"
    fleet.configure(
        '[steps."3"]\ninputs = ["survivors.json"]\n'
        f'[steps."3".remedy]\ninputs = ["/bin/cp", "{source}", "{target}"]\n'
    )
    assert fleet.preflight("3", "--remedy", code=0)["verdict"] == "go"
    (done,) = fleet.events("type=remedy_completed")
    assert (done["data"]["node"], done["data"]["check"]) == ("zeus", "inputs")


def test_what_a_remedy_says_is_bounded_and_holds_no_secret(fleet: Fleet) -> None:
    script = "echo token=s3cr3tV4lue of $2 >&2; while :; do cat /bin/sh; done"
    with_remedy(fleet, "/bin/sh", "-c", script, "x", "--password", "hunter2-hunter2")
    fleet.preflight("3", "--remedy", code=10)
    for event in fleet.events("type=remedy_completed"):
        assert "exit_code" not in event["data"]
        assert "hunter2" not in event["data"]["command"]
        assert len(event["data"]["detail"]) <= 2000
    with_remedy(fleet, "/bin/sh", "-c", "echo token=s3cr3tV4lue; exit 3")
    fleet.preflight("3", "--remedy", code=10)
    assert fleet.events("type=remedy_completed")[-1]["data"]["detail"] == "token=<redacted>"
