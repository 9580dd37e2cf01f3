"""Nodes: reachability, scans, files and clean-ups."""

from __future__ import annotations

from collections.abc import Iterable

from ledger import Event
from ledger.payloads import (
    CleanupCompleted,
    InputFile,
    InputsChecked,
    KernelLogScanned,
    ProcessKilled,
    RamdiskChecked,
    RamdiskFile,
    SshProbe,
)
from rules.folds import boots, jobs, runs
from rules.folds.context import FoldSettings
from rules.folds.incidents import mark_crashes
from rules.state import Cleanup, File, Free, Mark, Reach, Scan, State


def ssh_probe(state: State, event: Event, data: SshProbe, settings: FoldSettings) -> None:
    """A node answered, or did not; a reboot shows in its boot id or uptime."""
    name = settings.node(data.node)
    node = state.node(name)
    node.reach = Reach(
        time_us=event.time_us,
        event=event.id,
        reachable=data.reachable,
        error=data.error or "",
        detail=(data.detail or "").removesuffix(f"; {data.remedy}"),
        remedy=data.remedy or "",
        mem_total_mib=data.mem_total_mib,
        mem_available_mib=data.mem_available_mib,
    )
    if data.reachable:
        observe_boot(state, event, name, data.boot_id, settings, data.uptime_s)
    else:
        node.lost_us = event.time_us if node.lost_us is None else node.lost_us
        _lost(state, event, name, event.time_us, settings)


def observe_boot(
    state: State,
    event: Event,
    name: str,
    boot_id: str | None,
    settings: FoldSettings,
    uptime_s: float | None = None,
) -> None:
    """Note what an event of any kind says of a node's boot: a node that rebooted was lost."""
    node = state.node(name)
    if not boots.observe(node, event.time_us, event.id, boot_id, uptime_s):
        return
    boot = node.boot
    assert boot is not None
    started_us = boots.boot_time(boot)
    for lost_us in (started_us, node.lost_us):
        if lost_us is not None:
            mark_crashes(state, name, lost_us, boot.since_us, settings)
    node.lost_us = None
    if boot.event == event.id:
        _lost(state, event, name, started_us, settings)


def _lost(state: State, event: Event, name: str, lost_us: int, settings: FoldSettings) -> None:
    """An event shows that a node was lost: that explains its runs and failed jobs."""
    runs.node_lost(state, name, lost_us, event.id)
    jobs.mark(state, name, Mark(time_us=event.time_us, kind="lost"), settings)


def kernel_log_scanned(
    state: State, event: Event, data: KernelLogScanned, settings: FoldSettings
) -> None:
    """How far the kernel log was read, or that it could not be."""
    name = settings.node(data.node)
    observe_boot(state, event, name, data.boot_id, settings)
    state.node(name).scan = Scan(
        time_us=event.time_us,
        event=event.id,
        readable=data.readable,
        boot=data.boot_id,
        unread=data.unread or 0,
    )


def process_killed(state: State, event: Event, data: ProcessKilled, settings: FoldSettings) -> None:
    """The kernel killed a process for want of memory: it may explain a failed job."""
    name = settings.node(data.node)
    observe_boot(state, event, name, data.boot_id, settings)
    jobs.mark(state, name, Mark(time_us=event.time_us, kind="oom"), settings)


def ramdisk_checked(
    state: State, event: Event, data: RamdiskChecked, settings: FoldSettings
) -> None:
    """The newest look at each ramdisk file."""
    node = state.node(settings.node(data.node))
    _looked(node.ramdisk, event, data.files)
    node.ramdisk_free = None if data.free_mib is None else Free(event=event.id, mib=data.free_mib)


def inputs_checked(state: State, event: Event, data: InputsChecked, settings: FoldSettings) -> None:
    """The newest look at each input file; without a node, on the controller."""
    node = data.node or "localhost"
    name = settings.controller if node == "localhost" else settings.node(node)
    _looked(state.node(name).inputs, event, data.files)


def _looked(
    files: dict[str, File], event: Event, looked: Iterable[RamdiskFile | InputFile]
) -> None:
    for file in looked:
        files[file.path] = File(
            time_us=event.time_us,
            event=event.id,
            present=file.present,
            size=file.bytes,
            sha256=file.sha256,
            expected_sha256=file.expected_sha256,
        )


def cleanup_completed(
    state: State, event: Event, data: CleanupCompleted, settings: FoldSettings
) -> None:
    """What the newest clean-up warned of."""
    orphans = {pci: float(size) for pci, size in (data.orphaned_vram_mib or {}).items() if size > 0}
    state.node(settings.node(data.node)).cleanup = Cleanup(
        time_us=event.time_us, event=event.id, warnings=list(data.warnings), orphans=orphans
    )
