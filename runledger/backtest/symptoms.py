"""What cards and nodes showed, and when somebody saw to them: read off a history in one pass.

Nothing is judged here: a symptom may be the card's, its workload's or its
node's, and `runledger.backtest.condition` says what is known of that. Cards go
by node and PCI address, as decisions name them.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any

import msgspec

from collectors.kernel_log import KERNEL_TYPES
from ledger import Event, Ledger
from ledger.payloads import (
    CommandHung,
    GpuFault,
    GpuProbe,
    JobFailedWithTraceback,
    JobFinished,
    NodeFault,
    OverrideSet,
    RepairDone,
    SmuError,
    SshProbe,
)
from ledger.times import SECOND_US
from rules.causes import says
from rules.fleet import Fleet
from rules.fold import without_superseded
from rules.policy import Policy

Card = tuple[str, str]
"""Node and PCI address."""

NEVER = 2**62
"""Later than any time."""

PROGRAMS = frozenset({"busy", "memory", "signal", "killed", "module", "code", "file"})
"""What a failure may say by which it is its own program's, and would be so on any card."""

_HARMLESS = frozenset({"page_fault", "pcie_corrected"})
"""Faults that a program causes, or that cost nothing: no symptom of a card."""

_TYPES = tuple(
    dict.fromkeys(
        (
            *KERNEL_TYPES,
            *(
                each.event_type
                for each in (
                    CommandHung, GpuProbe, JobFailedWithTraceback, JobFinished, NodeFault,
                    OverrideSet, RepairDone, SshProbe,
                )
            ),
        )
    )
)  # fmt: skip


class Mend(msgspec.Struct, frozen=True, order=True):
    """Somebody saw to a card at ``at_us``.

    ``found``: whether something was wrong with it, as a person said; None: nobody
    said. ``sure``: the fault is gone (it was found, or another card sits there).
    """

    at_us: int
    sure: bool
    found: bool | None = None


class Spell(msgspec.Struct):
    """Some looks in a row found no answer: the first, the last, and the look that found one."""

    from_us: int
    last_us: int
    ended_us: int = NEVER


def _answered(spells: list[Spell], at_us: int, answers: bool) -> None:
    """Take in a look, in the order of time."""
    lasts = bool(spells) and spells[-1].ended_us == NEVER
    if answers and lasts:
        spells[-1].ended_us = at_us
    elif not answers and lasts:
        spells[-1].last_us = at_us
    elif not answers:
        spells.append(Spell(at_us, at_us))


class CardHistory(msgspec.Struct):
    """One place of a card; times in the order of time.

    ``incidents`` are counted as the policy counts them, ``symptoms`` are all that
    may be the card's, ``down`` the spells in which it did not answer.
    """

    incidents: list[int] = msgspec.field(default_factory=list)
    symptoms: list[int] = msgspec.field(default_factory=list)
    down: list[Spell] = msgspec.field(default_factory=list)
    mends: list[Mend] = msgspec.field(default_factory=list)
    error_us: int | None = None
    job_ended_us: int | None = None
    uid: str | None = None


class NodeHistory(msgspec.Struct):
    """One node: what it showed beside its cards, when it was looked at, when it was lost."""

    symptoms: list[int] = msgspec.field(default_factory=list)
    looks: list[int] = msgspec.field(default_factory=list)
    lost: list[Spell] = msgspec.field(default_factory=list)
    shown: frozenset[str] = frozenset()


class FailedJob(msgspec.Struct, frozen=True):
    """A job that failed and may have failed of its card; ``card`` None: nobody said of which.

    ``after_us``: it began after that time, when the card's job before it ended.
    """

    at_us: int
    node: str
    card: Card | None
    after_us: int | None


