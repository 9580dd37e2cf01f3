# ruff: noqa: E501 - kernel lines are as long as they are
"""What NVIDIA's driver prints: Xids, and since 570 the recovery action that it asks for."""

from __future__ import annotations

import random

from benchmarks.truth.fate import Symptom
from benchmarks.truth.kernels.said import Said
from benchmarks.truth.layout import Machine, pci


def xid(slot: int, code: int, text: str) -> str:
    """One Xid of a card."""
    return f"NVRM: Xid (PCI:{pci(slot).rpartition('.')[0]}): {code}, {text}"


def action(machine: Machine, slot: int, what: str) -> Said:
    """What newer drivers say is to be done."""
    if machine.generation.kernel < "550":
        return []
    return [(0.5, xid(slot, 154, f"GPU recovery action changed from 0x0 (None) to {what}"))]


def said(machine: Machine, slot: int, symptom: Symptom, rng: random.Random) -> Said:
    """The lines of one symptom."""
    pid = rng.randrange(2000, 90000)
    who = f"pid={pid}, name=python3"
    ecc = machine.generation.has_ecc
    if symptom in ("bus", "dead", "power"):
        return [
            (0.0, xid(slot, 79, f"{who}, GPU has fallen off the bus.")),
            (0.0, f"NVRM: GPU {pci(slot)}: GPU has fallen off the bus."),
            *action(machine, slot, "0x2 (Node Reboot Required)"),
        ]
    if symptom == "smu":
        reset = action(machine, slot, "0x1 (GPU Reset Required)")
        if not ecc:
            return [(0.0, xid(slot, 62, f"{who}, 0000(0000) 00000000 00000000"))]
        lines: Said = [
            (6.0 * n, xid(slot, 119, f"{who}, Timeout after 6s of waiting for RPC response from GPU{slot} GSP! "
                            "Expected function 76 (GSP_RM_CONTROL) (0x20800a4c 0x4)."))
            for n in range(rng.randint(1, 5))
        ]  # fmt: skip
        return lines + reset
    if symptom == "hang":
        code, text = (
            (109, f"{who}, Ch 00000010, errorString CTX SWITCH TIMEOUT, Info 0x2c018")
            if ecc
            else (8, f"{who}, Channel 00000010")
        )
        return [(0.0, xid(slot, code, text))]
    if symptom == "ecc" and ecc:
        return _memory(machine, slot, who, rng)
    if symptom == "ecc":
        return [
            (0.0, xid(slot, rng.choice((31, 13)), f"{who}, Ch 00000008, intr 00000000. MMU Fault: ENGINE "
             "GRAPHICS GPCCLIENT_T1_8 faulted @ 0x73ac_1c000000."))
        ]  # fmt: skip
    return []


def _memory(machine: Machine, slot: int, who: str, rng: random.Random) -> Said:
    drawn = rng.random()
    if drawn < 0.35:
        return [
            (0.0, xid(slot, 48, f"{who}, DBE (double bit error) detected on GPU in the framebuffer at physAddr 0x18f31d80")),
            (0.1, xid(slot, 63, f"{who}, Row Remapper: New row marked for remapping, reset gpu to activate.")),
            *action(machine, slot, "0x1 (GPU Reset Required)"),
        ]  # fmt: skip
    if drawn < 0.6:
        return [(0.0, xid(slot, 94, f"{who}, Contained: SM (0x1). RST: No, D-RST: No"))]
    if drawn < 0.8:
        return [
            (0.0, xid(slot, 95, f"{who}, Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No")),
            *action(machine, slot, "0x1 (GPU Reset Required)"),
        ]
    return [(0.0, xid(slot, 64, f"{who}, Row Remapper: Error: New row remapping failed"))]


def nvlink(machine: Machine, slot: int, number: int, *, fatal: bool) -> str:
    """An error of an NVLink: 74 on older cards, 144 to 150 since Blackwell\'s drivers."""
    if machine.generation.kernel < "550":
        return xid(
            slot,
            74,
            f"NVLink: fatal error detected on link {number}(0x10000, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)",
        )
    word = "Fatal   " if fatal else "Nonfatal"
    return xid(
        slot,
        149 if fatal else 145,
        f"NETIR_LINK_EVT  {word} XC0 i0 Link 0{number} (0x021425c6 0x00000000)",
    )
