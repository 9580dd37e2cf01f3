"""Understand what came back from a probe. Pure, and never raising on junk.

What could not be read is said in `ProbeReport.errors` and left out; nothing
is filled in. A probe that broke off half-way gives what it brought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from collectors.probe.cards import Sysfs, read_sysfs
from collectors.probe.kernel import read_kernel, read_previous
from collectors.probe.places import bridges_to_cards, places_of
from collectors.probe.report import Card, FileSeen, Hung, ProbeReport
from collectors.probe.request import BANNER, ProbeRequest
from collectors.probe.tools import Asked, read_tools, sections
from collectors.probe.witness import RememberedHead, remembered_head
from collectors.script import Frames, parse_frames
from collectors.tools import CardReading
from collectors.tools.reading import amount, name, number

_BOOT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_UPTIME = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_DF = re.compile(r"\s(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+\d{1,3}%\s")
_COMMANDS = {
    "kernel.journal": "journalctl -k",
    "previous.journal": "journalctl -k -b -1",
    "kernel.kmsg": "dd if=/dev/kmsg",
    "kernel.dmesg": "dmesg",
    "space": "df",
}


def parse_probe(output: bytes, request: ProbeRequest) -> ProbeReport:
    """The report of the probe that ``request`` asked for, from its raw output."""
    frames = parse_frames(output, BANNER, request.nonce)
    if not frames.started:
        said = name(output[:300].decode("utf-8", "replace")) or "nothing"
        return ProbeReport(errors=(f"this is not the output of a probe: {said}",))
    node = _node(frames)
    boot_id = node.get("boot_id", "").strip().lower()
    boot = boot_id if _BOOT.match(boot_id) else None
    uptime = _UPTIME.match(node.get("uptime", ""))
    same_boot = boot is not None and boot == request.boot_id
    sysfs = read_sysfs(frames, request.read_limit_s)
    tools = read_tools(frames)
    cards = _with_places(_merge(sysfs, tools), frames)
    ramdisk, inputs, hung_files = _files(frames, request)
    report = ProbeReport(
        started=True,
        complete=frames.complete,
        boot_id=boot,
        uptime_s=float(uptime[0]) if uptime else None,
        hostname=name(node.get("hostname")),
        clock_s=number(node.get("clock")),
        mem_total_mib=_mib(node.get("mem_total_kib")),
        mem_available_mib=_mib(node.get("mem_available_kib")),
        kernel=read_kernel(frames, boot, request.cursor if same_boot else None),
        previous=read_previous(frames, boot, request.boot_id, request.cursor),
        method=_method(frames, sysfs),
        cards_read=_cards_read(frames, cards, sysfs, tools),
        cards=cards,
        why_none=_why_none(frames, cards, tools),
        bridges=_bridges(frames, cards),
        smu_reads=sysfs.smu_reads + sum(asked.smu_reads for asked in tools),
        hung=(*sysfs.hung, *_hung_tools(frames, request), *hung_files),
        ramdisk=ramdisk,
        inputs=inputs,
        ramdisk_free_mib=_free(frames),
        heads=_heads(frames),
    )
    problems = tuple(problem for asked in tools for problem in asked.reading.problems)
    return replace(report, errors=tuple(_errors(frames, request, problems, report)))


def _node(frames: Frames) -> dict[str, str]:
    section = frames.first("node")
    pairs = (line.partition(" ") for line in (section.lines() if section else ()))
    return {key: value for key, _, value in pairs}


def _heads(frames: Frames) -> tuple[RememberedHead, ...] | None:
    section = frames.first("witness")
    if section is None or not section.ok:
        return None
    return tuple(filter(None, map(remembered_head, section.lines())))


def _mib(kib: str | None) -> float | None:
    found = amount(kib)
    return None if found is None else found // 1024


def _bridges(frames: Frames, cards: tuple[Card, ...]) -> dict[str, str]:
    section = frames.first("places")
    # Of a listing that broke off, a device may be missing that shares the bridge.
    if section is None or not section.ok:
        return {}
    return bridges_to_cards(section.lines(), {card.pci for card in cards})


def _merge(sysfs: Sysfs, tools: tuple[Asked, ...]) -> tuple[Card, ...]:
    """All cards by PCI address. A tool's word wins where sysfs cannot tell, or shows nothing."""
    cards = {card.pci: card for card in sysfs.cards}
    for asked in tools:
        vendor = asked.vendor
        for seen in asked.reading.cards:
            if seen.pci is None:
                continue
            before = cards.get(seen.pci)
            if before is not None and (vendor.sysfs or before.state == "unresponsive"):
                continue
            cards[seen.pci] = _as_told(seen, seen.pci, vendor.name, before)
        if vendor.sysfs or asked.title is None:
            continue
        listed = {card.pci for card in asked.reading.cards}
        said = "; ".join(asked.reading.problems)[:500]
        for pci, card in cards.items():
            if card.vendor != vendor.name or card.state != "unknown" or pci in listed:
                continue
            if listed:
                why = f"{asked.title} no longer lists it"
                cards[pci] = replace(card, state="unresponsive", detail=why)
            elif said:
                cards[pci] = replace(card, detail=f"{asked.title} says: {said}")
    return tuple(cards[pci] for pci in sorted(cards))


def _as_told(seen: CardReading, pci: str, vendor: str, before: Card | None) -> Card:
    return Card(
        pci=pci,
        state=seen.state,
        vendor=vendor,
        detail=seen.detail or ("" if seen.state == "ok" else f"by {vendor}'s own tool"),
        name=before.name if before else None,
        index=seen.index,
        card_uid=seen.card_uid,
        model=seen.model or (before.model if before else None),
        busy_pct=seen.busy_pct,
        vram_used_mib=seen.vram_used_mib,
        vram_total_mib=seen.vram_total_mib,
        temp_c=seen.temp_c,
        sclk_mhz=seen.sclk_mhz,
        compute_mode=seen.compute_mode,
        recovery_action=seen.recovery_action,
    )


