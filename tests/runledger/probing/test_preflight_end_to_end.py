"""`runledger preflight` over a real sshd: what is wrong with a fleet is what its verdict says."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable

import pytest

from tests.fleet import RIGS, Fleet, rules
from tests.probing import HARMLESS
from tests.rigs import BOOT_ID, KERNEL_START, PREVIOUS_BOOT_ID, Rig
from tests.sshd import make_key

MakeFleet = Callable[..., Fleet]

RAMDISK = "/dev/shm/prng/step3/train_history.json"
STEP_3 = '[steps."3"]\ntimeout_s = 7200\n'
LOST = "SMU: response:0xFFFFFFFF for index:18 param:0x00000005 message:TransferTableSmu2Dram?"


def journal(*lines: str) -> list[str]:
    return [KERNEL_START, *lines]


def lost(pci: str) -> str:
    return f"amdgpu {pci}: amdgpu: {LOST}"


def test_a_healthy_fleet_may_start_and_every_card_was_asked_once(fleet: Fleet) -> None:
    for rig in fleet.rigs.values():
        rig.journal(journal(*HARMLESS))
    decision = fleet.preflight(code=0)
    assert decision["verdict"] == "go"
    assert decision["outcome"]["nodes"] == [*RIGS, "zeus"]
    assert fleet.smu_reads == 3 * fleet.gpus
    probes = fleet.events("type=gpu_probe")
    assert sum(event["data"]["smu_reads"] for event in probes) == 3 * fleet.gpus + 2
    assert {event["step"] for event in probes} == {"3"}


@pytest.mark.parametrize("allowed", [0, 1])
def test_a_rig_that_is_down_is_named_and_missing_where_the_policy_allows_it(
    make_fleet: MakeFleet, allowed: int
) -> None:
    fleet = make_fleet(rigs={"rig-6600": "127.0.0.2", "rig-6600b": "127.0.0.3"})
    fleet.addresses["rig-6600c"] = "127.0.0.77"
    fleet.configure(STEP_3, policy=f"[preflight]\nallow_missing_nodes = {allowed}\n")
    decision = fleet.preflight(code=0 if allowed else 10)
    assert decision["verdict"] == ("degraded" if allowed else "no_go")
    assert rules(decision)["node_unreachable"] == ["node/rig-6600c"]
    assert "refused" in decision["findings"][0]["message"]
    assert decision["outcome"]["nodes"] == ["rig-6600", "rig-6600b", "zeus"]
    assert decision["outcome"]["excluded_nodes"] == ["rig-6600c"]


def test_a_rig_that_takes_the_connection_and_never_answers_costs_one_timeout(
    fleet: Fleet,
) -> None:
    with socket.create_server(("127.0.0.66", fleet.sshd.port)):
        fleet.addresses["silent"] = "127.0.0.66"
        fleet.configure(STEP_3)
        started = time.monotonic()
        decision = fleet.preflight(code=10)
    assert time.monotonic() - started < 30, "it took the total timeout"
    assert rules(decision)["node_unreachable"] == ["node/silent"]
    assert "timeout" in decision["findings"][0]["message"]


def test_a_dead_card_blocks_until_it_is_excluded_and_is_never_asked(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600b"].dead(2)
    before = rig.smu_reads
    subject = f"gpu/rig-6600b/{rig.pci(2)}"
    decision = fleet.preflight(code=10)
    assert rules(decision, "block") == {"gpu_unresponsive": [subject]}
    assert rig.smu_reads - before == fleet.gpus - 1
    assert (
        fleet.run(
            "override", subject, "exclude", "--reason", "off the bus", "--by", "ops"
        ).returncode
        == 0
    )
    decision = fleet.preflight(code=0)
    assert decision["verdict"] == "degraded"
    (out,) = decision["outcome"]["excluded_gpus"]["rig-6600b"]
    assert (out["pci"], out["index"]) == (rig.pci(2), 2)


def test_a_card_that_fell_out_of_sysfs_is_missed(fleet: Fleet) -> None:
    fleet.rigs["rig-6600"].gone(1)
    decision = fleet.preflight(code=10)
    assert rules(decision, "block") == {"gpu_missing": ["node/rig-6600"]}


def test_a_stuck_smu_is_found_though_it_never_prints_ffffffff(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"]
    line = f"amdgpu {rig.pci(3)}: amdgpu: SMU: I'm not done with your previous command!"
    rig.stuck(3).journal(journal(line))
    decision = fleet.preflight(code=11)
    subject = f"gpu/rig-6600/{rig.pci(3)}"
    assert rules(decision, "unknown") == {"gpu_unknown": [subject]}
    (error,) = fleet.events("type=smu_error")
    assert (error["data"]["signature"], error["data"]["pci"]) == ("not_done", rig.pci(3))
    assert rig.smu_reads == fleet.gpus - 1
    excluded = fleet.json("exclusions")["outcome"]["gpus"]
    assert [(each["subject"], each["state"]) for each in excluded] == [(subject, "watch")]


def test_an_smu_that_hangs_without_a_word_in_the_log_is_recorded_and_then_left_alone(
    fleet: Fleet,
) -> None:
    rig = fleet.rigs["rig-6600"].stuck(1)
    subject = f"gpu/rig-6600/{rig.pci(1)}"
    decision = fleet.preflight(code=11)
    assert rules(decision, "unknown") == {"gpu_unknown": [subject]}
    (hung,) = fleet.events("type=command_hung")
    assert hung["data"]["pci"] == rig.pci(1)
    again = fleet.run("preflight", "--step", "3")
    assert again.returncode == 11
    assert f"rig-6600: {rig.pci(1)}: known to have failed; its SMU was not asked" in again.stderr
    # Asked again, it would have hung again.
    assert len(fleet.events("type=command_hung")) == 1


def test_a_card_that_gave_an_error_is_not_asked_again_and_stays_unresponsive(
    fleet: Fleet,
) -> None:
    rig = fleet.rigs["rig-6600"].smu_error(2, "Timer expired")
    for _ in range(2):
        decision = fleet.preflight(code=10)
        assert rules(decision, "block") == {"gpu_unresponsive": [f"gpu/rig-6600/{rig.pci(2)}"]}
    # Every period of the clock it may be asked once; these two looks may lie in two of them.
    assert (rig.folder / "smu.log").read_text().count("\n") <= 2


def test_an_error_of_a_bridge_is_that_of_the_only_card_behind_it(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"].behind(1, "0000:00:01.1")
    error = "PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer, (Receiver ID)"
    rig.journal(journal(*(f"pcieport 0000:00:0{n}.1: AER: {error}" for n in (1, 2))))
    assert fleet.preflight(code=0)["verdict"] == "go"
    faults = fleet.events("type=gpu_fault,node=rig-6600")
    assert [event["data"].get("pci") for event in faults] == [rig.pci(1), None]


def test_cards_that_fail_together_put_the_blame_on_their_rig(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600c"]
    rig.dead(0, 1, 3).journal(journal(*(lost(rig.pci(index)) for index in (0, 1, 3))))
    decision = fleet.preflight(code=10)
    assert rules(decision, "block")["common_cause"] == ["node/rig-6600c"]
    # They do not answer, and so sit out; it is held against none of them.
    assert {gpu["state"] for gpu in fleet.json("exclusions")["outcome"]["gpus"]} == {"down"}


def test_a_ramdisk_is_empty_after_a_reboot(fleet: Fleet) -> None:
    fleet.has_controller = False
    fleet.configure(f'[steps."3"]\nramdisk = ["{RAMDISK}"]\n')
    for rig in fleet.rigs.values():
        rig.write(RAMDISK, "{}")
    assert fleet.preflight(code=0)["verdict"] == "go"
    (checked,) = fleet.events("type=ramdisk_checked,node=rig-6600b")
    assert checked["data"]["files"] == [{"path": RAMDISK, "present": True, "bytes": 2}]
    assert checked["data"]["free_mib"] > 0
    rig = fleet.rigs["rig-6600b"]
    rig.reboot(PREVIOUS_BOOT_ID, lose_ramdisk=True).write("proc/uptime", "40.00 1.00\n")
    rig.journal(journal())
    decision = fleet.preflight(code=10)
    assert rules(decision) == {"ramdisk_missing": ["node/rig-6600b"]}
    assert RAMDISK in decision["findings"][0]["message"]


def test_what_was_logged_before_a_reboot_is_read_from_the_boot_before(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"]
    rig.journal(journal())
    assert fleet.preflight(code=0)["verdict"] == "go"
    rig.reboot(PREVIOUS_BOOT_ID).write("proc/uptime", "40.00 1.00\n").journal(journal())
    # The boot that was read before is now the last one, and more of it had been written.
    before = Rig(fleet.folder / "before", 0).journal(journal(lost(rig.pci(1))))
    shutil.copy(before.folder / "journal.0", rig.folder / "journal.1")
    assert fleet.preflight()["verdict"] == "go"
    (error,) = fleet.events("type=smu_error")
    assert (error["data"]["pci"], error["data"]["boot_id"]) == (rig.pci(1), BOOT_ID)
    with fleet.opened() as opened, opened.prober() as prober:
        boot = prober.state().nodes["rig-6600"].boot
        assert boot is not None
        assert boot.id == PREVIOUS_BOOT_ID
        assert boot.started_us is not None
        assert 40 <= (boot.since_us - boot.started_us) / 1_000_000 < 50
    assert fleet.preflight()["verdict"] == "go"
    assert len(fleet.events("type=smu_error")) == 1


@pytest.mark.parametrize("configured", [True, False])
def test_an_input_is_missed_on_the_controller_itself(
    make_fleet: MakeFleet, configured: bool
) -> None:
    fleet = make_fleet(controller=configured)
    fleet.configure('[steps."3"]\ninputs = ["bidirectional_survivors.json"]\n')
    decision = fleet.preflight(code=10)
    (finding,) = decision["findings"]
    assert finding["rule"] == "input_missing"
    assert finding["subject"] == ("node/zeus" if configured else "node/localhost")
    (fleet.inputs / "bidirectional_survivors.json").write_text("[1]")
    assert fleet.preflight(code=0)["verdict"] == "go"
    (fleet.inputs / "bidirectional_survivors.json").write_text("")
    assert "empty" in fleet.preflight(code=10)["findings"][0]["message"]


def test_an_input_with_another_hash_than_expected_blocks(fleet: Fleet) -> None:
    expected = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # of "[]"
    fleet.configure(
        f'[steps."3"]\ninputs = [{{ path = "survivors.json", sha256 = "{expected}" }}]\n'
    )
    (fleet.inputs / "survivors.json").write_text("[2]")
    assert rules(fleet.preflight(code=10), "block") == {"input_changed": ["node/zeus"]}
    (fleet.inputs / "survivors.json").write_text("[]")
    assert fleet.preflight(code=0)["verdict"] == "go"


def test_a_ramdisk_file_is_held_to_its_hash_too(fleet: Fleet) -> None:
    expected = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # of "[]"
    fleet.has_controller = False
    fleet.configure(f'[steps."3"]\nramdisk = [{{ path = "{RAMDISK}", sha256 = "{expected}" }}]\n')
    for rig in fleet.rigs.values():
        rig.write(RAMDISK, "[]")
    assert fleet.preflight(code=0)["verdict"] == "go"
    fleet.rigs["rig-6600"].write(RAMDISK, "[1]")
    assert rules(fleet.preflight(code=10)) == {"input_changed": ["node/rig-6600"]}


def test_a_kernel_log_that_may_not_be_read_is_unknown_never_clean(fleet: Fleet) -> None:
    fleet.rigs["rig-6600"].journal_forbidden().dmesg_forbidden()
    decision = fleet.preflight(code=11)
    assert rules(decision, "unknown") == {"evidence_missing": ["node/rig-6600"]}
    (scanned,) = fleet.events("type=kernel_log_scanned,node=rig-6600")
    assert scanned["data"]["readable"] is False
    (probe,) = fleet.events("type=ssh_probe,node=rig-6600")
    assert "systemd-journal" in probe["data"]["detail"]


@pytest.mark.parametrize("known", ["another", "none"])
def test_a_host_key_that_changed_or_is_unknown_is_refused(fleet: Fleet, known: str) -> None:
    if known == "another":
        fleet.sshd.trust(make_key(fleet.folder / "other_key"))
    else:
        fleet.sshd.known_hosts.write_text("")
    decision = fleet.preflight(code=10)
    assert len(rules(decision, "block")["node_unreachable"]) == 3
    probes = fleet.events("type=ssh_probe,node=rig-*")
    assert {event["data"]["error"] for event in probes} == {"host_key"}
    assert all("known_hosts" in event["data"]["detail"] for event in probes)
    assert fleet.smu_reads == 0


def test_a_configuration_without_nodes_gets_a_verdict_that_says_so(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(controller=False)
    fleet.addresses.clear()
    fleet.configure()
    decision = fleet.preflight(code=11)
    assert decision["verdict"] == "unknown"
    assert rules(decision) == {
        "no_nodes_configured": ["fleet"],
        "step_not_configured": ["step/3"],
    }
    assert fleet.run("probe").returncode == 2


def test_a_preflight_about_the_past_looks_at_nothing(fleet: Fleet) -> None:
    assert fleet.run("upgrade").returncode == 0  # an empty ledger: judging makes none
    fleet.preflight("3", "--at", "2026-01-24T18:00:00Z")
    fleet.preflight("3", "--as-of", "0")
    fleet.preflight("3", "--no-probe")
    assert fleet.events("type=ssh_probe") == []
    assert fleet.smu_reads == 0
