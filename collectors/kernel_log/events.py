"""Kernel log lines as ledger events whose identity is that of the line.

An event's id is made of node, boot, stamp, text and how often the same has
come before: neither of the file, nor of the present time, nor of what the
parser thinks of the line. So the same line read twice is one event, be it from
a file and its copy, or live and from a file, as long as both carry the
kernel's own stamp and name the same boot. Stamps that a tool computed
(``dmesg -T``, syslog) are another identity than the kernel's own.

A later parser may give the same line another type; a stored id is therefore
to be left alone by an importer, whatever it would store today (`reclassify`
is for that).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, tzinfo
from typing import Any

import msgspec

from collectors.catalogue import Classification
from collectors.kernel_log.classify import one_line
from collectors.kernel_log.clock import Clock, boot_digits
from collectors.kernel_log.devices import Devices
from collectors.kernel_log.line import Line
from collectors.kernel_log.scanning import Found, Scanner
from ledger.canonical import canonical
from ledger.event import Event, new_event, payload_text
from ledger.identifiers import gpu_subject, node_subject
from ledger.payloads import GpuFault, NodeFault, Payload, ProcessKilled, SmuError
from ledger.text import characters
from ledger.text.secrets import redact

IMPORT_SOURCE = "import/kernel-log"
"""The source of events from log files."""

_MAX_RAW = 16_384
_MAX_KINDS = 1024
_json = msgspec.json.Encoder()


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What one log held: how many lines, the events of those that report something, the last line.

    ``unread`` counts lines that hold words of trouble in a frame that is not known.
    ``last`` tells a live collector where to go on: its ``cursor`` (journal),
    ``sequence`` (/dev/kmsg) or ``monotonic_us``.
    """

    lines: int
    events: tuple[Event, ...]
    unread: int = 0
    last: Line | None = None

    @property
    def types(self) -> dict[str, int]:
        """How many events there are of each type, by name."""
        return dict(sorted(Counter(event.type for event in self.events).items()))


def scan(
    pieces: Iterable[str],
    *,
    node: str,
    source: str,
    now_us: int,
    boot_id: str | None = None,
    boot_time_us: int | None = None,
    zone: tzinfo = UTC,
    bridges: Mapping[str, str] | None = None,
    cards: Collection[str] | None = None,
    clock_offset_us: int = 0,
) -> Scan:
    """Read the log of ``node``, given as ``pieces`` of text cut anywhere, line ends included.

    ``now_us`` is the present time and ``boot_time_us`` the time of boot, in
    microseconds since the epoch; ``zone`` is that of stamps without an offset;
    ``bridges`` maps PCI bridges to the card behind each, ``cards`` are the
    machine's where they are known; ``clock_offset_us`` is its clock less ours,
    which its own stamps are corrected by. Raises `UnplacedLine`
    where a line reports something and nothing says when it was.
    """
    clock = Clock(
        now_us=now_us,
        boot_time_us=boot_time_us,
        boot_id=boot_id,
        zone=zone,
        clock_offset_us=clock_offset_us,
    )
    scanner = Scanner(clock, bridges, cards)
    seen: Counter[tuple[str, str, str]] = Counter()
    make = _Maker(node, source)
    events: list[Event] = []
    named_by_others = []
    for found in scanner.scan(pieces):
        boot = _boot_of(found.line, boot_id, boot_time_us)
        text = one_line(found.line.text).rstrip()
        key = (boot, found.stamp, text)
        seen[key] += 1
        id = line_id(node, *key, seen[key])
        if found.classification.hearsay:
            named_by_others.append(len(events))
        events.append(make.event(found, id, _named(found.line, boot_id)))
    for at in named_by_others:
        events[at] = _about_the_card(events[at], scanner.devices)
    return Scan(lines=scanner.lines, events=tuple(events), unread=scanner.unread, last=scanner.last)


def _about_the_card(event: Event, devices: Devices) -> Event:
    """An event about an address that another device named, as one about the card that is meant."""
    data = event.data
    assert isinstance(data, GpuFault)
    card = None if data.pci is None else devices.card(data.pci)
    if card == data.pci:
        return event
    about = gpu_subject(data.node, card) if card else node_subject(data.node)
    return _with(
        msgspec.structs.replace(event, subject=about), msgspec.structs.replace(data, pci=card)
    )


