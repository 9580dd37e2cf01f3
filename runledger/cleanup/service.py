"""Cleaning up after a batch: look, act, look again, warn; it fails no run.

The nodes are probed first, so that a card with an SMU error since boot is
known and nothing is written to it. What a clean-up warned of is part of the
next preflight. A dry run shows what would be done, and records nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from collectors.reach import Limits, NodeResult, NodeSpec, run_script_blocking
from collectors.script import new_nonce
from ledger import Event, InvalidEvents, new_event
from ledger.payloads import CleanupAction, CleanupCompleted
from ledger.redaction import redacted
from rules.folds.boots import since_boot
from rules.state import State
from runledger.cleanup import (
    CleanupRequest,
    CompileCache,
    cleanup_script,
    parse_cleanup,
    report_to_payload,
)
from runledger.config.settings import ProbeSettings
from runledger.errors import BadInput, RunledgerError
from runledger.probing import Prober
from runledger.probing.targets import Target, targets

_TAIL_S = 20
"""What a clean-up may take beyond its own limit, when something hangs at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCleaned:
    """One node's clean-up. Where it was not reached, ``warnings`` say why and nothing was done."""

    node: str
    reachable: bool
    actions: tuple[CleanupAction, ...] = ()
    warnings: tuple[str, ...] = ()
    orphaned_vram_mib: dict[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """All clean-ups of one call, and how many events were stored."""

    nodes: tuple[NodeCleaned, ...]
    dry_run: bool = False
    stored: int = 0

    def as_json(self) -> dict[str, Any]:
        """The object that ``cleanup --json`` prints."""
        nodes = [msgspec.to_builtins(each) for each in self.nodes]
        for each in nodes:
            if each["orphaned_vram_mib"] is None:
                del each["orphaned_vram_mib"]
        return {"nodes": nodes, "dry_run": self.dry_run, "stored": self.stored}


def clean_up(
    prober: Prober,
    *,
    names: Collection[str] | None = None,
    dry_run: bool = False,
    sudo: bool = False,
    compile_caches: Collection[CompileCache] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Cleaned:
    """Clean up on all nodes, or those named, at once.

    With ``sudo`` a performance level that may not be written is written by
    ``sudo -n``; ``compile_caches`` are lost as well, which is expensive. Raises
    `Missing` for an unknown name, `BadInput` where no nodes are configured, and
    the ledger's errors; never for what a node does.
    """
    wanted = targets(prober.fleet, folder=prober.folder, names=names)
    wanted = tuple(
        Target(spec=each.spec, node=each.node) for each in wanted if each.node is not None
    )
    if not wanted:
        raise BadInput(
            "no nodes are configured", remedy="name them in runledger.toml (runledger init)"
        )
    stored = 0
    lost: dict[str, str] = {}
    if not dry_run:
        probed = prober.look(wanted)
        stored = probed.stored
        lost = {
            look.node: look.detail or look.error or "it could not be reached"
            for look in probed.looks
            if look.reachable is False
        }
    run = _Run(
        prober, wanted, dry_run=dry_run, sudo=sudo, remedies=tuple(dict.fromkeys(compile_caches))
    )
    done = run.clean([each for each in wanted if each.name not in lost], progress)
    nodes = [
        done.get(each.name)
        or NodeCleaned(
            node=each.name,
            reachable=False,
            warnings=(f"not cleaned up: {lost.get(each.name, 'no answer')}",),
        )
        for each in wanted
    ]
    return Cleaned(nodes=tuple(nodes), dry_run=dry_run, stored=stored + run.stored)


class _Run:
    def __init__(
        self,
        prober: Prober,
        wanted: tuple[Target, ...],
        *,
        dry_run: bool,
        sudo: bool,
        remedies: tuple[CompileCache, ...],
    ) -> None:
        self._prober, self._dry_run = prober, dry_run
        self._requests: dict[NodeSpec, CleanupRequest] = {}
        self._done: dict[str, NodeCleaned] = {}
        self.stored = 0
        limit_s = _limit_s(prober.settings)
        state = prober.state()
        for each in wanted:
            self._requests[each.spec] = CleanupRequest(
                nonce=new_nonce(),
                spare=_to_spare(state, each.name),
                dry_run=dry_run,
                sudo=sudo,
                remedies=remedies,
                total_limit_s=limit_s,
            )

    def clean(
        self, wanted: list[Target], progress: Callable[[int], None]
    ) -> dict[str, NodeCleaned]:
        settings = self._prober.settings
        limits = Limits(
            connect_s=settings.connect_timeout_s,
            command_s=_limit_s(settings) + _TAIL_S,
            total_s=settings.connect_timeout_s + _limit_s(settings) + _TAIL_S + 2,
            concurrency=settings.concurrency,
        )
        problems: list[Exception] = []

        def on_result(result: NodeResult) -> None:
            try:
                self._take(result)
            except RunledgerError as error:  # the other nodes go on
                problems.append(error)
            progress(len(self._done))

        if wanted:
            run_script_blocking(
                [each.spec for each in wanted],
                lambda spec: cleanup_script(self._requests[spec]),
                limits=limits,
                on_result=on_result,
            )
        if problems:
            raise problems[0]
        return self._done

    def _take(self, result: NodeResult) -> None:
        node = result.node.name
        failure = result.failure
        why = () if failure is None else (f"{failure.detail}; {failure.remedy}",)
        if not result.reachable:
            warnings = tuple(f"not cleaned up: {each}" for each in why)
            self._done[node] = NodeCleaned(node=node, reachable=False, warnings=warnings)
            return
        payload, event = self._understood(result, why)
        self._done[node] = NodeCleaned(
            node=node,
            reachable=True,
            actions=payload.actions,
            warnings=payload.warnings,
            orphaned_vram_mib=payload.orphaned_vram_mib,
        )
        if not self._dry_run:
            self.stored += self._prober.ledger.append(event).stored

    def _understood(
        self, result: NodeResult, why: tuple[str, ...]
    ) -> tuple[CleanupCompleted, Event]:
        request, node = self._requests[result.node], result.node.name
        try:
            report = parse_cleanup(result.stdout, request)
            payload = report_to_payload(report, request, node)
            payload = msgspec.structs.replace(payload, warnings=(*why, *payload.warnings))
            return payload, self._event(payload)
        except (InvalidEvents, ValueError, LookupError, TypeError) as error:
            said = f"its answer could not be understood: {type(error).__name__}: {error}"
            payload = CleanupCompleted(node=node, actions=(), warnings=(*why, said[:2000]))
            return payload, self._event(payload)

    def _event(self, payload: CleanupCompleted) -> Event:
        source = f"collector/cleanup@{self._prober.observer}"
        return redacted(new_event(payload, time_us=self._prober.now(), source=source))


def _limit_s(settings: ProbeSettings) -> int:
    return max(5, int(settings.total_timeout_s))


def _to_spare(state: State, name: str) -> tuple[str, ...]:
    """Cards of a node with an error since its boot, or that do not respond.

    All of them, where an SMU error since boot names no card: it may be any one's.
    """
    node = state.nodes.get(name)
    if node is None:
        return ()
    found = {
        card.pci
        for card in state.cards.values()
        if card.node == name
        and card.last_error_us is not None
        and since_boot(node, card.last_error_us)
    }
    if node.probe is not None:
        nameless = node.smu is not None and since_boot(node, node.smu.time_us)
        found |= {gpu.pci for gpu in node.probe.gpus if nameless or gpu.state != "ok"}
    return tuple(sorted(found))
