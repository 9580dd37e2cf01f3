"""What a clean-up saw and did, and the event payload it makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from collectors.probe.kfd import Owner
from ledger.payloads import CleanupAction, CleanupCompleted
from runledger.cleanup.request import IDLE_VRAM_MIB, CleanupRequest

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CleanedCard:
    """One AMD card: what it held, and its performance level before and after.

    ``level_after`` is None where nothing was written. ``dead``: off the bus.
    ``hung``: something about it did not come back.
    """

    pci: str
    dead: bool = False
    spared: bool = False
    hung: bool = False
    refused: bool = False
    level: str | None = None
    level_after: str | None = None
    vram_used_mib: float | None = None


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """Everything one clean-up brought back. ``caches``: entries before and after, by kind;
    after is None in a dry run. ``problems`` are sentences for a person."""

    started: bool = False
    complete: bool = False
    cards_read: bool = False
    cards: tuple[CleanedCard, ...] = ()
    owners: tuple[Owner, ...] = ()
    caches: tuple[tuple[str, int, int | None], ...] = ()
    problems: tuple[str, ...] = ()


def orphaned_vram(report: CleanupReport, request: CleanupRequest) -> dict[str, int]:
    """MiB by PCI address that no living process owns.

    Memory of processes that are gone or zombies counts, and so does memory
    without any owner at all, above the idle baseline. Memory of a living process
    does not, whatever it is for: killing it is not our business.
    """
    orphans = {}
    for card in report.cards:
        if card.dead or card.vram_used_mib is None:
            continue
        idle = request.idle_vram_mib.get(card.pci, IDLE_VRAM_MIB)
        above = card.vram_used_mib - idle - _held_mib(report, card.pci, alive=True)
        # What is known to belong to nobody counts below the baseline, too.
        left = round(max(above, _held_mib(report, card.pci, alive=False)))
        if left > 0:
            orphans[card.pci] = left
    return orphans


def _held_mib(report: CleanupReport, pci: str, *, alive: bool) -> float:
    owners = (owner for owner in report.owners if owner.pci == pci and owner.alive is alive)
    return sum(owner.bytes for owner in owners) / MIB


def report_to_payload(
    report: CleanupReport, request: CleanupRequest, node: str
) -> CleanupCompleted:
    """The `cleanup_completed` of this clean-up; a dry run says of each action what it would do."""
    actions = [*_level_actions(report, request), *_cache_actions(report)]
    orphans = orphaned_vram(report, request)
    if report.cards_read:
        actions.append(
            CleanupAction(
                name="check_orphaned_vram", ok=not orphans, detail=_orphan_detail(orphans)
            )
        )
    warnings = [*report.problems, *_card_warnings(report), *_orphan_warnings(report, orphans)]
    warnings += [
        f"{action.name}: {action.detail}"
        for action in actions
        if not action.ok and action.detail and action.name != "check_orphaned_vram"
    ]
    return CleanupCompleted(
        node=node,
        actions=tuple(actions),
        warnings=tuple(warnings),
        orphaned_vram_mib=dict(orphans) or None,
    )


def _level_actions(report: CleanupReport, request: CleanupRequest) -> Iterable[CleanupAction]:
    looked = [card for card in report.cards if card.level is not None]
    manual = [card for card in looked if card.level != "auto"]
    if looked and not manual:
        yield CleanupAction(
            name="reset_clocks", ok=True, detail="every card is at auto; nothing written"
        )
    for card in manual:
        what = f"{card.pci}: performance level {card.level}"
        if request.dry_run:
            yield CleanupAction(name="reset_clocks", ok=True, detail=f"{what}, would write auto")
        elif card.level_after == "auto":
            yield CleanupAction(name="reset_clocks", ok=True, detail=f"{what}, now auto")
        elif card.hung:
            yield CleanupAction(
                name="reset_clocks", ok=False, detail=f"{what}, writing did not come back"
            )
        elif card.refused:
            detail = f"{what}, may not be written: give the user the right, or allow sudo"
            yield CleanupAction(name="reset_clocks", ok=False, detail=detail)
        else:
            after = (
                f"still {card.level_after}" if card.level_after else "and could not be read back"
            )
            yield CleanupAction(
                name="reset_clocks", ok=False, detail=f"{what}, wrote auto, {after}"
            )


def _cache_actions(report: CleanupReport) -> Iterable[CleanupAction]:
    for kind, before, after in report.caches:
        name = f"clear_{kind}"
        if before == 0:
            yield CleanupAction(name=name, ok=True, detail="nothing there")
        elif after is None:
            yield CleanupAction(name=name, ok=True, detail=f"would remove {before} entries")
        else:
            detail = f"removed {before - after} of {before} entries"
            yield CleanupAction(name=name, ok=after == 0, detail=detail)


def _card_warnings(report: CleanupReport) -> Iterable[str]:
    for card in report.cards:
        if card.dead:
            yield f"{card.pci} is off the bus (PCI configuration reads ff ff ff ff); left alone"
        elif card.spared:
            why = "had, or may have had, an SMU error since boot"
            yield f"{card.pci} {why}; its clocks were left alone"
        elif card.hung and card.level_after is None and card.level in {None, "auto"}:
            yield f"{card.pci} did not answer in time; left alone"


def _orphan_detail(orphans: dict[str, int]) -> str:
    return ", ".join(f"{pci}: {size} MiB" for pci, size in orphans.items()) or "none"


def _orphan_warnings(report: CleanupReport, orphans: dict[str, int]) -> Iterable[str]:
    for pci, size in orphans.items():
        gone = [owner for owner in report.owners if owner.pci == pci and not owner.alive]
        held = round(_held_mib(report, pci, alive=False))
        pids = ", ".join(str(owner.pid) for owner in gone)
        whose = f"{held} MiB of it held by gone or zombie processes ({pids}); " if gone else ""
        yield (
            f"orphaned VRAM on {pci}: {size} MiB that no living process owns; "
            f"{whose}only a reset of the card or a reboot frees what has no owner"
        )
