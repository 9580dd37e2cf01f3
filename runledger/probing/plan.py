"""What to ask of a node, given what its ledger knows: as little as answers the question.

Good news is used again while it is fresh. Bad news is looked at again where
looking is harmless (a node that was down, a file that was missing); where it
costs reads through an SMU, it is used again like the good.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from collectors.probe import ProbeRequest, WantedFile
from collectors.script import new_nonce
from ledger.times import SECOND_US
from rules.fleet import FileCheck
from rules.state import File, NodeState
from runledger.config.settings import ProbeSettings
from runledger.probing.targets import Target

_MARGIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """What a ledger knows of one node. ``boot_id`` and ``cursor``: how far its log was read.

    ``hung`` are cards whose SMU did not come back lately, ``node_hung_us`` when
    anything on the node last did not; ``failed`` are cards with an SMU error lately.
    """

    state: NodeState = field(default_factory=NodeState)
    boot_id: str | None = None
    cursor: str | None = None
    hung: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    node_hung_us: int | None = None


@dataclass(slots=True)
class Ask:
    """One question to one node. ``begun_us`` is set as it is sent."""

    target: Target
    request: ProbeRequest
    unresponsive: frozenset[str] = frozenset()
    begun_us: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts of a probe are not known freshly."""

    node: bool
    cards: bool
    kernel_log: bool
    ramdisk: tuple[FileCheck, ...]
    inputs: tuple[FileCheck, ...]

    @property
    def nothing(self) -> bool:
        """Whether all is known."""
        return not (self.node or self.cards or self.kernel_log or self.ramdisk or self.inputs)


def wanted(
    target: Target,
    known: Known,
    controller: NodeState,
    *,
    now_us: int,
    asked_us: int,
    interval_us: int,
) -> Wanted:
    """What has to be asked. What was found since ``asked_us`` is never asked again.

    ``controller`` is the record of the controller's inputs; ``interval_us`` is
    how long evidence is fresh.
    """

    def since(time_us: int | None) -> bool:
        return time_us is not None and time_us >= asked_us

    def fresh(time_us: int | None) -> bool:
        if time_us is None or time_us > now_us:
            return False
        return since(time_us) or now_us - time_us < interval_us

    def files(checks: tuple[FileCheck, ...], seen: dict[str, File]) -> tuple[FileCheck, ...]:
        for check in checks:
            file = seen.get(check.path)
            if file is None or not fresh(file.time_us):
                return checks
            if not since(file.time_us) and not good(file, check):
                return checks
        return ()

    inputs = files(target.inputs, controller.inputs)
    if target.node is None:
        return Wanted(False, False, False, (), inputs)
    state = known.state
    reach, probe, scan = state.reach, state.probe, state.scan
    if reach is not None and not reach.reachable:
        if since(reach.time_us):
            return Wanted(False, False, False, (), ())
        reached = False
    else:
        reached = reach is not None and fresh(reach.time_us)
        if reach is not None and reach.is_wrong:
            reached = since(reach.time_us)
    scanned = scan is not None and fresh(scan.time_us) and (scan.readable or since(scan.time_us))
    looked = fresh(None if probe is None else probe.time_us) or fresh(known.node_hung_us)
    ramdisk = files(target.ramdisk, state.ramdisk)
    return Wanted(not reached, not looked, not scanned, ramdisk, inputs)


def good(file: File, check: FileCheck) -> bool:
    """Whether a file is as it should be: there, not empty, and with the hash where one is given."""
    if not file.present or file.size == 0:
        return False
    return check.sha256 is None or (file.sha256 or "").lower() == check.sha256.lower()


def ask(target: Target, what: Wanted, known: Known, settings: ProbeSettings, *, now_us: int) -> Ask:
    """The question for what is wanted of a node."""
    period_us = round(settings.smu_backoff_s * SECOND_US)
    unresponsive = _unresponsive(known.state, now_us, period_us)
    files = (*what.ramdisk, *what.inputs)
    read_s, tool_s, hash_s, total_s = limits(settings, sum(f.sha256 is not None for f in files))
    request = ProbeRequest(
        nonce=new_nonce(),
        boot_id=known.boot_id,
        cursor=known.cursor,
        failed=tuple(sorted(unresponsive | known.hung | known.failed)),
        kernel_log=what.kernel_log,
        cards=what.cards,
        ramdisk=_files(what.ramdisk),
        ramdisk_dir=target.ramdisk_dir if what.ramdisk else None,
        inputs=_files(what.inputs),
        workdir=target.folder,
        read_limit_s=read_s,
        tool_limit_s=tool_s,
        log_limit_s=tool_s,
        hash_limit_s=hash_s,
        total_limit_s=total_s,
    )
    return Ask(target, request, unresponsive)


def _files(checks: tuple[FileCheck, ...]) -> tuple[WantedFile, ...]:
    return tuple(WantedFile(check.path, check.sha256 is not None) for check in checks)


def _unresponsive(state: NodeState, now_us: int, period_us: int) -> frozenset[str]:
    """Cards that did not respond at the newest probe, and need not be asked again yet.

    They are asked once in every period of the clock, so that one that has
    recovered is found out, and one that has not is not prodded.
    """
    probe = state.probe
    if probe is None or not period_us or probe.time_us // period_us != now_us // period_us:
        return frozenset()
    return frozenset(gpu.pci for gpu in probe.gpus if gpu.state == "unresponsive")


def limits(settings: ProbeSettings, hashes: int) -> tuple[int, int, int, int]:
    """Seconds on the far side: for a read, a tool, a hash, and after which nothing is begun.

    Together with the connecting they stay within ``total_timeout_s``.
    """
    budget = settings.total_timeout_s - settings.connect_timeout_s - _MARGIN_S
    tool_s = max(1, int(min(settings.command_timeout_s, budget / 5)))
    read_s = min(5, tool_s)
    hash_s = max(1, int(min(60, (budget / 2 - 2 * read_s - 5) / max(1, hashes))))
    last_s = max(tool_s * 2 + 8, read_s * 2 + hash_s * hashes + 5)
    return read_s, tool_s, hash_s, max(1, int(budget - last_s))
