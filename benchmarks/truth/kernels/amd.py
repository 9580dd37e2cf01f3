# ruff: noqa: E501 - kernel lines are as long as they are
"""What amdgpu prints, from Linux 5.4 (powerplay, which names no card) to 7.0."""

from __future__ import annotations

import random

from benchmarks.truth.fate import Symptom
from benchmarks.truth.kernels.said import Said
from benchmarks.truth.layout import Machine, pci, port


def _since(kernel: str, *version: int) -> bool:
    return tuple(map(int, kernel.split("."))) >= version


def prefix(machine: Machine, slot: int) -> str:
    """How the driver begins a line about a card."""
    kernel = machine.generation.kernel
    return f"amdgpu {pci(slot)}: " if kernel.startswith("7") else f"amdgpu {pci(slot)}: amdgpu: "


def said(machine: Machine, slot: int, symptom: Symptom, rng: random.Random, well: bool) -> Said:
    """The lines of one symptom."""
    kernel, head = machine.generation.kernel, prefix(machine, slot)
    if symptom in ("bus", "dead", "power"):
        return _lost(kernel, head, slot, rng)
    if symptom == "smu":
        return _stuck(kernel, head, rng) + _reset(kernel, head, 12.0, well)
    if symptom == "ecc" and machine.generation.has_ecc:
        lines: Said = [
            (
                0.0,
                f"{head}socket: 0, die: 0, {rng.randint(1, 4)} new uncorrectable hardware errors detected in umc block",
            )
        ]
        if rng.random() < 0.5:
            lines = [
                (0.0, f"{head}uncorrectable hardware error(ERREVENT_ATHUB_INTERRUPT) detected!")
            ]
        return lines + _reset(kernel, head, 0.2, True)
    if symptom == "ecc":  # no ECC: bits that flipped are addresses that do not exist, or a hang
        if rng.random() < 0.5:
            return _page_faults(head, rng)
        return _hang(kernel, head, slot, rng) + _reset(kernel, head, 0.6, True)
    if symptom == "hang":
        return _hang(kernel, head, slot, rng) + _reset(kernel, head, 0.6, well)
    if symptom == "hot":
        lines = [(0.0, f"{head}ERROR: GPU over temperature range(SW CTF) detected!")]
        return lines if rng.random() < 0.4 else []
    return []


def _page_faults(head: str, rng: random.Random) -> Said:
    """A page fault as bad memory makes it: the same words as a bad program's."""
    pid = rng.randrange(2000, 90000)
    return [
        (n * 1.0, f"{head}[gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32771, for process "
         f"python3 pid {pid} thread python3 pid {pid})")
        for n in range(rng.randint(2, 6))
    ]  # fmt: skip


def _lost(kernel: str, head: str, slot: int, rng: random.Random) -> Said:
    count = rng.randint(1, 12)
    if kernel == "5.4":
        bare = "amdgpu: [powerplay] "
        return [
            (
                n * 2.0,
                f"{bare}failed send message: TransferTableSmu2Dram (18) \tparam: 0x00000006 response 0xffffffc2",
            )
            for n in range(count)
        ]
    lines: Said = []
    if _since(kernel, 6, 1) and rng.random() < 0.5:
        lines += [
            (0.0, f"pcieport {port(slot)}: pciehp: Slot({slot}): Link Down"),
            (0.0, f"pcieport {port(slot)}: pciehp: Slot({slot}): Card not present"),
        ]
    if _since(kernel, 6, 11):
        lines.append((0.1, f"{head}device lost from bus!"))
    if kernel == "7.0":
        text = "SMU: bus error for message: TransferTableSmu2Dram(5) response:0xFFFFFFFF"
    else:
        text = (
            "SMU: response:0xFFFFFFFF for index:18 param:0x00000005 message:TransferTableSmu2Dram?"
        )
    lines += [(0.2 + n * 0.01, f"{head}{text}") for n in range(min(count, 10))]
    lines.append((0.3, f"{head}Failed to export SMU metrics table!"))
    if count > 10:
        lines.append(
            (5.5, f"__smu_cmn_reg_print_error: {rng.randint(3, 900)} callbacks suppressed")
        )
    if _since(kernel, 6, 11) and rng.random() < 0.5:
        lines.append((6.0, f"{head}SMU is in hanged state, failed to send smu message!"))
    lines.append((7.0, f"{head}Unable to change power state from D3hot to D0, device inaccessible"))
    if rng.random() < 0.3:
        lines.append((9.0, f"{head}SMU is resumed successfully!"))
    return lines


def _stuck(kernel: str, head: str, rng: random.Random) -> Said:
    count = rng.randint(1, 6)
    if kernel == "5.4":
        return [
            (
                n * 4.3,
                "amdgpu: [powerplay] failed send message: TransferTableSmu2Dram (18) \tparam: 0x00000006 response 0xffffffc2",
            )
            for n in range(count)
        ]
    if kernel == "5.15":
        text = "SMU: I'm not done with your previous command!"
    elif kernel == "7.0":
        text = "SMU: No response msg_reg: 12 resp_reg: 0"
    else:
        text = "SMU: I'm not done with your previous command: SMN_C2PMSG_66:0x00000012 SMN_C2PMSG_82:0x00000005"
    lines: Said = []
    for n in range(count):
        lines.append((n * 4.3, f"{head}{text}"))
        lines.append((n * 4.3 + 0.001, f"{head}Failed to export SMU metrics table!"))
    return lines


def _hang(kernel: str, head: str, slot: int, rng: random.Random) -> Said:
    seq = rng.randrange(1000, 900000)
    words = f"ring gfx_0.0.0 timeout, signaled seq={seq}, emitted seq={seq + 2}"
    if not _since(kernel, 6, 9):  # names no card
        return [(0.0, f"[drm:amdgpu_job_timedout [amdgpu]] *ERROR* {words}")]
    return [(0.0, f"{head}{words}")]


def _reset(kernel: str, head: str, after: float, well: bool) -> Said:
    begin = "GPU reset begin!. Source:  1" if _since(kernel, 6, 11) else "GPU reset begin!"
    lines = [(after, f"{head}{begin}")]
    if well:
        lines.append((after + 3.0, f"{head}GPU reset(2) succeeded!"))
    else:
        lines.append((after + 9.0, f"{head}GPU reset(2) failed"))
        lines.append((after + 9.1, f"{head}GPU reset end with ret = -62"))
    return lines
