"""Which machines to look at for a step, and for which files on each. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from collectors.reach import LOCALHOST, NodeSpec
from ledger.event_checks import nearest
from rules.fleet import FileCheck, Fleet, Node, Step
from runledger.config.node_specs import node_spec
from runledger.errors import BadInput, Missing

_RAMDISK = "/dev/shm"  # noqa: S108


@dataclass(frozen=True, slots=True)
class Target:
    """One machine to look at. Without ``node`` it is the controller, for its inputs alone.

    ``folder`` is where relative paths of inputs begin, None: where the session starts.
    """

    spec: NodeSpec
    node: Node | None
    ramdisk: tuple[FileCheck, ...] = ()
    inputs: tuple[FileCheck, ...] = ()
    folder: str | None = None

    @property
    def name(self) -> str:
        """The node's name; ``localhost`` for a controller that is not configured."""
        return self.spec.name

    @property
    def ramdisk_dir(self) -> str | None:
        """Where to look for free space, where files of a ramdisk are looked for."""
        if not self.ramdisk:
            return None
        if self.node is not None and self.node.ramdisk_path is not None:
            return self.node.ramdisk_path
        first = self.ramdisk[0].path
        return _RAMDISK if first.startswith(f"{_RAMDISK}/") else str(Path(first).parent)


def targets(
    fleet: Fleet,
    *,
    folder: Path,
    step: str | None = None,
    names: Collection[str] | None = None,
) -> tuple[Target, ...]:
    """What a step needs looked at; without a step, all that any step needs.

    ``names`` narrows to nodes given by name or address. ``folder`` holds the
    configuration: its relative paths begin there. Raises `Missing` for a name
    that is not configured, `BadInput` where there is nothing to look at.
    """
    wanted = _named(fleet, names)
    nodes = fleet.nodes if step is None else fleet.nodes_of(step)
    nodes = tuple(node for node in nodes if wanted is None or node.name in wanted)
    controller = next((node for node in fleet.nodes if node.address == LOCALHOST), None)
    steps = fleet.steps if step is None else {step: fleet.step(step) or Step()}
    inputs = _united(each.inputs for each in steps.values())
    found = []
    for node in nodes:
        ramdisk = _united(
            each.ramdisk for name, each in steps.items() if node in fleet.nodes_of(name)
        )
        local = node is controller
        found.append(
            Target(
                spec=node_spec(node, folder),
                node=node,
                ramdisk=ramdisk if node.ramdisk else (),
                inputs=inputs if local else (),
                folder=str(folder) if local else None,
            )
        )
    if wanted is None and inputs and controller not in nodes:
        spec = NodeSpec(name=LOCALHOST, address=LOCALHOST)
        found.append(Target(spec=spec, node=None, inputs=inputs, folder=str(folder)))
    return tuple(found)


def _named(fleet: Fleet, names: Collection[str] | None) -> frozenset[str] | None:
    if not fleet.nodes and names is not None:
        raise BadInput(
            "no nodes are configured", remedy="name them in runledger.toml (runledger init)"
        )
    if names is None:
        return None
    known = [node.name for node in fleet.nodes]
    found = [fleet.resolve(name) for name in names]
    for name in found:
        if name not in known:
            raise Missing(f"no node {name!r} is configured; did you mean {nearest(name, known)}?")
    return frozenset(found)


def _united(lists: Iterable[tuple[FileCheck, ...]]) -> tuple[FileCheck, ...]:
    """Each path once, with a hash where any check has one."""
    by_path: dict[str, FileCheck] = {}
    for checks in lists:
        for check in checks:
            known = by_path.get(check.path)
            if known is None or (known.sha256 is None and check.sha256 is not None):
                by_path[check.path] = check
    return tuple(by_path.values())
