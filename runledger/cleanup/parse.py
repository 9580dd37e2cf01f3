"""Understand what came back from a clean-up. Pure, and never raising on junk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import replace as with_changes

from collectors.probe.kfd import read_owners
from collectors.script import Frames, Section, parse_frames
from collectors.tools.reading import mib, name
from collectors.vendors import vendor_of
from ledger.identifiers import normalize_pci
from runledger.cleanup.outcome import CleanedCard, CleanupReport
from runledger.cleanup.request import BANNER, CleanupRequest

_CACHE = re.compile(r"(hip|comgr|miopen)_cache\Z")
_COUNT = re.compile(r"\d{1,9}\Z")


@dataclass(slots=True)
class _Cards:
    """The cards whose driver answers in sysfs, by their name there."""

    by_name: dict[str, CleanedCard]

    def change(self, who: str, **changes: object) -> None:
        if who in self.by_name:
            self.by_name[who] = with_changes(self.by_name[who], **changes)  # type: ignore[arg-type]


def parse_cleanup(output: bytes, request: CleanupRequest) -> CleanupReport:
    """The report of the clean-up that ``request`` asked for, from its raw output."""
    frames = parse_frames(output, BANNER, request.nonce)
    if not frames.started:
        said = name(output[:300].decode("utf-8", "replace")) or "nothing"
        return CleanupReport(problems=(f"this is not the output of a clean-up: {said}",))
    problems = _problems(frames)
    listing = frames.first("cards")
    cards = _listed(listing)
    owner_lines: list[str] = []
    for section in (*frames.all("values"), *frames.all("levels")):
        owner_lines += [line for line in section.lines() if line.startswith("kfd")]
        _take(section, cards)
    values = frames.first("values")
    cards_read = listing is not None and listing.ok and values is not None and values.ok
    if not cards_read:
        problems.append("the cards could not all be looked at")
    return CleanupReport(
        started=True,
        complete=frames.complete,
        cards_read=cards_read,
        cards=tuple(sorted(cards.by_name.values(), key=lambda card: card.pci)),
        owners=read_owners(owner_lines),
        caches=_caches(frames, problems),
        problems=tuple(problems),
    )


def _problems(frames: Frames) -> list[str]:
    problems = []
    if not frames.complete:
        problems.append("the clean-up broke off before its end")
    if frames.first("scratch") is not None:
        problems.append(
            "no folder for temporary files could be made on the node: is its disk full?"
        )
    if frames.first("late") is not None:
        problems.append("the clean-up ran out of time; the rest was not looked at")
    return problems


def _listed(section: Section | None) -> _Cards:
    found = {}
    for line in section.lines() if section is not None else ():
        words = line.split(" ")
        if words[0] == "card" and len(words) == 5:
            pci, vendor = normalize_pci(words[2]), vendor_of(words[3])
            if pci is not None and vendor is not None and vendor.sysfs:
                found[words[1]] = CleanedCard(pci)
    return _Cards(found)


def _take(section: Section, cards: _Cards) -> None:
    tried = ""
    for line in section.lines():
        kind, _, rest = line.partition(" ")
        who, _, rest = rest.partition(" ")
        if kind == "try":
            tried = who
        elif kind == "config" and rest == "ff ff ff ff":
            cards.change(who, dead=True)
        elif kind == "spare":
            cards.change(who, spared=True)
        elif kind == "value" and rest.startswith("mem_info_vram_used "):
            cards.change(who, vram_used_mib=mib(rest.partition(" ")[2]))
        elif kind == "value" and rest.startswith("power_dpm_force_performance_level "):
            cards.change(who, level=name(rest.partition(" ")[2]))
        elif kind == "refused":
            cards.change(who, refused=True)
        elif kind == "level":
            cards.change(who, level_after=name(rest))
    if section.timed_out:
        cards.change(tried, hung=True)


def _caches(frames: Frames, problems: list[str]) -> tuple[tuple[str, int, int | None], ...]:
    section = frames.first("caches")
    if section is None:
        return ()
    if section.timed_out:
        problems.append("removing the caches did not come back in time")
    caches: list[tuple[str, int, int | None]] = []
    for line in section.lines():
        words = line.split(" ")
        if words[0] == "nohome":
            problems.append(
                "the session has no home folder, so that the HIP cache was not looked for"
            )
        if len(words) < 3 or not _CACHE.match(words[1]) or not all(map(_COUNT.match, words[2:])):
            continue
        if words[0] == "would":
            caches.append((words[1], int(words[2]), None))
        elif words[0] == "cache" and len(words) == 4:
            caches.append((words[1], int(words[2]), min(int(words[2]), int(words[3]))))
    return tuple(caches)
