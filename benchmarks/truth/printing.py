# ruff: noqa: E501 - kernel lines are as long as they are
"""What kernels print when something happens to a card, by vendor and generation.

Each function gives (seconds after the hit, text) pairs. The texts follow public bug reports and
driver sources; what a generation does not print is not printed here either. Nothing in this
module knows what anyone makes of a line.
"""

from __future__ import annotations

import random

from benchmarks.truth.fate import Symptom
from benchmarks.truth.layout import Machine, pci, port

Said = list[tuple[float, str]]


def said(machine: Machine, slot: int, symptom: Symptom, rng: random.Random, *, well: bool) -> Said:
    """The lines of one symptom of the card in a slot; ``well``: it came back by itself."""
    if symptom in ("aer", "aer_fatal"):
        return _link(machine, slot, symptom == "aer_fatal", rng)
    if machine.generation.device.startswith("10de"):
        return _nvidia(machine, slot, symptom, rng)
    return _amd(machine, slot, symptom, rng, well)


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
        more = [(0.4, _xid(slot, 45, f"pid={pid}, name=python3, Ch 0000000{n}")) for n in range(3)]
        return [(0.0, _xid(slot, xid, text)), *(more if xid == 31 else [])]
    head = _head(machine, slot)
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
            lines += [(21.0 + n, _nvlink(machine, slot, n, fatal=False)) for n in range(3)]
        for slot in dead:
            lines += [
                (9.0 + n, f"NVRM: GPU {pci(slot)}: RmInitAdapter failed! (0x24:0x65:1457)")
                for n in range(2)
            ]
        return lines
    for slot in range(8):
        head = _head(machine, slot)
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


# -- AMD -----------------------------------------------------------------------------


def _since(kernel: str, *version: int) -> bool:
    return tuple(map(int, kernel.split("."))) >= version


def _head(machine: Machine, slot: int) -> str:
    kernel = machine.generation.kernel
    return f"amdgpu {pci(slot)}: " if kernel.startswith("7") else f"amdgpu {pci(slot)}: amdgpu: "


def _amd(machine: Machine, slot: int, symptom: Symptom, rng: random.Random, well: bool) -> Said:
    kernel, head = machine.generation.kernel, _head(machine, slot)
    if symptom in ("bus", "dead", "power"):
        return _amd_lost(kernel, head, slot, rng)
    if symptom == "smu":
        return _amd_stuck(kernel, head, rng) + _reset(kernel, head, 12.0, well)
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
            return program_fault_amd(head, rng)
        return _hang(kernel, head, slot, rng) + _reset(kernel, head, 0.6, True)
    if symptom == "hang":
        return _hang(kernel, head, slot, rng) + _reset(kernel, head, 0.6, well)
    if symptom == "hot":
        lines = [(0.0, f"{head}ERROR: GPU over temperature range(SW CTF) detected!")]
        return lines if rng.random() < 0.4 else []
    return []


def program_fault_amd(head: str, rng: random.Random) -> Said:
    """A page fault as bad memory makes it: the same words as a bad program's."""
    pid = rng.randrange(2000, 90000)
    return [
        (n * 1.0, f"{head}[gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32771, for process "
         f"python3 pid {pid} thread python3 pid {pid})")
        for n in range(rng.randint(2, 6))
    ]  # fmt: skip


def _amd_lost(kernel: str, head: str, slot: int, rng: random.Random) -> Said:
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


def _amd_stuck(kernel: str, head: str, rng: random.Random) -> Said:
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


# -- NVIDIA --------------------------------------------------------------------------


def _xid(slot: int, code: int, text: str) -> str:
    return f"NVRM: Xid (PCI:{pci(slot).rpartition('.')[0]}): {code}, {text}"


def _action(machine: Machine, slot: int, action: str) -> Said:
    if machine.generation.kernel < "550":
        return []
    return [(0.5, _xid(slot, 154, f"GPU recovery action changed from 0x0 (None) to {action}"))]


def _nvidia(machine: Machine, slot: int, symptom: Symptom, rng: random.Random) -> Said:
    pid = rng.randrange(2000, 90000)
    who = f"pid={pid}, name=python3"
    ecc = machine.generation.has_ecc
    if symptom in ("bus", "dead", "power"):
        return [
            (0.0, _xid(slot, 79, f"{who}, GPU has fallen off the bus.")),
            (0.0, f"NVRM: GPU {pci(slot)}: GPU has fallen off the bus."),
            *_action(machine, slot, "0x2 (Node Reboot Required)"),
        ]
    if symptom == "smu":
        reset = _action(machine, slot, "0x1 (GPU Reset Required)")
        if not ecc:
            return [(0.0, _xid(slot, 62, f"{who}, 0000(0000) 00000000 00000000"))]
        lines: Said = [
            (6.0 * n, _xid(slot, 119, f"{who}, Timeout after 6s of waiting for RPC response from GPU{slot} GSP! "
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
        return [(0.0, _xid(slot, code, text))]
    if symptom == "ecc" and ecc:
        return _nvidia_memory(machine, slot, who, rng)
    if symptom == "ecc":
        return [
            (0.0, _xid(slot, rng.choice((31, 13)), f"{who}, Ch 00000008, intr 00000000. MMU Fault: ENGINE "
             "GRAPHICS GPCCLIENT_T1_8 faulted @ 0x73ac_1c000000."))
        ]  # fmt: skip
    return []


def _nvidia_memory(machine: Machine, slot: int, who: str, rng: random.Random) -> Said:
    drawn = rng.random()
    if drawn < 0.35:
        return [
            (0.0, _xid(slot, 48, f"{who}, DBE (double bit error) detected on GPU in the framebuffer at physAddr 0x18f31d80")),
            (0.1, _xid(slot, 63, f"{who}, Row Remapper: New row marked for remapping, reset gpu to activate.")),
            *_action(machine, slot, "0x1 (GPU Reset Required)"),
        ]  # fmt: skip
    if drawn < 0.6:
        return [(0.0, _xid(slot, 94, f"{who}, Contained: SM (0x1). RST: No, D-RST: No"))]
    if drawn < 0.8:
        return [
            (0.0, _xid(slot, 95, f"{who}, Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No")),
            *_action(machine, slot, "0x1 (GPU Reset Required)"),
        ]
    return [(0.0, _xid(slot, 64, f"{who}, Row Remapper: Error: New row remapping failed"))]


def _nvlink(machine: Machine, slot: int, number: int, *, fatal: bool) -> str:
    if machine.generation.kernel < "550":
        return _xid(
            slot,
            74,
            f"NVLink: fatal error detected on link {number}(0x10000, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)",
        )
    word = "Fatal   " if fatal else "Nonfatal"
    return _xid(
        slot,
        149 if fatal else 145,
        f"NETIR_LINK_EVT  {word} XC0 i0 Link 0{number} (0x021425c6 0x00000000)",
    )


# -- links -----------------------------------------------------------------------------


def _link(machine: Machine, slot: int, fatal: bool, rng: random.Random) -> Said:
    nvidia = machine.generation.device.startswith("10de")
    if nvidia and machine.generation.has_ecc and rng.random() < 0.5:
        lines: Said = [
            (n * 0.1, _nvlink(machine, slot, rng.randrange(8), fatal=fatal))
            for n in range(rng.randint(1, 4))
        ]
        return lines + (_action(machine, slot, "0x4 (Drain and Reset)") if fatal else [])
    driver = "nvidia" if nvidia else "amdgpu"
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
