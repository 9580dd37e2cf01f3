"""Which boot a node is in, and what happened since it.

The boot of a node is its newest boot id seen, else derived from its uptime. A
boot is seen later than it started; where an uptime tells the start, that counts.
"""

from __future__ import annotations

from ledger.times import SECOND_US
from rules.state import Boot, NodeState


def observe(
    node: NodeState, time_us: int, event: str, boot_id: str | None, uptime_s: float | None = None
) -> bool:
    """Note what an event says of a node's boot; True where the node was rebooted."""
    started_us = _started_us(time_us, uptime_s)
    boot = node.boot
    if boot_id is None and started_us is None:
        return False
    if boot is not None and not _another(boot, boot_id, started_us):
        boot.last_seen_us = time_us
        boot.id = boot.id if boot_id is None else boot_id
        if boot.started_us is None:
            boot.started_us = started_us
        _end_common_cause(node, rebooted=False)
        return False
    node.boot = Boot(
        id=boot_id,
        since_us=time_us,
        started_us=started_us,
        last_seen_us=time_us,
        first=boot is None,
        event=event,
    )
    _end_common_cause(node, rebooted=boot is not None)
    return boot is not None


def _end_common_cause(node: NodeState, *, rebooted: bool) -> None:
    """A boot newer than its errors ends a common cause; one that began before them does not."""
    if node.common is not None and node.boot is not None:
        started_us = node.boot.started_us
        if rebooted if started_us is None else started_us > node.common.last_us:
            node.common = None


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
