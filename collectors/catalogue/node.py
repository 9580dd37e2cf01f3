"""Faults of the machine itself: memory, processors, disks, file systems."""

from __future__ import annotations

import re

import msgspec

from collectors.catalogue.entry import BDF, Classification, Fault


def _victim(match: re.Match[str], found: Classification) -> Classification:
    name = "".join(c for c in match["name"] or match["plain"] or "" if c.isprintable())
    return msgspec.structs.replace(found, process=name or None, pid=int(match["pid"][:10]))


def _severity(match: re.Match[str], found: Classification) -> Classification | None:
    """A corrected record of the firmware is no fault by itself."""
    return found if match["code"] in ("fatal", "recoverable") else None


def _heard(match: re.Match[str], found: Classification) -> Classification:
    return msgspec.structs.replace(found, hearsay=True)


def _fault(
    name: str, kind: str, word: str, pattern: str, meaning: str, sample: str, source: str
) -> Fault:
    return Fault(
        name=name, event="node_fault", kind=kind, whose="node", word=word, pattern=pattern,
        meaning=meaning, sample=sample, source=source,
    )  # fmt: skip


_BLOCK, _NVME, _WATCHDOG = (
    "Linux block/blk-core.c",
    "Linux drivers/nvme/host",
    "Linux kernel/watchdog.c",
)
_GHES = "Linux drivers/firmware/efi/cper.c"

