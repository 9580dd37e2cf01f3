"""Take what vendors' tools said out of a script's output, and believe it as far as it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from collectors.script import Frames, Section
from collectors.tools import ToolReading
from collectors.vendors import VENDORS, Tool, Vendor


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a vendor's tools: the reading of the first one that told of cards.

    ``title`` is that tool's; ``smu_reads`` is what all of them cost.
    """

    vendor: Vendor
    reading: ToolReading = field(default_factory=lambda: ToolReading(()))
    title: str | None = None
    smu_reads: int = 0


def read_tools(frames: Frames) -> tuple[Asked, ...]:
    """For each vendor what its tools said, also where none was asked."""
    return tuple(_of(vendor, frames) for vendor in VENDORS)


def sections(frames: Frames) -> Iterator[tuple[Vendor, str, str, Section]]:
    """(vendor, title, command as a person would call it, section) of each command that ran."""
    for vendor in VENDORS:
        for tool in vendor.tools:
            for title, command in tool.commands:
                section = frames.first(title)
                if section is not None:
                    yield vendor, title, command.partition(" -")[0], section


def _of(vendor: Vendor, frames: Frames) -> Asked:
    asked = Asked(vendor)
    for tool in vendor.tools:
        ran = [frames.first(title) for title, _ in tool.commands]
        if ran[0] is None:
            continue
        reading = _told(tool, frames, ran[0])
        whole = all(section is not None for section in ran)
        reads = asked.smu_reads + (tool.smu_reads * len(reading.cards) if whole else 0)
        asked = Asked(vendor, reading, tool.commands[0][0], reads)
        if any(card.pci is not None for card in reading.cards):
            break
    return asked


def _told(tool: Tool, frames: Frames, first: Section) -> ToolReading:
    reading = tool.read(tuple(_text(frames, title) for title, _ in tool.commands))
    if first.ok or first.timed_out or first.status is None:
        return reading
    if reading.problems or any(card.state != "ok" for card in reading.cards):
        return reading  # it said what is wrong
    why = f"{first.title} ended with status {first.status} and did not say why"
    cards = tuple(replace(card, state="unknown", detail=why) for card in reading.cards)
    return ToolReading(cards, (why,))


def _text(frames: Frames, title: str) -> str:
    output, errors = frames.first(title), frames.first(f"{title}.err")
    return "\n".join(section.text for section in (output, errors) if section is not None)
