"""The state of the card of a job that failed is read where the card is: over SSH on a rig."""

from __future__ import annotations

from typing import Any

from tests.fleet import Fleet


def fail(fleet: Fleet, *options: str) -> dict[str, Any]:
    """The `gpu_state` that is stored with a job that failed."""
    done = fleet.run("exec", *options, "--", "sh", "-c", "exit 3")
    assert done.returncode == 3, done.stderr
    state: dict[str, Any] = fleet.events("type=job_failed_with_traceback")[-1]["data"]["gpu_state"]
    return state


def test_it_is_that_of_the_jobs_node_and_costs_no_smu_read(fleet: Fleet) -> None:
    rig = fleet.rigs["rig-6600"].dead(2)
    state = fail(fleet, "--node", "rig-6600", "--pci", rig.pci(2))
    assert (state["host"], state["pci"], state["present"]) == ("rig-6600", rig.pci(2), True)
    assert [card["state"] for card in state["cards"]] == ["unresponsive"], state
    by_address = fail(fleet, "--node", "127.0.0.2", "--pci", rig.pci(1))
    (card,) = by_address["cards"]
    assert (by_address["host"], card["vram_used_mib"]) == ("rig-6600", 17)
    assert fleet.smu_reads == 0


def test_without_a_card_all_of_the_nodes_are_told(fleet: Fleet) -> None:
    assert len(fail(fleet, "--node", "rig-6600b")["cards"]) == fleet.gpus
    assert len(fail(fleet, "--node", "zeus")["cards"]) == 2


def test_a_node_that_went_down_with_the_job_is_said_and_holds_nothing_up(fleet: Fleet) -> None:
    fleet.addresses["gone"] = "127.0.0.77"
    fleet.configure()
    state = fail(fleet, "--node", "gone", "--pci", "22:00.0")
    assert state["error"].startswith("refused: ")
    assert "cards" not in state
