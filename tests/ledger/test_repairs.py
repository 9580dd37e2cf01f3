"""What an operator says a repair showed: taken for cards and nodes, and for nothing else."""

from __future__ import annotations

import pytest

from ledger import InvalidEvents, new_event
from ledger.payloads import RepairDone


def repair(about: str, **attributes: str) -> str:
    payload = RepairDone(
        subject=about, found="riser", swapped=True, by="op", reason="fell off the bus"
    )
    return new_event(payload, time_us=0, source="test", **attributes).subject


def test_a_repair_is_about_its_card_or_node() -> None:
    assert repair("gpu/rig/22:00.0") == "gpu/rig/0000:22:00.0"
    assert repair("node/rig") == "node/rig"


def test_a_repair_of_anything_else_is_refused() -> None:
    with pytest.raises(InvalidEvents, match="neither a card nor a node"):
        repair("study/w")


def test_a_repair_names_one_subject_only() -> None:
    with pytest.raises(InvalidEvents, match="differs from the event's subject"):
        repair("gpu/rig/22:00.0", subject="gpu/rig/0000:21:00.0")
