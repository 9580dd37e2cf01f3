"""Judge each card from what sysfs and its one SMU read said.

The order of the evidence is that of the probe: PCI config bytes, memory
counters, then the SMU. What did not answer in time is ``unknown``, never bad;
what answered with "lost" is ``unresponsive``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

from collectors.probe.kfd import read_owners
from collectors.probe.report import Card, CardState, Hung
from collectors.script import Frames, Section
from collectors.tools.reading import HOTTEST_C, mib, name
from collectors.vendors import vendor_of
from ledger.identifiers import normalize_pci

_NAME = re.compile(r"card\d{1,4}\Z")
_CONFIG = re.compile(r"[0-9a-f]{2}(?: [0-9a-f]{2}){3}\Z")
_VALUE = re.compile(r"-?\d{1,9}\Z")
_LOST = (
    "Timer expired",
    "Input/output error",
    "Remote I/O error",
    "No such device",
    "Connection timed out",
)
"""Words for ETIME, EIO, EREMOTEIO, ENODEV and ETIMEDOUT: the card's controller is not there."""
_HEAT = "temp1_input"
"""The file that is read where a card has no other; in thousandths of a degree."""
_SPARED = {
    "smu_error_in_log": "its SMU failed since the last look, by the kernel log; not asked again",
    "known_as_failed": "known to have failed; its SMU was not asked",
    "not_wanted": "its SMU was not to be asked",
    "no_vram_answer": "its memory counters did not answer",
}


@dataclass(slots=True)
class _Found:
    """What the sections say about one card, unjudged."""

    name: str
    pci: str
    vendor: str
    model: str
    config: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    spared: str | None = None
    asked: str | None = None
    answer: str | None = None
    error: str | None = None
    hung: str | None = None


@dataclass(slots=True)
class Sysfs:
    """The cards that sysfs shows, and what the look at them cost."""

    read: bool = False
    cards: list[Card] = field(default_factory=list)
    smu_reads: int = 0
    hung: list[Hung] = field(default_factory=list)


def read_sysfs(frames: Frames, read_limit_s: float) -> Sysfs:
    """All cards by PCI address, judged."""
    result = Sysfs()
    listing = frames.first("cards")
    if listing is None:
        return result
    if listing.timed_out:
        result.hung.append(Hung("listing /sys/class/drm", read_limit_s))
        return result
    result.read = listing.ok
    found = {card.name: card for card in _listed(listing)}
    owner_lines: list[str] = []
    for section in frames.all("values"):
        _take_values(section, found)
        owner_lines += [line for line in section.lines() if line.startswith("kfd")]
        if section.timed_out:
            result.hung.append(_hung_reading(section, found, read_limit_s))
    for title in ("smu", "smu1"):
        errors = chain((section.text for section in frames.all(f"{title}.err")), repeat(""))
        for section, said in zip(frames.all(title), errors, strict=False):
            result.smu_reads += _take_answers(section, said, found, read_limit_s, result.hung)
    owners = {(owner.pid, owner.pci) for owner in read_owners(owner_lines)}
    by_pci = sorted(found.values(), key=lambda card: card.pci)
    positions: Counter[str] = Counter()
    for card in by_pci:
        vendor = vendor_of(card.model)
        in_kfd = vendor is not None and vendor.sysfs
        held_by = sum(pci == card.pci for _, pci in owners) if in_kfd else None
        result.cards.append(_judge(card, positions[card.vendor], held_by))
        positions[card.vendor] += 1
    result.cards += _undriven(listing, {card.pci for card in by_pci})
    return result


def _listed(section: Section) -> Iterator[_Found]:
    for words in _words(section, "card", 5):
        pci = normalize_pci(words[2])
        if _NAME.match(words[1]) and pci is not None:
            yield _Found(words[1], pci, _vendor(words[3]), words[3].lower())


def _undriven(section: Section, known: set[str]) -> Iterator[Card]:
    for words in _words(section, "undriven", 3):
        pci = normalize_pci(words[1])
        if pci is not None and pci not in known:
            known.add(pci)
            detail = "on the PCI bus, but no driver took it: see the kernel log since boot"
            yield Card(
                pci=pci,
                state="unresponsive",
                vendor=_vendor(words[2]),
                detail=detail,
                model=name(words[2]),
            )


def _vendor(pci_id: str) -> str:
    vendor = vendor_of(pci_id)
    return pci_id[:4].lower() if vendor is None else vendor.name


