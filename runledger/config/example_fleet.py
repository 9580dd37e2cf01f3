"""The fleet that ``init --example`` writes: the one that runledger grew up with.

Three machines, seven steps, and the two cards that were known to be bad in
January 2026. Nothing of it goes anywhere unless it is asked for.
"""

from __future__ import annotations

from typing import Any

from ledger.identifiers import gpu_subject
from ledger.payloads import OverrideSet

_TIMEOUT_S = 7200
_RAMDISK = ["/dev/shm/prng/step3/train_history.json", "/dev/shm/prng/step3/holdout_history.json"]  # noqa: S108

NODES: list[dict[str, Any]] = [
    {"name": "zeus", "address": "localhost", "gpus": 2, "ramdisk": False},
    {
        "name": "rig-6600",
        "address": "192.168.3.120",
        "gpus": 12,
        "user": "michael",
        "ramdisk_path": "/dev/shm/prng",  # noqa: S108
    },
    {
        "name": "rig-6600b",
        "address": "192.168.3.154",
        "gpus": 12,
        "user": "michael",
        "ramdisk_path": "/dev/shm/prng",  # noqa: S108
    },
]

STEPS: dict[str, dict[str, Any]] = {
    "0": {"timeout_s": _TIMEOUT_S},
    "1": {"timeout_s": _TIMEOUT_S},
    # The coordinator calls it 2.5.
    "2": {"timeout_s": _TIMEOUT_S, "aliases": ["2.5"], "ramdisk": _RAMDISK},
    **{step: {"timeout_s": _TIMEOUT_S, "ramdisk": _RAMDISK} for step in "3456"},
}

_KNOWN_CARDS = (
    ("rig-6600", "0000:22:00.0", "GPU 10: SMU 0xFFFFFFFF, took the rig down on 24 January"),
    ("rig-6600b", "0000:0f:00.0", "GPU 4: SMU 0xFFFFFFFF, its fan service is off"),
)


def watches() -> list[OverrideSet]:
    """The watch list to begin with: see docs/hardware-issues.md."""
    return [
        OverrideSet(
            subject=gpu_subject(node, pci), action="watch", reason=reason, by="runledger init"
        )
        for node, pci, reason in _KNOWN_CARDS
    ]
