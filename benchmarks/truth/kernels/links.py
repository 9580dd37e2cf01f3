# ruff: noqa: E501 - kernel lines are as long as they are
"""What is printed of the links to a card: PCI Express ports, and NVLink."""

from __future__ import annotations

import random

from benchmarks.truth.kernels import nvidia
from benchmarks.truth.kernels.said import Said
from benchmarks.truth.layout import Machine, pci, port


def said(machine: Machine, slot: int, fatal: bool, rng: random.Random) -> Said:
    """An error of the link to a card; one that is not ``fatal`` was corrected."""
    of_nvidia = machine.generation.device.startswith("10de")
    if of_nvidia and machine.generation.has_ecc and rng.random() < 0.5:
        lines: Said = [
            (n * 0.1, nvidia.nvlink(machine, slot, rng.randrange(8), fatal=fatal))
            for n in range(rng.randint(1, 4))
        ]
        return lines + (nvidia.action(machine, slot, "0x4 (Drain and Reset)") if fatal else [])
    driver = "nvidia" if of_nvidia else "amdgpu"
    if fatal:
        return [
            (0.0, f"pcieport {port(slot)}: AER: Uncorrectable (Fatal) error message received from {pci(slot)}"),
            (0.1, f"{driver} {pci(slot)}: PCIe Bus Error: severity=Uncorrectable (Fatal), type=Transaction Layer, (Requester ID)"),
        ]  # fmt: skip
    lines = []
    for n in range(rng.randint(5, 60)):
        lines.append(
            (
                n * 1.0,
                f"pcieport {port(slot)}: AER: Multiple Correctable error message received from {pci(slot)}",
            )
        )
        lines.append(
            (
                n * 1.0,
                f"{driver} {pci(slot)}: PCIe Bus Error: severity=Correctable, type=Data Link Layer, (Receiver ID)",
            )
        )
    return lines
