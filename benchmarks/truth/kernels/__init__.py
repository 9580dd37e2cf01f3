# ruff: noqa: E501 - kernel lines are as long as they are
"""What kernels print when something happens to a card, by vendor and generation.

Each function gives (seconds after the hit, text) pairs. The texts follow public bug reports and
driver sources; what a generation does not print is not printed here either. Nothing in this
module knows what anyone makes of a line.
"""

from __future__ import annotations

import random

from benchmarks.truth.fate import Symptom
from benchmarks.truth.kernels import amd, links, nvidia
from benchmarks.truth.kernels.said import Said
from benchmarks.truth.layout import Machine, pci, port


def said(machine: Machine, slot: int, symptom: Symptom, rng: random.Random, *, well: bool) -> Said:
    """The lines of one symptom of the card in a slot; ``well``: it came back by itself."""
    if symptom in ("aer", "aer_fatal"):
        lines = links.said(machine, slot, symptom == "aer_fatal", rng)
    elif machine.generation.device.startswith("10de"):
        lines = nvidia.said(machine, slot, symptom, rng)
    else:
        lines = amd.said(machine, slot, symptom, rng, well)
    return sorted(lines, key=lambda line: line[0])


def program_fault(machine: Machine, slot: int, token: str) -> Said:
    """What a program with a fault makes the driver say; about half of them nothing."""
    rng = random.Random(token)
    if rng.random() < 0.5:
        return []
    pid = rng.randrange(2000, 90000)
    if machine.generation.device.startswith("10de"):
        xid, text = rng.choice(
            (
                (31, f"pid={pid}, name=python3, Ch 00000008, intr 00000000. MMU Fault: ENGINE GRAPHICS "
                 "GPCCLIENT_T1_8 faulted @ 0x73ac_1c000000. Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ"),
                (13, f"pid={pid}, name=python3, Graphics SM Warp Exception on (GPC 1, TPC 2, SM 0): Out Of Range Address"),
                (43, f"pid={pid}, name=pt_main_thread, Ch 00000008"),
            )
        )  # fmt: skip
        more = [
            (0.4, nvidia.xid(slot, 45, f"pid={pid}, name=python3, Ch 0000000{n}")) for n in range(3)
        ]
        return [(0.0, nvidia.xid(slot, xid, text)), *(more if xid == 31 else [])]
    head = amd.prefix(machine, slot)
    group = [
        (0.0, f"{head}[gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32771, for process python3 "
         f"pid {pid} thread python3 pid {pid})"),
        (0.00001, f"{head}  in page starting at address 0x00007f6d1c000000 from client 0x1b (UTCL2)"),
        (0.00002, f"{head}GCVM_L2_PROTECTION_FAULT_STATUS:0x00801031"),
    ]  # fmt: skip
    return [(at + n, text) for n in range(rng.randint(1, 3)) for at, text in group]


def booted(machine: Machine, dead: list[int], rng: random.Random) -> Said:
    """The noise of a boot, and what a dead card adds to it."""
    lines: Said = [
        (0.0, "Linux version 6.8.0-45-generic (buildd@lcy02) #45-Ubuntu SMP"),
        (0.0, "Command line: BOOT_IMAGE=/vmlinuz ro amdgpu.ppfeaturemask=0xffffffff quiet"),
        (0.0, "BIOS-e820: [mem 0x00000000ff000000-0x00000000ffffffff] reserved"),
        (7.0, "iwlwifi 0000:00:14.3: HW error, resetting: CSR 0xFFFFFFFF"),
    ]
    if machine.generation.device.startswith("10de"):
        lines.append((5.0, "NVRM: loading NVIDIA UNIX x86_64 Kernel Module"))
        if machine.generation.has_ecc and rng.random() < 0.1:
            slot = rng.randrange(8)
            lines += [(21.0 + n, nvidia.nvlink(machine, slot, n, fatal=False)) for n in range(3)]
        for slot in dead:
            lines += [
                (9.0 + n, f"NVRM: GPU {pci(slot)}: RmInitAdapter failed! (0x24:0x65:1457)")
                for n in range(2)
            ]
        return lines
    for slot in range(8):
        head = amd.prefix(machine, slot)
        if slot in dead:
            lines += [
                (9.7, f"{head}SMU: I'm not done with your previous command: SMN_C2PMSG_66:0x00000006 "
                 "SMN_C2PMSG_82:0x00000000"),
                (9.8, f"{head}Fatal error during GPU init"),
                (9.9, f"amdgpu: probe of {pci(slot)} failed with error -62"),
            ]  # fmt: skip
        else:
            lines += [
                (8.2, f"{head}SMU driver if version not matched"),
                (8.3, f"{head}SMU is initialized successfully!"),
                (8.8, f"{head}ring gfx_0.0.0 uses VM inv eng 0 on hub 0"),
            ]
    return lines


def chatter(slot: int, rng: random.Random) -> Said:
    """A link that corrects its errors, and says so."""
    return [
        (n * 0.5, f"pcieport {port(slot)}: AER: Corrected error message received from {pci(slot)}")
        for n in range(rng.randint(1, 12))
    ]


def harmless(rng: random.Random) -> Said:
    """Lines that mean nothing to a card, some with words that do elsewhere."""
    return [
        (0.0, rng.choice((
            "iwlwifi 0000:00:14.3: HW error, resetting: CSR 0xFFFFFFFF",
            "RAX: ffffffffffffffda RBX: 0000000000000003 RCX: 00007ff0e1d49a7f",
            "audit: type=1400 audit(1700000000.1:33): apparmor=\"ALLOWED\" operation=\"open\"",
            "usb 1-3: device descriptor read/64, error -71",
            "EXT4-fs (nvme0n1p2): mounted filesystem with ordered data mode",
            "TCP: request_sock_TCP: Possible SYN flooding on port 8080. Sending cookies.",
        )))
    ]  # fmt: skip
