"""Which boot a node is in, and what happened since it.

The boot of a node is its newest boot id seen, else derived from its uptime. A
boot is seen later than it started; where an uptime tells the start, that counts.
"""

from __future__ import annotations

from ledger.times import SECOND_US
from rules.state import Boot, CommonCause, NodeState


def observe(
    node: NodeState, time_us: int, event: str, boot_id: str | None, uptime_s: float | None = None
) -> bool:
    """Note what an event says of a node's boot; True where its start became known as a newer one's.

    That is where the node was rebooted, and where the start of a boot that was
    known by its id alone is told by an uptime.
    """
    started_us = _started_us(time_us, uptime_s)
    boot = node.boot
    if boot_id is None and started_us is None:
        return False
    if boot is not None and boot_id is not None and boot_id in boot.before:
        return False  # a late word of a boot that is over
    if boot is not None and not _another(boot, boot_id, started_us):
        boot.last_seen_us = time_us
        boot.id = boot.id if boot_id is None else boot_id
        told = boot.started_us is None and started_us is not None
        if told:
            boot.started_us = started_us
        node.lost_us = node.lost_us if told and not boot.first else None
        _end_common_causes(node, rebooted=False)
        return told and not boot.first
    before = [] if boot is None else boot.before
    if boot is not None and boot.id is not None:
        before = [*before[1 - _BOOTS_KEPT :], boot.id]
    node.boot = Boot(
        id=boot_id,
        since_us=time_us,
        started_us=started_us,
        last_seen_us=time_us,
        first=boot is None,
        event=event,
        before=before,
    )
    _end_common_causes(node, rebooted=boot is not None)
    return boot is not None


def _end_common_causes(node: NodeState, *, rebooted: bool) -> None:
    """A boot newer than its errors ends a common cause; one that began before them does not."""
    node.common = _outlasting(node.common, node.boot, rebooted=rebooted)
    node.series = _outlasting(node.series, node.boot, rebooted=rebooted)
    node.fleet = _outlasting(node.fleet, node.boot, rebooted=rebooted)


def _outlasting(
    cause: CommonCause | None, boot: Boot | None, *, rebooted: bool
) -> CommonCause | None:
    if cause is None or boot is None:
        return cause
    if cause.boot is not None and boot.id is not None:
        over = cause.boot != boot.id  # two clocks may disagree, two ids cannot
    elif boot.started_us is None:
        over = rebooted
    else:
        over = boot.started_us > cause.last_us
    return None if over else cause


def _started_us(time_us: int, uptime_s: float | None) -> int | None:
    """When a boot began by its uptime; one longer than clocks have counted tells nothing."""
    if uptime_s is None or uptime_s * SECOND_US > time_us:
        return None
    return time_us - round(uptime_s * SECOND_US)


def _another(boot: Boot, boot_id: str | None, started_us: int | None) -> bool:
    later = started_us is not None and started_us > boot.last_seen_us
    if boot_id is None:
        return later
    if boot.id is None:
        return later
    return boot.id != boot_id


_BOOTS_KEPT = 8
"""So many ids of earlier boots are known as such."""


def since_boot(node: NodeState, time_us: int, boot_id: str | None = None) -> bool:
    """Whether something of that time (and boot, where it named one) was after the last boot.

    Where the boot is unknown, it counts as since boot.
    """
    boot = node.boot
    if boot is None:
        return True
    if boot_id is not None and boot.id is not None:
        return boot_id == boot.id
    if boot.started_us is not None:
        return time_us >= boot.started_us
    return boot.first or time_us >= boot.since_us


def boot_time(boot: Boot) -> int:
    """The best known start of a boot."""
    return boot.since_us if boot.started_us is None else boot.started_us
