"""Every witness asked at once what it remembers, without showing it anything or storing a word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from collectors.probe import ProbeRequest, parse_probe, probe_script
from collectors.probe.witness import RememberedHead
from collectors.reach import Limits, NodeResult, NodeSpec, run_script_blocking
from collectors.script import new_nonce
from ledger import Head, Ledger
from rules.fleet import Node
from runledger.config.node_specs import node_spec
from runledger.config.settings import ProbeSettings
from runledger.probing import witness_files
from runledger.probing.witness_heads import Shown, compared


class WitnessSaid(NamedTuple):
    """What one witness said: the heads it remembers that the ledger does not hold.

    ``problem`` says why it could not be asked; ``remembered`` counts the heads.
    """

    witness: str
    problem: str = ""
    remembered: int = 0
    not_held: tuple[Head, ...] = ()


def ask_witnesses(
    ledger: Ledger,
    shown: Shown,
    nodes: Sequence[Node],
    files: Sequence[Path],
    *,
    settings: ProbeSettings,
    folder: Path,
) -> list[WitnessSaid]:
    """Ask all of them; what an operator has accepted does not count."""
    accepted_us = accepted_until(ledger)

    def said(witness: str, remembered: Sequence[RememberedHead]) -> WitnessSaid:
        found = compared(ledger, shown, remembered)
        strange = [each for each in found.not_held if each.noted_us > accepted_us]
        heads = dict.fromkeys(Head(each.sequence, each.hash) for each in strange)
        return WitnessSaid(witness, "", len(found.held) + len(found.not_held), tuple(heads))

    answers = []
    for path in files:
        try:
            answers.append(said(str(path), witness_files.recall(path)))
        except OSError as error:
            answers.append(WitnessSaid(str(path), f"cannot be read: {error.strerror or error}"))
    requests = {
        node_spec(node, folder): ProbeRequest(
            nonce=new_nonce(), kernel_log=False, cards=False, recall=shown.recall
        )
        for node in nodes
    }
    if requests:
        limits = Limits(
            connect_s=settings.connect_timeout_s,
            command_s=settings.total_timeout_s,
            total_s=settings.total_timeout_s,
            concurrency=settings.concurrency,
        )

        def script_for(spec: NodeSpec) -> bytes:
            return probe_script(requests[spec])

        for result in run_script_blocking(requests, script_for, limits=limits):
            heads, problem = _told(result, requests[result.node])
            name = result.node.name
            answers.append(WitnessSaid(name, problem) if problem else said(name, heads))
    return sorted(answers)


def accepted_until(ledger: Ledger) -> int:
    """When an operator last accepted what witnesses remember, in microseconds; 0 for never."""
    return max((each.time_us for each in ledger.read(types=["witness_accepted"])), default=0)


def _told(result: NodeResult, request: ProbeRequest) -> tuple[tuple[RememberedHead, ...], str]:
    if result.failure is not None:
        return (), f"{result.failure.detail}; {result.failure.remedy}"
    heads = parse_probe(result.stdout, request).heads
    return (heads, "") if heads is not None else ((), "could not tell what it remembers")