def _with_places(cards: tuple[Card, ...], frames: Frames) -> tuple[Card, ...]:
    section = frames.first("places")
    places = places_of(section.lines() if section is not None else ())
    return tuple(replace(card, place=places.get(card.pci)) for card in cards)


def _cards_read(
    frames: Frames, cards: tuple[Card, ...], sysfs: Sysfs, tools: tuple[Asked, ...]
) -> bool:
    """Whether ``cards`` can be taken for all there are."""
    vendors = {card.vendor for card in cards}
    for vendor, _, _, section in sections(frames):
        broken = section.timed_out or section.status is None
        if broken and vendor.name not in vendors:
            return False
    # A tool that shows cards without their addresses: nobody knows which they are.
    nameless = any(
        card.pci is None
        for asked in tools
        if asked.vendor.name not in vendors
        for card in asked.reading.cards
    )
    return sysfs.read and not nameless


def _why_none(frames: Frames, cards: tuple[Card, ...], tools: tuple[Asked, ...]) -> str | None:
    """Why no card is shown, as far as tools say, or their absence does."""
    said = [
        f"{asked.title}: {problem}"
        for asked in tools
        if not any(card.pci for card in asked.reading.cards)
        for problem in asked.reading.problems
    ]
    section = frames.first("tools")
    unfound = (
        [line[8:] for line in section.lines() if line.startswith("unfound ")] if section else []
    )
    if not cards and unfound and not said:
        names = ", ".join(filter(None, map(name, dict.fromkeys(unfound))))
        said.append(f"not found on the PATH of a session without a terminal: {names}")
    return "; ".join(said)[:2000] or None


def _method(frames: Frames, sysfs: Sysfs) -> str:
    tools = [title.partition(".")[0] for _, title, _, _ in sections(frames)]
    return "+".join(dict.fromkeys([*(["sysfs"] if sysfs.cards or not tools else []), *tools]))


def _hung_tools(frames: Frames, request: ProbeRequest) -> Iterator[Hung]:
    commands = {title: command for _, title, command, _ in sections(frames)} | _COMMANDS
    for section in frames.sections:
        command = commands.get(section.title)
        if command is not None and section.timed_out:
            is_log = section.title.startswith(("kernel.", "previous."))
            limit = request.log_limit_s if is_log else request.tool_limit_s
            yield Hung(command, request.read_limit_s if section.title == "space" else limit)


def _files(
    frames: Frames, request: ProbeRequest
) -> tuple[tuple[FileSeen, ...], tuple[FileSeen, ...], tuple[Hung, ...]]:
    """What was found of the ramdisk's files and of the inputs; and a look-up that hung."""
    section = frames.first("files")
    if section is None:
        return (), (), ()
    seen: dict[int, FileSeen] = {}
    trying: list[int] = []
    for line in section.lines():
        verb, _, rest = line.partition(" ")
        words = [word for word in rest.split(" ") if word]
        numbers = [
            int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 18
        ]
        if not numbers or numbers[0] >= len(request.files):
            continue
        number = numbers[0]
        path = request.files[number].path
        if verb == "try":
            trying = [at for at in numbers if at < len(request.files)]
        elif verb == "absent":
            seen[number] = FileSeen(path, False)
        elif verb == "present":
            seen[number] = FileSeen(path, True, numbers[1] if len(numbers) > 1 else None)
        elif verb == "hash" and number in seen and _SHA256.match(words[-1]):
            seen[number] = replace(seen[number], sha256=words[-1])
    hung: tuple[Hung, ...] = ()
    if section.timed_out and trying:
        path = request.files[trying[0]].path
        hung = (
            Hung(
                f"looking at {path}", request.read_limit_s, detail="the file system did not answer"
            ),
        )
    split = len(request.ramdisk)
    ramdisk = tuple(seen[at] for at in sorted(seen) if at < split)
    return ramdisk, tuple(seen[at] for at in sorted(seen) if at >= split), hung


def _free(frames: Frames) -> float | None:
    """MiB free by ``df -Pk``: the third number of its last line."""
    section = frames.first("space")
    matches = _DF.findall(section.text + "\n") if section is not None else []
    return int(matches[-1][2]) // 1024 if matches else None


def _errors(
    frames: Frames, request: ProbeRequest, problems: tuple[str, ...], report: ProbeReport
) -> Iterator[str]:
    if not frames.complete:
        yield "the probe broke off before its end"
    if frames.first("scratch") is not None:
        yield "no folder for temporary files could be made on the node: is its disk full?"
    if frames.first("late") is not None:
        yield "the probe ran out of time; what is missing was not looked at"
    if not request.kernel_log:
        pass
    elif report.kernel.source == "none":
        yield (
            "the kernel log could not be read: "
            "add the user to the group systemd-journal or adm, then log in again"
        )
    elif not report.kernel.readable:
        yield "the kernel log was not read to its end; the next probe goes on from there"
    if frames.first("cards") is not None and not report.cards_read:
        yield "the cards could not all be listed"
    if report.why_none is not None and not problems:
        yield f"no card is shown: {report.why_none}"
    files = frames.first("files")
    denied = {line for line in files.lines() if line.startswith("denied ")} if files else set()
    for at, file in enumerate(request.files):
        if f"denied {at}" in denied:
            yield f"{file.path} is there, but may not be read, and so counts as missing"
    yield from problems