def _words(section: Section, kind: str, count: int) -> Iterator[list[str]]:
    for line in section.lines():
        words = line.split(" ")
        if words[0] == kind and len(words) == count:
            yield words


def _take_values(section: Section, found: dict[str, _Found]) -> None:
    for line in section.lines():
        kind, _, rest = line.partition(" ")
        who, _, rest = rest.partition(" ")
        card = found.get(who)
        if card is None:
            continue
        if kind == "config" and _CONFIG.match(rest):
            card.config = rest
        elif kind == "value":
            key, _, text = rest.partition(" ")
            card.values[key] = text
        elif kind == "fail":
            card.failed.append(rest)
        elif kind == "spare":
            card.spared = rest


def _hung_reading(section: Section, found: dict[str, _Found], limit_s: float) -> Hung:
    """Which file the worker was reading when it stopped: the last one it announced."""
    tries = [line.split(" ") for line in section.lines() if line.startswith("try ")]
    words = tries[-1] if tries else []
    if len(words) != 3 or not (card := found.get(words[1])):
        return Hung("reading sysfs", limit_s, None, "several cards at once")
    file = name(words[2]) or "a file"
    card.hung = f"reading {file} did not come back"
    return Hung(f"read {file}", limit_s, card.pci, card.hung)


def _take_answers(
    section: Section, errors: str, found: dict[str, _Found], limit_s: float, hung: list[Hung]
) -> int:
    """Give each asked card its answer, in order; returns how many were asked indeed.

    An error names its card; every other card, in order, has the next answer.
    Where the counts do not fit, nobody knows whose answer is whose.
    """
    asked = []
    for line in section.lines():
        words = line.split(" ")
        if words[0] == "asked" and len(words) > 1 and words[1] in found:
            found[words[1]].asked = words[2] if len(words) > 2 else None
            asked.append(found[words[1]])
    answers = [line[7:] for line in section.lines() if line.startswith("answer ") and line[7:]]
    failures: dict[str, str] = {}
    for line in errors.split("\n"):
        if line.startswith("cat: "):
            for card in asked:
                if f"/{card.name}/" in line:
                    failures[card.name] = line.rpartition(": ")[2]
    done = len(answers) + len(failures)
    if section.timed_out and done < len(asked):
        stuck = asked[done]
        stuck.hung = "its SMU did not answer in time"
        hung.append(Hung("one read through the SMU", limit_s, stuck.pci, stuck.hung))
        reads, asked = done + 1, asked[:done]
    else:
        reads = len(asked)
        if done != reads:
            return reads
    rest = iter(answers)
    for card in asked:
        card.error = failures.get(card.name)
        card.answer = None if card.error else next(rest, None)
    return reads


def _judge(found: _Found, index: int, owners: int | None) -> Card:
    state, detail = _state(found)
    answer = int(found.answer) if found.answer and _VALUE.match(found.answer) else None
    heat_c = None if answer is None or found.asked != _HEAT else answer / 1000
    busy = None if found.asked == _HEAT else answer
    values = found.values
    return Card(
        pci=found.pci,
        state=state,
        vendor=found.vendor,
        detail=detail,
        name=found.name,
        index=index,
        card_uid=name(values.get("unique_id")),
        model=name(values.get("product_name")) or found.model,
        busy_pct=busy if busy is not None and 0 <= busy <= 100 else None,
        vram_used_mib=mib(values.get("mem_info_vram_used")),
        vram_total_mib=mib(values.get("mem_info_vram_total")),
        temp_c=heat_c if heat_c is not None and -50 <= heat_c <= HOTTEST_C else None,
        performance_level=name(values.get("power_dpm_force_performance_level")),
        owners=owners,
    )


def _state(found: _Found) -> tuple[CardState, str]:
    if found.config == "ff ff ff ff":
        return "unresponsive", "off the bus: its PCI configuration reads ff ff ff ff"
    if found.hung:
        return "unknown", found.hung
    if found.error:
        lost = any(word in found.error for word in _LOST)
        return "unresponsive" if lost else "unknown", f"its SMU answered: {name(found.error)}"
    if found.answer is not None and _VALUE.match(found.answer):
        if found.asked == _HEAT and int(found.answer) > HOTTEST_C * 1000:
            return "unresponsive", f"its SMU answered with no temperature: {found.answer}"
        return "ok", ""
    if found.answer is not None:
        return "unknown", "its SMU gave no number"
    if found.config is None:
        return "unknown", "its PCI configuration could not be read"
    if found.spared in _SPARED:
        return "unknown", _SPARED[found.spared]
    return "unknown", "its SMU was not asked"