class History:
    """What was shown, by card and node, up to ``until_us``; read as ``gpu`` of a policy says."""

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        self.cards: dict[Card, CardHistory] = {}
        self.nodes: dict[str, NodeHistory] = {}
        self.failed: list[FailedJob] = []
        self.until_us = 0
        self.gpu = policy.gpu
        self._fleet = fleet
        self._gap_us = round(policy.gpu.incident_gap_s * SECOND_US)
        self._faults = frozenset(policy.gpu.incident_faults)
        self._names: dict[str, str] = {}

    def card(self, card: Card) -> CardHistory:
        """What a card showed; nothing, where it was never heard of."""
        return self.cards.get(card) or CardHistory()

    def take(self, event: Event) -> None:
        """One event more, in the order of time."""
        handler = _HANDLERS.get(type(event.data))
        if handler is not None:
            self.until_us = max(self.until_us, event.time_us)
            handler(self, event.data, event.time_us)

    # -- by type -------------------------------------------------------------------

    def _error(self, data: SmuError | GpuFault, at_us: int) -> None:
        if data.pci is None or (isinstance(data, GpuFault) and data.fault in _HARMLESS):
            return
        card = self._card(data.node, data.pci)
        card.symptoms.append(at_us)
        if isinstance(data, GpuFault) and data.fault not in self._faults:
            return
        if card.error_us is None or at_us - card.error_us >= self._gap_us:
            card.incidents.append(at_us)
        card.error_us = at_us

    def _gpu_probe(self, data: GpuProbe, at_us: int) -> None:
        node = self._node(data.node)
        node.looks.append(at_us)
        for gpu in data.gpus:
            card = self._card(data.node, gpu.pci)
            if gpu.card_uid is not None:
                if card.uid not in (None, gpu.card_uid):
                    card.mends.append(Mend(at_us, sure=True))
                card.uid = gpu.card_uid
            _looked_at(card, at_us, answers=gpu.state not in ("unresponsive", "missing"))
        shown = frozenset(gpu.pci for gpu in data.gpus)
        configured = self._fleet.node(self._name(data.node))
        expected = (configured and configured.gpus) or data.expected or 0
        if len(shown) < expected:  # else those that it does not show sit elsewhere by now
            for pci in node.shown - shown:
                _looked_at(self._card(data.node, pci), at_us, answers=False)
            shown |= node.shown
        node.shown = shown

    def _ssh_probe(self, data: SshProbe, at_us: int) -> None:
        node = self._node(data.node)
        if data.reachable:
            node.looks.append(at_us)
        _answered(node.lost, at_us, data.reachable)

    def _hung(self, data: CommandHung, at_us: int) -> None:
        of = self._node(data.node) if data.pci is None else self._card(data.node, data.pci)
        of.symptoms.append(at_us)

    def _node_fault(self, data: NodeFault, at_us: int) -> None:
        if data.fault != "oom":
            self._node(data.node).symptoms.append(at_us)

    def _job_failed(self, data: JobFailedWithTraceback, at_us: int) -> None:
        if data.node is None:
            return
        word = says(data.exception, data.message, data.traceback)
        card = None if data.pci is None else self._card(data.node, data.pci)
        if word not in PROGRAMS:
            name = self._name(data.node)
            place = None if data.pci is None else (name, data.pci)
            self.failed.append(
                FailedJob(at_us, name, place, None if card is None else card.job_ended_us)
            )
            if card is None or word == "connection":
                self._node(data.node).symptoms.append(at_us)
            else:
                card.symptoms.append(at_us)
        if card is not None:
            card.job_ended_us = at_us

    def _job_finished(self, data: JobFinished, at_us: int) -> None:
        if data.node is not None and data.pci is not None:
            self._card(data.node, data.pci).job_ended_us = at_us

    def _override(self, data: OverrideSet, at_us: int) -> None:
        if data.action == "reinstate":
            self._seen_to(data.subject, Mend(at_us, sure=False))

    def _repair(self, data: RepairDone, at_us: int) -> None:
        found = data.found != "nothing"
        self._seen_to(data.subject, Mend(at_us, sure=found or data.swapped, found=found))

    def _seen_to(self, subject: str, mend: Mend) -> None:
        kind, _, rest = subject.partition("/")
        node, _, pci = rest.partition("/")
        if kind == "gpu" and pci:
            self._card(node, pci).mends.append(mend)
        elif kind == "node":
            name = self._name(node)
            for card in [card for card in self.cards if card[0] == name]:
                self.cards[card].mends.append(mend)

    # -- names ---------------------------------------------------------------------

    def _name(self, node: str) -> str:
        found = self._names.get(node)
        if found is None:
            found = self._names[node] = self._fleet.resolve(node)
        return found

    def _card(self, node: str, pci: str) -> CardHistory:
        return self.cards.setdefault((self._name(node), pci), CardHistory())

    def _node(self, node: str) -> NodeHistory:
        return self.nodes.setdefault(self._name(node), NodeHistory())


def _looked_at(card: CardHistory, at_us: int, *, answers: bool) -> None:
    if not answers:
        card.symptoms.append(at_us)
    _answered(card.down, at_us, answers)


_HANDLERS: dict[type, Callable[[History, Any, int], None]] = {
    SmuError: History._error,
    GpuFault: History._error,
    GpuProbe: History._gpu_probe,
    SshProbe: History._ssh_probe,
    CommandHung: History._hung,
    NodeFault: History._node_fault,
    JobFailedWithTraceback: History._job_failed,
    JobFinished: History._job_finished,
    OverrideSet: History._override,
    RepairDone: History._repair,
}


def read_history(ledger: Ledger, policy: Policy, fleet: Fleet) -> History:
    """All that cards and nodes showed; nodes are named as the fleet names them."""
    history = History(policy, fleet)
    for event in without_superseded(ledger.read(types=_TYPES, order="time")):
        history.take(event)
    return history


def any_within(times: list[int], from_us: int, to_us: int) -> bool:
    """Whether one of some ordered times lies within two others."""
    at = bisect.bisect_left(times, from_us)
    return at < len(times) and times[at] <= to_us
