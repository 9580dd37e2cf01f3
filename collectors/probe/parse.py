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
from collectors.probe.places import bridges_to_cards
from collectors.probe.report import Card, FileSeen, Hung, ProbeReport
from collectors.probe.request import BANNER, ProbeRequest
from collectors.script import Frames, parse_frames
from collectors.tools import ToolReading, amd_smi, nvidia_smi, rocm_smi
from collectors.tools.reading import name

_BOOT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_UPTIME = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_DF = re.compile(r"\s(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+\d{1,3}%\s")
_TOOLS = ("rocm-smi", "amd-smi.list", "amd-smi.metric", "nvidia-smi")
_COMMANDS = {
    "rocm-smi": "rocm-smi",
    "amd-smi.list": "amd-smi list",
    "amd-smi.metric": "amd-smi metric",
    "nvidia-smi": "nvidia-smi",
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
    amd, reads = _amd_tools(frames)
    nvidia = _nvidia(frames)
    cards = _merge(sysfs, amd, nvidia)
    ramdisk, inputs, hung_files = _files(frames, request)
    report = ProbeReport(
        started=True,
        complete=frames.complete,
        boot_id=boot,
        uptime_s=float(uptime[0]) if uptime else None,
        hostname=name(node.get("hostname")),
        kernel=read_kernel(frames, boot, request.cursor if same_boot else None),
        previous=read_previous(frames, boot, request.boot_id, request.cursor),
        method=_method(frames, sysfs),
        cards_read=_cards_read(frames, cards, sysfs, amd),
        cards=cards,
        bridges=_bridges(frames, cards),
        smu_reads=sysfs.smu_reads + reads,
        hung=(*sysfs.hung, *_hung_tools(frames, request), *hung_files),
        ramdisk=ramdisk,
        inputs=inputs,
        ramdisk_free_mib=_free(frames),
    )
    problems = amd.problems + nvidia.problems
    return replace(report, errors=tuple(_errors(frames, request, problems, report)))


def _node(frames: Frames) -> dict[str, str]:
    section = frames.first("node")
    pairs = (line.partition(" ") for line in (section.lines() if section else ()))
    return {key: value for key, _, value in pairs}


def _bridges(frames: Frames, cards: tuple[Card, ...]) -> dict[str, str]:
    section = frames.first("places")
    # Of a listing that broke off, a device may be missing that shares the bridge.
    if section is None or not section.ok:
        return {}
    return bridges_to_cards(section.lines(), {card.pci for card in cards})


def _amd_tools(frames: Frames) -> tuple[ToolReading, int]:
    """What the fallbacks said, and the SMU reads they cost: one a card."""
    reading = ToolReading(())
    reads = 0
    if rocm := frames.first("rocm-smi"):
        errors = frames.first("rocm-smi.err")
        reading = rocm_smi.parse(rocm.text + "\n" + (errors.text if errors else ""))
        reads = len(reading.cards)
    listed, metric = frames.first("amd-smi.list"), frames.first("amd-smi.metric")
    if listed is not None and not any(card.pci for card in reading.cards):
        reading = amd_smi.parse(listed.text, metric.text if metric else "")
        reads += len(reading.cards) if metric else 0
    return reading, reads


def _nvidia(frames: Frames) -> ToolReading:
    section, errors = frames.first("nvidia-smi"), frames.first("nvidia-smi.err")
    if section is None:
        return ToolReading(())
    return nvidia_smi.parse(section.text + "\n" + (errors.text if errors else ""))


def _merge(sysfs: Sysfs, amd: ToolReading, nvidia: ToolReading) -> tuple[Card, ...]:
    """All cards by PCI address. nvidia-smi's word wins, unless sysfs saw the card off the bus."""
    cards = {card.pci: card for card in sysfs.cards}
    for vendor, reading in (("amd", amd), ("nvidia", nvidia)):
        for seen in reading.cards:
            if seen.pci is None:
                continue
            before = cards.get(seen.pci)
            if before is not None and (vendor == "amd" or before.state == "unresponsive"):
                continue
            cards[seen.pci] = Card(
                pci=seen.pci,
                state=seen.state,
                vendor="amd" if vendor == "amd" else "nvidia",
                detail="" if seen.state == "ok" else f"by {vendor}'s own tool",
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
            )
    if nvidia.cards:
        listed = {card.pci for card in nvidia.cards}
        for pci, card in cards.items():
            if card.vendor == "nvidia" and card.state == "unknown" and pci not in listed:
                cards[pci] = replace(
                    card, state="unresponsive", detail="nvidia-smi no longer lists it"
                )
    return tuple(cards[pci] for pci in sorted(cards))


def _cards_read(frames: Frames, cards: tuple[Card, ...], sysfs: Sysfs, amd: ToolReading) -> bool:
    """Whether ``cards`` can be taken for all there are."""
    vendors = {card.vendor for card in cards}
    for title in _TOOLS:
        section = frames.first(title)
        vendor = "nvidia" if title == "nvidia-smi" else "amd"
        if (
            section is not None
            and (section.timed_out or section.status is None)
            and vendor not in vendors
        ):
            return False
    return sysfs.read and not _unplaced(cards, amd)


def _unplaced(cards: tuple[Card, ...], amd: ToolReading) -> bool:
    """Whether a tool showed cards without their addresses, so that nobody knows which they are."""
    nameless = any(card.pci is None for card in amd.cards)
    return nameless and not any(card.vendor == "amd" for card in cards)


def _method(frames: Frames, sysfs: Sysfs) -> str:
    tools = [title.partition(".")[0] for title in _TOOLS if frames.first(title) is not None]
    return "+".join(dict.fromkeys([*(["sysfs"] if sysfs.cards or not tools else []), *tools]))


def _hung_tools(frames: Frames, request: ProbeRequest) -> Iterator[Hung]:
    for section in frames.sections:
        command = _COMMANDS.get(section.title)
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
    files = frames.first("files")
    denied = {line for line in files.lines() if line.startswith("denied ")} if files else set()
    for number, file in enumerate(request.files):
        if f"denied {number}" in denied:
            yield f"{file.path} is there, but may not be read, and so counts as missing"
    yield from problems
