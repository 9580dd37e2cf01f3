"""`runledger cleanup`: looks, acts, warns, feeds the next preflight, and fails no run."""

from __future__ import annotations

import os

import pytest

from tests.fleet import Fleet, rules
from tests.rigs import KERNEL_START, MIB

LEVEL = "power_dpm_force_performance_level"


@pytest.fixture
def fleet(fleet: Fleet) -> Fleet:
    """Cleaning up makes no ledger: there is one."""
    assert fleet.run("upgrade").returncode == 0
    return fleet


def level(fleet: Fleet, name: str, index: int) -> str:
    return (fleet.rigs[name].card_dir(index) / LEVEL).read_text().strip()


def test_clocks_are_reset_and_orphans_are_told_to_the_next_preflight(fleet: Fleet) -> None:
    rig = (
        fleet.rigs["rig-6600"].set(1, LEVEL, "high\n").set(2, "mem_info_vram_used", str(3000 * MIB))
    )
    cleaned = fleet.json("cleanup", code=0)
    assert [node["node"] for node in cleaned["nodes"]] == [*fleet.rigs, "zeus"]
    assert level(fleet, "rig-6600", 1) == "auto"
    assert list(cleaned["nodes"][0]["orphaned_vram_mib"]) == [rig.pci(2)]
    assert len(fleet.events("type=cleanup_completed")) == 4
    decision = fleet.preflight(code=0)
    card = f"gpu/rig-6600/{rig.pci(2)}"
    assert set(rules(decision, "warn")["cleanup_warning"]) == {card}


def test_nothing_is_written_to_a_card_with_an_smu_error_since_boot(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"].set(1, LEVEL, "high\n").set(2, LEVEL, "high\n")
    line = f"amdgpu {rig.pci(1)}: amdgpu: SMU: I'm not done with your previous command!"
    rig.journal([KERNEL_START, line])
    cleaned = fleet.json("cleanup", "--node", "rig-6600", code=0)
    assert level(fleet, "rig-6600", 1) == "high"
    assert level(fleet, "rig-6600", 2) == "auto"
    assert any(rig.pci(1) in warning for warning in cleaned["nodes"][0]["warnings"])
    assert len(fleet.events("type=smu_error")) == 1


def test_nothing_is_written_where_an_smu_error_since_boot_names_no_card(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"].set(1, LEVEL, "high\n")
    line = "amdgpu: [powerplay] failed send message: RunBtc (58) param: 0x0 response 0xffffffc2"
    rig.journal([KERNEL_START, line])
    cleaned = fleet.json("cleanup", "--node", "rig-6600", code=0)
    assert level(fleet, "rig-6600", 1) == "high"
    assert len(cleaned["nodes"][0]["warnings"]) == fleet.gpus


def test_a_dry_run_writes_nothing_anywhere(fleet: Fleet) -> None:
    fleet.rigs["rig-6600"].set(1, LEVEL, "high\n")
    cleaned = fleet.json("cleanup", "--dry-run", "--node", "rig-6600", code=0)
    assert cleaned["dry_run"] is True
    assert cleaned["stored"] == 0
    assert level(fleet, "rig-6600", 1) == "high"
    assert "would write auto" in str(cleaned["nodes"][0]["actions"])
    assert fleet.events() == []
    assert fleet.smu_reads == 0


def test_compile_caches_go_and_sudo_is_used_only_where_asked_for(fleet: Fleet) -> None:
    fleet.has_controller = False
    fleet.configure()
    rig = fleet.rigs["rig-6600"].tool("sudo", 'echo "$*" >>"$HOME/sudo.calls"; shift; exec "$@"')
    for home in (rig.home, fleet.sshd.home):
        (home / ".cache/comgr").mkdir(parents=True)
        (home / ".cache/miopen").mkdir()
    fleet.json("cleanup", code=0)
    assert sorted(os.listdir(rig.home / ".cache")) == ["comgr", "miopen"]
    cleaned = fleet.json("cleanup", "--compile-cache", "comgr", "--sudo", code=0)
    assert sorted(os.listdir(rig.home / ".cache")) == ["miopen"]
    actions = {action["name"]: action for action in cleaned["nodes"][0]["actions"]}
    assert actions["clear_comgr_cache"]["ok"]
    assert not (rig.home / "sudo.calls").exists(), "no level had to be written"


def test_a_node_that_is_down_is_said_and_fails_nothing(fleet: Fleet) -> None:
    fleet.addresses["gone"] = "127.0.0.77"
    fleet.configure()
    cleaned = fleet.json("cleanup", code=0)
    gone = cleaned["nodes"][3]
    assert (gone["node"], gone["reachable"]) == ("gone", False)
    assert "not cleaned up" in gone["warnings"][0]
    assert len(fleet.events("type=cleanup_completed")) == 4


def test_a_name_that_is_not_configured_is_not_found(fleet: Fleet) -> None:
    done = fleet.run("cleanup", "--node", "rig-6600x")
    assert done.returncode == 3
    assert "did you mean rig-6600" in done.stderr
    assert fleet.run("probe", "--node", "rig-6600x").returncode == 3


def test_it_can_be_called_from_python(fleet: Fleet) -> None:
    with fleet.opened() as opened:
        cleaned = opened.cleanup(["rig-6600b"])
    assert [each.node for each in cleaned.nodes] == ["rig-6600b"]
    assert all(action.ok for action in cleaned.nodes[0].actions)