def _with(event: Event, data: Payload) -> Event:
    """The event with another payload, and that one's text in place of the other's."""
    return msgspec.structs.replace(event, data=data, kept=(data, canonical(data).decode()))


class _Maker:
    """Makes events; those that differ only in id, time and raw line are checked once.

    A card that fails floods the log with lines of one kind, and a full check of
    an event costs far more than finding its line. What varies is sound by itself:
    the id and the time are our own, and the line is made fit to be stored.
    """

    def __init__(self, node: str, source: str) -> None:
        self._node, self._source = node, source
        self._checked: dict[tuple[Classification, str | None], Event] = {}
        self._harmless: set[str] = set()

    def _storable(self, line: Line) -> str:
        """The raw line as a ledger can hold it, cut at 16,384 characters.

        It is looked through for secrets once a text: the kernel's own frame has none.
        """
        raw = characters.storable(line.raw[:_MAX_RAW])
        framed = line.certain and line.raw.endswith(line.text)
        if framed and line.text in self._harmless:
            return raw
        redacted = redact(raw)
        if framed and redacted == raw and len(self._harmless) < _MAX_KINDS:
            self._harmless.add(line.text)
        return redacted

    def event(self, found: Found, id: str, boot_id: str | None) -> Event:
        raw = self._storable(found.line)
        known = self._checked.get((found.classification, boot_id))
        if known is not None:
            data = msgspec.structs.replace(known.data, raw=raw)
            # Of the payload's text, which is costly to make, only the line differs.
            text = payload_text(known).replace(_raw_in(known.data), _raw_in(data), 1)
            return msgspec.structs.replace(
                known, id=id, time_us=found.time_us, data=data, kept=(data, text)
            )
        data = payload(found.classification, node=self._node, raw=raw, boot_id=boot_id)
        event = new_event(data, time_us=found.time_us, source=self._source, id=id)
        if len(self._checked) < _MAX_KINDS:
            self._checked[found.classification, boot_id] = event
        return event


def _raw_in(data: Any) -> str:
    """The raw line of a payload as its canonical text has it."""
    return f'"raw":{_json.encode(data.raw).decode()}'


def payload(found: Classification, *, node: str, raw: str, boot_id: str | None) -> Payload:
    """The payload for what a line reports; ``raw`` must be fit to be stored."""
    if found.event_type == "smu_error":
        return SmuError(
            node=node,
            signature=found.kind,
            raw=raw,
            pci=found.pci,
            code=found.code,
            message=found.message,
            boot_id=boot_id,
        )
    if found.event_type == "process_killed":
        return ProcessKilled(
            node=node, raw=raw, process=found.process, pid=found.pid, boot_id=boot_id
        )
    said = {
        "node": node,
        "fault": found.kind,
        "raw": raw,
        "code": found.code,
        "boot_id": boot_id,
    }
    if found.event_type == "node_fault":
        return msgspec.convert(said, NodeFault)
    return msgspec.convert(said | {"pci": found.pci, "action": found.action}, GpuFault)


def line_id(node: str, boot: str, stamp: str, text: str, occurrence: int) -> str:
    """The id of the event of a line, a UUID made of the SHA-256 of what identifies the line."""
    return derived_id("kernel-log line", node, boot, stamp, text, str(occurrence))


def derived_id(*parts: str) -> str:
    """A UUID (version 8) that is a function of ``parts`` alone."""
    joined = "".join([f"{len(part)}:{part}" for part in parts])
    digits = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def _boot_of(line: Line, boot_id: str | None, boot_time_us: int | None) -> str:
    named = boot_digits(line.boot_id) or boot_digits(boot_id)
    return named or ("" if boot_time_us is None else f"at {boot_time_us}")


def _named(line: Line, boot_id: str | None) -> str | None:
    """The boot id to store: as the caller writes it, unless the line names another boot."""
    own = line.boot_id
    return own if own and boot_digits(own) != boot_digits(boot_id) else boot_id
