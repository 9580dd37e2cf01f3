"""One entry of the fault catalogue: words of a log, and what they mean to an operator.

An entry is data: a literal word by which its lines are found, a pattern that
begins where the driver's prefix ends, the kind of event it becomes, whose
fault it is, what its source asks for, the source, and a sample line. The few
entries whose meaning hangs on a number in the line have a ``judge``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import msgspec

EventType = Literal["smu_error", "gpu_fault", "node_fault", "process_killed"]
Whose = Literal["card", "link", "node", "workload", "info"]
Action = Literal["reset", "reboot", "drain_reset", "rma"]

BDF = r"(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
"""A PCI address as kernels print it; NVIDIA's driver leaves the function out."""


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """What a line says: ``kind`` is the SMU signature or the fault.

    ``code`` is the reply, Xid or class as the line prints it, ``message`` the
    SMU command, ``pci`` the card only where the line names it, ``action`` what
    the source asks for; ``process`` and ``pid`` are the out-of-memory killer's
    victim. ``hearsay``: another device names the ``pci``, which need not be a card.
    """

    event_type: EventType
    kind: str
    pci: str | None = None
    code: str | None = None
    message: str | None = None
    action: Action | None = None
    process: str | None = None
    pid: int | None = None
    hearsay: bool = False


Judge = Callable[[re.Match[str], Classification], Classification | None]
"""Completes what a match says, from the numbers in it; None where they say that all is well."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An entry. Without ``pattern`` it is one code of an entry that has many (the Xids).

    ``pattern`` may name the groups ``pci``, ``code`` and ``message``.
    ``alone``: the words say enough where no driver's prefix stands before them,
    as in logs that were copied by hand.
    """

    name: str
    kind: str
    whose: Whose
    meaning: str
    sample: str
    source: str
    word: str = ""
    pattern: str = ""
    event: EventType = "gpu_fault"
    code: str | None = None
    action: Action | None = None
    alone: bool = False
    judge: Judge | None = None

    @property
    def remedy(self) -> str:
        """What an operator can do about it."""
        return _ACTIONS[self.action] if self.action is not None else _REMEDIES[self.whose]


_ACTIONS: dict[Action, str] = {
    "reset": "stop what uses the card and reset it, or reboot the node",
    "reboot": "reboot the node; where the card stays away, power the node off and reseat the card",
    "drain_reset": "let the node's jobs end, start no new ones, then reset the card",
    "rma": "take the card out of service and ask its vendor for a replacement",
}
_REMEDIES: dict[Whose, str] = {
    "card": "watch the card; where it comes again, reseat it, then replace it",
    "link": "reseat the card, its riser and its cables; where it comes again, try another slot",
    "node": "look after the node itself: its disks, its memory, its load",
    "workload": "look at the program that ran; the card is not to blame",
    "info": "nothing by itself; what comes with it tells",
}
