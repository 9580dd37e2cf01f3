"""A node's answer as events: what was seen, and what should have been seen and was not.

Pure: the answer and the times go in, events come out. What is wanted and missing
is stored as something that did not come back (`command_hung`), so that older
evidence cannot stand in for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from collectors.kernel_log import KernelLogError, Scan, scan
from collectors.probe import (
    KernelLog,
    ProbeReport,
    inputs_checked,
    kernel_scans,
    parse_probe,
    report_to_payloads,
)
from collectors.probe.witness import RememberedHead
from collectors.reach import NodeResult, ssh_probe
from ledger import Event, InvalidEvents, new_event
from ledger.payloads import (
    CommandHung,
    GpuProbe,
    InputsChecked,
    KernelLogScanned,
    Payload,
    RamdiskChecked,
)
from ledger.times import SECOND_US
from runledger.probing.outcome import NodeLook
from runledger.probing.plan import Ask

_PROBE = "health probe"
_NOTHING = Scan(lines=0, events=())


@dataclass(frozen=True, slots=True)
class Answer:
    """The events of one look, in the order in which they are to be stored."""

    events: tuple[Event, ...]
    look: NodeLook
    heads: tuple[RememberedHead, ...] | None = None
    """What the node remembers of this ledger, where it was asked."""


def answer(
    ask: Ask, result: NodeResult, *, now_us: int, observer: str, step: str | None = None
) -> Answer:
    """What a node's result says; ``now_us`` is when it arrived.

    Never raises for what the node sent: what cannot be understood or stored
    is evidence that is missing.
    """
    try:
        return _Reading(ask, result, now_us, observer, step).answer()
    except Exception as error:  # our own fault must not cost the other nodes their answers
        lost = replace(result, stdout=b"", stderr=b"")
        reading = _Reading(ask, lost, now_us, observer, step)
        return reading.answer(own_fault=f"{type(error).__name__}: {error}")


class _Reading:
    def __init__(
        self, ask: Ask, result: NodeResult, now_us: int, observer: str, step: str | None
    ) -> None:
        self.ask, self.result, self.now_us = ask, result, now_us
        self.node, self.target = ask.target.name, ask.target
        self.probe_source = f"collector/probe@{observer}"
        self.log_source = f"collector/kernel-log@{observer}"
        self.step = step
        self.problems: list[str] = []
        self.events: list[Event] = []

    def answer(self, own_fault: str | None = None) -> Answer:
        report = ProbeReport()
        if self.result.reachable and own_fault is None:
            report = _with_carried(parse_probe(self.result.stdout, self.ask.request), self.ask)
            if not report.started:
                self.result = self.result.answered_wrongly(report.errors[0])
        failure = self.result.failure
        if failure is not None:
            self.problems.append(f"{failure.detail}; {failure.remedy}")
        if own_fault is not None:
            self.problems.append(f"runledger could not read the answer: {own_fault}")
        if report.started:
            self.problems += report.errors
        if self.target.node is None:
            self._inputs(report)
        else:
            self._node(report)
        return Answer(tuple(self.events), self._look(report), report.heads)

    # -- a node ----------------------------------------------------------------

    def _node(self, report: ProbeReport) -> None:
        uptime_s = self._uptime_s(report)
        if self.result.reachable and self.ask.request.kernel_log:
            scans = self._kernel_log(report, uptime_s)
        else:
            scans = ()
        reach = ssh_probe(
            self.result,
            report.boot_id,
            uptime_s,
            mem_total_mib=report.mem_total_mib,
            mem_available_mib=report.mem_available_mib,
            clock_offset_s=self._clock_offset_s(report),
        )
        if reach.detail is None and self.problems:
            reach = msgspec.structs.replace(reach, detail="; ".join(self.problems)[:2000])
        # In the order of boots: a node that was seen in a later one does not go back.
        earlier = [each for each in scans if each.boot_id != report.boot_id]
        self._add_all(earlier)
        self._add(reach)
        self._add_all(each for each in scans if each not in earlier)
        if self.result.reachable:
            self._findings(report)

    def _findings(self, report: ProbeReport) -> None:
        assert self.target.node is not None
        payloads = report_to_payloads(
            replace(report, inputs=()),
            self.node,
            expected=self.target.node.gpus,
            expected_sha256={
                check.path: check.sha256 for check in self.target.ramdisk if check.sha256
            },
        )
        hung = [each for each in payloads if isinstance(each, CommandHung)]
        # What hung on a card shows in that card's state; what hung on the node speaks after
        # the probe of its cards, which would otherwise be taken for the last word.
        self._add_all(each for each in hung if each.pci is not None)
        added = self._add_all(each for each in payloads if not isinstance(each, CommandHung))
        self._inputs(report)
        on_node = [each for each in hung if each.pci is None]
        missing = self._missing(report, added)
        if missing and not on_node and not self._ended_early(report):
            why = "; ".join(self.problems) or "the answer broke off"
            limit_s = float(self.ask.request.longest_s)
            on_node.append(
                CommandHung(
                    node=self.node,
                    command=_PROBE,
                    timeout_s=limit_s,
                    detail=f"no answer about {', '.join(missing)}: {why}"[:2000],
                )
            )
        self._add_all(on_node)

    def _ended_early(self, report: ProbeReport) -> bool:
        """Whether the answer is wrong or was cut short in a way that ``ssh_probe`` tells."""
        failure = self.result.failure
        told = failure is not None and failure.error == "protocol"
        return told and (not report.started or self.result.signal is not None)

    def _missing(self, report: ProbeReport, added: Sequence[Payload]) -> list[str]:
        request = self.ask.request
        missing = []
        if request.cards and not any(isinstance(each, GpuProbe) for each in added):
            missing.append("its cards")
        if len(report.ramdisk) < len(request.ramdisk) or (
            request.ramdisk and not any(isinstance(each, RamdiskChecked) for each in added)
        ):
            missing.append("its ramdisk")
        if len(report.inputs) < len(request.inputs):
            missing.append("the inputs")
        return missing

    def _inputs(self, report: ProbeReport) -> None:
        if not report.inputs:
            if self.ask.request.inputs and self.target.node is None:
                self.problems.append("the inputs on the controller could not be looked at")
            return
        expected = {check.path: check.sha256 for check in self.target.inputs if check.sha256}
        payload: InputsChecked = inputs_checked(report.inputs, None, expected)
        self._add(payload)

    # -- the kernel log -----------------------------------------------------------

    def _kernel_log(
        self, report: ProbeReport, uptime_s: float | None
    ) -> tuple[KernelLogScanned, ...]:
        boot_us = None if uptime_s is None else self.now_us - round(uptime_s * SECOND_US)
        offset_us = round((self._clock_offset_s(report) or 0.0) * SECOND_US)
        before = self._reported(report.previous, None, report, offset_us)
        now = self._reported(report.kernel, boot_us, report, offset_us)
        if now is None:
            report = replace(report, kernel=replace(report.kernel, readable=False, cursor=None))
        if before is None:
            report = replace(report, previous=None)
        before, now = before or _NOTHING, now or _NOTHING
        self.events += [*self._until_now(before), *self._until_now(now)]
        for found in (before, now):
            if found.unread:
                self.problems.append(
                    f"{found.unread} lines of the kernel log hold words of trouble in a frame "
                    "that is not known: read them on the node"
                )
        scans = kernel_scans(
            report,
            self.node,
            matches=len(now.events),
            previous_matches=len(before.events),
            unread=now.unread,
            previous_unread=before.unread,
        )
        return tuple(self._going_on(each) for each in scans)

    def _reported(
        self, log: KernelLog | None, boot_us: int | None, report: ProbeReport, offset_us: int
    ) -> Scan | None:
        """What a log holds; None where there is none, or its lines cannot be placed in time."""
        if log is None:
            return None
        try:
            return scan(
                ("\n".join(log.lines),),
                node=self.node,
                source=self.log_source,
                now_us=self.now_us,
                boot_id=log.boot_id,
                boot_time_us=boot_us,
                bridges=report.bridges if log is report.kernel else {},
                cards={card.pci for card in report.cards} if report.cards_read else None,
                clock_offset_us=offset_us,
            )
        except KernelLogError as error:
            self.problems.append(f"the kernel log cannot be placed in time: {error}")
            return None

    def _until_now(self, found: Scan) -> Iterator[Event]:
        """The boot is known to a fraction of a second: nothing was logged after now."""
        for event in found.events:
            yield msgspec.structs.replace(event, time_us=min(event.time_us, self.now_us))

    def _going_on(self, seen: KernelLogScanned) -> KernelLogScanned:
        """A log that could not be read this time is read on from where it was, next time."""
        request = self.ask.request
        if seen.cursor is None and seen.boot_id is not None and seen.boot_id == request.boot_id:
            return msgspec.structs.replace(seen, cursor=request.cursor)
        return seen

    # -- events --------------------------------------------------------------------

    def _uptime_s(self, report: ProbeReport) -> float | None:
        """The uptime when the answer arrived: it was read as the script began."""
        if report.uptime_s is None:
            return None
        waited_s = max(0.0, (self.now_us - self._script_began_us()) / SECOND_US)
        return round(report.uptime_s + waited_s, 3)

    def _clock_offset_s(self, report: ProbeReport) -> float | None:
        """The node's clock less ours, both as the script began."""
        if report.clock_s is None:
            return None
        return round(report.clock_s - self._script_began_us() / SECOND_US, 3)

    def _script_began_us(self) -> int:
        return self.ask.begun_us + round((self.result.latency_s or 0.0) * SECOND_US)

    def _add(self, payload: Payload) -> bool:
        try:
            event = new_event(
                payload, time_us=self.now_us, source=self.probe_source, step=self.step
            )
        except InvalidEvents as error:
            self.problems.append(f"{payload.event_type} cannot be stored: {error}")
            return False
        self.events.append(event)
        return True

    def _add_all(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [each for each in payloads if self._add(each)]

    def _look(self, report: ProbeReport) -> NodeLook:
        failure = self.result.failure
        types = Counter(event.type for event in self.events)
        cards = [f"{card.pci}: {card.detail}" for card in report.cards if card.detail]
        return NodeLook(
            node=self.node,
            reachable=self.result.reachable if self.target.node is not None else None,
            error=None if failure is None else failure.error,
            detail=None if failure is None else f"{failure.detail}; {failure.remedy}",
            gpus={card.pci: card.state for card in report.cards},
            smu_reads=report.smu_reads,
            events=dict(sorted(types.items())),
            problems=tuple(dict.fromkeys((*self.problems, *cards))),
        )


def _with_carried(report: ProbeReport, ask: Ask) -> ProbeReport:
    """Cards that were not asked because they did not respond before still do not."""
    if report.boot_id is None or report.boot_id != ask.request.boot_id:
        return report
    cards = tuple(
        replace(card, state="unresponsive")
        if card.state == "unknown" and card.pci in ask.unresponsive
        else card
        for card in report.cards
    )
    return replace(report, cards=cards)
