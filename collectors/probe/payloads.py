"""Turn a probe's report into event payloads. Nothing is added to what was seen.

What was not looked at, or hung, makes no payload: missing evidence is for the
rules to notice, never for a collector to fill in.
"""

from __future__ import annotations

from collections.abc import Mapping

from collectors.probe.report import Card, FileSeen, KernelLog, ProbeReport
from ledger.payloads import (
    CommandHung,
    GpuProbe,
    InputFile,
    InputsChecked,
    KernelLogScanned,
    Payload,
    ProbedGpu,
    RamdiskChecked,
    RamdiskFile,
)
from ledger.text.characters import CONTROL


def report_to_payloads(
    report: ProbeReport,
    node: str,
    *,
    expected: int | None = None,
    expected_sha256: Mapping[str, str] | None = None,
) -> tuple[Payload, ...]:
    """The payloads that need no more than the report: cards, files, hung commands.

    ``expected`` is the configured number of cards, ``expected_sha256`` the
    configured hash by path of a file. The kernel log is not among them, since
    counting its matches takes a parser: see `kernel_scans`.
    """
    payloads: list[Payload] = [
        CommandHung(
            node=node,
            pci=hung.pci,
            command=hung.command,
            timeout_s=hung.timeout_s,
            detail=hung.detail,
        )
        for hung in report.hung
    ]
    if report.cards_read:
        payloads.append(
            GpuProbe(
                node=node,
                method=report.method,
                gpus=tuple(_gpu(card) for card in report.cards),
                smu_reads=report.smu_reads,
                expected=expected,
                detail=report.why_none if len(report.cards) < (expected or 1) else None,
            )
        )
    if report.ramdisk:
        payloads.append(
            RamdiskChecked(
                node=node,
                files=tuple(
                    RamdiskFile(
                        path=file.path,
                        present=file.present,
                        bytes=file.bytes,
                        sha256=file.sha256,
                        expected_sha256=(expected_sha256 or {}).get(file.path),
                    )
                    for file in report.ramdisk
                ),
                free_mib=report.ramdisk_free_mib,
            )
        )
    if report.inputs:
        payloads.append(inputs_checked(report.inputs, node, expected_sha256 or {}))
    return tuple(payloads)


def inputs_checked(
    files: tuple[FileSeen, ...], node: str | None, expected_sha256: Mapping[str, str]
) -> InputsChecked:
    """The payload for input files; without ``node`` they are the controller's."""
    return InputsChecked(
        node=node,
        files=tuple(
            InputFile(
                path=file.path,
                present=file.present,
                bytes=file.bytes,
                sha256=file.sha256,
                expected_sha256=expected_sha256.get(file.path),
            )
            for file in files
        ),
    )


def kernel_scans(
    report: ProbeReport,
    node: str,
    *,
    matches: int,
    previous_matches: int = 0,
    unread: int = 0,
    previous_unread: int = 0,
) -> tuple[KernelLogScanned, ...]:
    """How far the kernel log was read: the boot before, where it was read, then this one.

    ``matches`` counts the lines that became events, ``unread`` those that hold words
    of trouble and could not be placed. An unreadable log of the
    boot before is left out: it is often not kept, and says nothing about now.
    """
    scans = []
    if report.previous is not None and report.previous.readable:
        scans.append(_scan(report.previous, node, previous_matches, previous_unread))
    scans.append(_scan(report.kernel, node, matches, unread))
    return tuple(scans)


def _scan(log: KernelLog, node: str, matches: int, unread: int) -> KernelLogScanned:
    return KernelLogScanned(
        node=node,
        lines=len(log.lines),
        matches=matches,
        unread=unread,
        readable=log.readable,
        boot_id=log.boot_id,
        cursor=None if log.cursor is None or CONTROL.search(log.cursor) else log.cursor[:1024],
    )


def _gpu(card: Card) -> ProbedGpu:
    return ProbedGpu(
        pci=card.pci,
        state=card.state,
        index=card.index,
        card_uid=card.card_uid,
        model=card.model,
        busy_pct=card.busy_pct,
        vram_used_mib=card.vram_used_mib,
        vram_total_mib=card.vram_total_mib,
        temp_c=card.temp_c,
        sclk_mhz=card.sclk_mhz,
        processes=card.owners,
        compute_mode=card.compute_mode,
        place=card.place,
        detail=card.detail or None,
        recovery_action=card.recovery_action,
    )