NODE_FAULTS = (
    Fault(
        name="oom-killed", event="process_killed", kind="out_of_memory", whose="workload",
        word="Killed process ",
        pattern=r"(?:.*?[Oo]ut of memory[^:]*: )?Killed process (?P<pid>\d+),? "
        r"\((?:(?P<name>.*?)\),? (?:total-vm|UID)|(?P<plain>[^)]*)\))",
        judge=_victim,
        meaning="The kernel ended a process for want of memory.",
        sample="Out of memory: Killed process 812 (python3) total-vm:9kB, anon-rss:8kB",
        source="Linux mm/oom_kill.c",
    ),
    _fault(
        "oom-deadlock", "oom", "ut of memory",
        r"(?:Kernel panic - not syncing: )?(?:Out of memory|System is deadlocked on memory)"
        r"(?: and no killable processes|: (?:compulsory panic_on_oom|system-wide panic_on_oom))",
        "Memory ran out and no process could be ended for it.",
        "Out of memory and no killable processes...", "Linux mm/oom_kill.c",
    ),
    _fault(
        "hung-task", "hung_task", "blocked for more than",
        r"INFO: task .{1,80}? blocked for more than \d+ seconds",
        "A process has waited for minutes in state D, mostly for a disk, a file server or a card.",
        "INFO: task rocm-smi:58771 blocked for more than 122 seconds.", "Linux kernel/hung_task.c",
    ),
    _fault(
        "soft-lockup", "lockup", "soft lockup", r"(?:(?:NMI )?watchdog: )?BUG: soft lockup - CPU#",
        "A processor ran in the kernel for many seconds without a pause.",
        "watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [kworker/3:1:123]", _WATCHDOG,
    ),
    _fault(
        "hard-lockup", "lockup", "ard LOCKUP",
        r"(?:Kernel panic - not syncing: )?(?:(?:NMI )?watchdog: )?(?:BUG: )?"
        r"(?:CPU\d+: )?(?:Watchdog detected )?[Hh]ard LOCKUP",
        "A processor took no interrupts for many seconds.",
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 5", _WATCHDOG,
    ),
    _fault(
        "rcu-stall", "lockup", "rcu",
        r"(?:rcu: )?(?:INFO: )?rcu_\w+ (?:self-)?detected (?:expedited )?stalls?\b",
        "A processor has not let go for many seconds.",
        "rcu: INFO: rcu_sched self-detected stall on CPU", "Linux kernel/rcu/tree_stall.h",
    ),
    _fault(
        "nvme-timeout", "storage", " timeout, ",
        r"nvme nvme\d+: I/O .{1,80}? timeout, (?!completion polled)",
        "A disk did not answer in time.", "nvme nvme0: I/O 123 QID 4 timeout, reset controller",
        _NVME,
    ),
    _fault(
        "nvme-dead", "storage", "nvme nvme",
        r"nvme nvme\d+: (?:Disabling device after reset failure|Removing after probe failure"
        r"|controller is down|Device not ready|Abort status|Identify Controller failed)",
        "A disk is gone, or is being reset.",
        "nvme nvme0: Disabling device after reset failure: -19", _NVME,
    ),
    _fault(
        "medium-error", "storage", "critical ",
        r"(?:blk_update_request: |print_req_error: )?critical (?:medium|target) error"
        r"[, ]+dev (?!fd\d|sr\d|loop\d)\w+",
        "A disk could not read or write a block.",
        "critical medium error, dev sda, sector 2048 op 0x0:(READ) flags 0x0", _BLOCK,
    ),
    _fault(
        "io-error", "storage", "I/O error",
        r"(?:blk_update_request: |print_req_error: )?I/O error"
        r"[, ]+dev (?!fd\d|sr\d|loop\d)\w+",
        "A disk could not read or write a block.",
        "I/O error, dev nvme0n1, sector 2048 op 0x0:(READ) flags 0x0", _BLOCK,
    ),
    _fault(
        "buffer-io-error", "storage", "Buffer I/O error",
        r"Buffer I/O error on dev(?:ice)? (?!fd\d|sr\d|loop\d)\w+",
        "A block of a file system could not be read or written.",
        "Buffer I/O error on dev nvme0n1p2, logical block 0, lost async page write",
        "Linux fs/buffer.c",
    ),
    _fault(
        "ata-error", "storage", "failed command", r"ata\d+(?:\.\d+)?: failed command",
        "A disk refused a command, or did not answer it.",
        "ata1.00: failed command: READ FPDMA QUEUED", "Linux drivers/ata/libata-eh.c",
    ),
    _fault(
        "read-only", "readonly_fs", "read-only",
        r"(?:[\w-]+(?:-fs)? (?:error |\()?.{0,80}?)?Remounting filesystem read-only",
        "A file system found itself damaged and takes no more writes.",
        "EXT4-fs (nvme0n1p2): Remounting filesystem read-only", "Linux fs/ext4/super.c",
    ),
    _fault(
        "forced-read-only", "readonly_fs", "forced readonly", r"BTRFS .{0,80}?forced readonly",
        "A file system found itself damaged and takes no more writes.",
        "BTRFS info (device sda1: state E): forced readonly", "Linux fs/btrfs/messages.c",
    ),
    _fault(
        "ext4-error", "storage", "EXT4-fs error", r"EXT4-fs error \(device ",
        "A file system found itself damaged.",
        "EXT4-fs error (device nvme0n1p2): ext4_journal_check_start:83: Detected aborted journal",
        "Linux fs/ext4/super.c",
    ),
    _fault(
        "xfs-error", "storage", "XFS (",
        r"XFS \(\S+\): .{0,80}?(?:[Cc]orruption|I/O [Ee]rror|[Ss]hutting down|[Ss]hut down)",
        "A file system found itself damaged, or lost its disk.",
        "XFS (sda1): Metadata corruption detected at xfs_agf_read_verify", "Linux fs/xfs",
    ),
    _fault(
        "btrfs-error", "storage", "BTRFS", r"BTRFS:? (?:error|critical)\b",
        "A file system found itself damaged, or lost its disk.",
        "BTRFS error (device sda1): bdev /dev/sda1 errs: wr 1, rd 0, flush 0, corrupt 0, gen 0",
        "Linux fs/btrfs/messages.c",
    ),
    _fault(
        "machine-check", "machine_check", "Machine Check",
        r"(?:mce: )?(?:\[Hardware Error\]: )?(?:CPU \d+: Machine Check(?: Exception)?:"
        r"|Kernel panic - not syncing: (?:Fatal )?[Mm]achine [Cc]heck)",
        "A processor found an error in itself, its caches or its memory.",
        "mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: bea0000000000108",
        "Linux arch/x86/kernel/cpu/mce/core.c",
    ),
    _fault(
        "machine-check-panic", "machine_check", "achine check",
        r"Kernel panic - not syncing: .{0,40}?[Mm]achine check",
        "A processor found an error that it could not live with.",
        "Kernel panic - not syncing: Fatal machine check on current CPU",
        "Linux arch/x86/kernel/cpu/mce/core.c",
    ),
    _fault(
        "hardware-panic", "machine_check", "Fatal hardware error",
        r"Kernel panic - not syncing: Fatal hardware error",
        "The firmware reported an error of the hardware that the kernel could not live with.",
        "Kernel panic - not syncing: Fatal hardware error!", "Linux drivers/acpi/apei/ghes.c",
    ),
    Fault(
        name="firmware-error", event="node_fault", kind="machine_check", whose="node",
        word="event severity:",
        pattern=r"\[Hardware Error\]: +event severity: (?P<code>\w+)", judge=_severity,
        meaning="The firmware reports an error of the hardware that could not be corrected.",
        sample="{1}[Hardware Error]: event severity: fatal", source=_GHES,
    ),
    Fault(
        name="firmware-pcie", kind="pcie_error", whose="link", word="device_id:",
        pattern=rf"\[Hardware Error\]: +device_id: (?P<pci>{BDF})", judge=_heard,
        meaning="The firmware reports an error of this device on the bus; the severity stands "
        "in an earlier line of the same record.",
        sample="{359}[Hardware Error]:   device_id: 0000:20:03.1", source=_GHES,
    ),
    _fault(
        "memory-uncorrected", "machine_check", " UE ", r"EDAC \w+: \d+ UE ",
        "Memory of the node holds an error that could not be corrected.",
        "EDAC MC0: 1 UE memory read error on CPU_SrcID#0", "Linux drivers/edac/edac_mc.c",
    ),
    _fault(
        "memory-failure", "machine_check", "Memory failure",
        r"Memory failure: 0x[0-9a-f]+: recovery action",
        "A page of the node's memory was taken out of use after an error.",
        "Memory failure: 0x1f3a: recovery action for dirty LRU page: Recovered",
        "Linux mm/memory-failure.c",
    ),
    _fault(
        "decoded-error", "machine_check", "[Hardware Error]: ",
        r"\[Hardware Error\]: (?:Uncorrected, |(?:System )?Fatal error)",
        "A processor found an error that it could not correct.",
        "[Hardware Error]: Uncorrected, software containable error.",
        "Linux drivers/edac/mce_amd.c",
    ),
    _fault(
        "raid-disk", "storage", "Disk failure on", r"md/raid\S*:\w+: Disk failure on \w+",
        "A disk fell out of its array.", "md/raid1:md0: Disk failure on sda1, disabling device.",
        "Linux drivers/md",
    ),
    _fault(
        "journal-aborted", "storage", "Aborting journal", r"Aborting journal on device ",
        "A file system gave up its journal: it takes no more writes.",
        "Aborting journal on device nvme0n1p2-8.", "Linux fs/jbd2/journal.c",
    ),
    _fault(
        "nfs", "storage", "not responding, ", r"nfs: server \S+ not responding, ",
        "A file server does not answer; what waits for it waits in state D.",
        "nfs: server 192.0.2.7 not responding, still trying", "Linux net/sunrpc/clnt.c",
    ),
    _fault(
        "too-hot", "other", "ritical temperature reached",
        r"thermal thermal_zone\d+: .*?[Cc]ritical temperature reached",
        "The machine itself grew so hot that the kernel shuts it down.",
        "thermal thermal_zone0: acpitz: critical temperature reached, shutting down",
        "Linux drivers/thermal/thermal_core.c",
    ),
    _fault(
        "panic", "other", "Kernel panic", r"Kernel panic - not syncing",
        "The kernel gave up; the node needs a reboot.",
        "Kernel panic - not syncing: Attempted to kill init!", "Linux kernel/panic.c",
    ),
)  # fmt: skip
