"""The fleet and the pipeline's steps as configured: a frozen value with a digest."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ledger.canonical import canonical, digest
from ledger.errors import BadInput
from ledger.event_checks import nearest, unknown_names
from ledger.strict_json import shown
from ledger.text.characters import WITHOUT_CONTROL
from rules.toml import check, parse_toml

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f-\x9f/\s]+\Z",
        description="a name without spaces, slashes and control characters",
    ),
]
Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        pattern=WITHOUT_CONTROL,
        description="text without control characters",
    ),
]
Path = Text
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{64}\Z", description="64 hexadecimal digits")]
Seconds = Annotated[int, Meta(gt=0)] | Annotated[float, Meta(gt=0)]


class InvalidFleet(BadInput):
    """A configuration that cannot be used; ``problems`` names each key."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class _Table(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of the tables."""


class Node(_Table, frozen=True, kw_only=True):
    """One machine. ``gpus`` is how many cards it should show.

    ``ramdisk`` says whether the ramdisk files of steps are expected on it, ``witness``
    whether it remembers the ledger's heads.
    """

    name: Name
    address: Name = ""
    user: Text | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    gpus: Annotated[int, Meta(ge=0, le=1024)] | None = None
    ramdisk: bool = True
    witness: bool = False
    ramdisk_path: Path | None = None
    ssh_config: Path | None = None
    known_hosts: Path | None = None
    identity: Path | None = None


class FileCheck(_Table, frozen=True, kw_only=True):
    """A file that must be there and not empty, with this hash where one is given."""

    path: Path
    sha256: Sha256 | None = None


class Remedies(_Table, frozen=True, kw_only=True):
    """Commands (argument lists, never shell text) that may mend a failed check."""

    ramdisk: tuple[Text, ...] | None = None
    inputs: tuple[Text, ...] | None = None


class Step(_Table, frozen=True, kw_only=True):
    """One step of the pipeline. ``nodes`` None means all; ``aliases`` are other names of it.

    ``ramdisk_filled_by_step``: it copies its ramdisk files itself, so that their absence
    before it begins is worth a warning and no more.
    """

    timeout_s: Seconds | None = None
    nodes: tuple[Name, ...] | None = None
    ramdisk: tuple[FileCheck, ...] = ()
    ramdisk_filled_by_step: bool = False
    inputs: tuple[FileCheck, ...] = ()
    remedy: Remedies | None = None
    aliases: tuple[Name, ...] = ()


class Fleet(_Table, frozen=True, kw_only=True):
    """All nodes and steps."""

    nodes: tuple[Node, ...] = ()
    steps: dict[str, Step] = {}

    def resolve(self, name: str) -> str:
        """The configured name of a node given by name or (unambiguous) address.

        A name that is not configured is its own.
        """
        if any(node.name == name for node in self.nodes):
            return name
        owners = [node.name for node in self.nodes if node.address == name]
        return owners[0] if len(owners) == 1 else name

    def node(self, name: str) -> Node | None:
        """The node of this name."""
        return next((node for node in self.nodes if node.name == name), None)

    def step(self, name: str) -> Step | None:
        """The step of this name or alias; None where it is not configured."""
        found = self.steps.get(name)
        if found is not None:
            return found
        return next((step for step in self.steps.values() if name in step.aliases), None)

    def step_name(self, name: str) -> str:
        """What a step is configured as, where it is asked for by an alias; else its name."""
        if name in self.steps:
            return name
        return next((own for own, step in self.steps.items() if name in step.aliases), name)

    def nearest_step(self, name: str) -> str:
        """The configured step whose name or alias is most like this one; "" where there is none."""
        owners = {alias: own for own, step in self.steps.items() for alias in step.aliases}
        owners |= {own: own for own in self.steps}
        return owners[nearest(name, owners)] if owners else ""

    def nodes_of(self, step: str) -> tuple[Node, ...]:
        """The nodes that a step uses; all where it does not say, or is not configured."""
        configured = self.step(step)
        if configured is None or configured.nodes is None:
            return self.nodes
        return tuple(node for node in self.nodes if node.name in configured.nodes)


def parse_fleet(text: str) -> Fleet:
    """The fleet in a text of `fleet_text`, or in TOML with ``nodes`` and ``steps``."""
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise InvalidFleet([str(error)]) from None
    return fleet_from_table(table)


def fleet_from_table(table: dict[str, Any]) -> Fleet:
    """The fleet in parsed TOML; raises `InvalidFleet` naming every key that is wrong."""
    problems: list[str] = []
    unknown = [key for key in table if key not in ("nodes", "steps")]
    problems += [f"{key}: unknown key; did you mean nodes or steps?" for key in unknown]
    nodes = [
        _node(each, at, problems) for at, each in enumerate(_list(table, "nodes", problems), 1)
    ]
    steps: dict[str, Any] = {}
    configured = table.get("steps", {})
    if not isinstance(configured, dict):
        problems.append('steps: write tables such as [steps."3"]')
        configured = {}
    for name, step in configured.items():
        steps[name] = _step(name, step, problems)
    names = Counter(str(node.get("name")) for node in nodes if isinstance(node, dict))
    for name in sorted(name for name, times in names.items() if times > 1):
        problems.append(f"nodes: {name!r} is there twice; names must differ")
    for name, step in steps.items():
        wanted = step.get("nodes") if isinstance(step, dict) else None
        given = wanted if isinstance(wanted, list) else []
        listed = [each for each in given if isinstance(each, str)]
        for node, near in unknown_names(listed, names):
            hint = f"did you mean {near}?" if names else "add it under [[nodes]]"
            problems.append(f'steps."{name}".nodes: no node {shown(node)}; {hint}')
    problems += _ambiguous_aliases(steps)
    if problems:
        raise InvalidFleet(problems)
    return msgspec.convert({"nodes": nodes, "steps": dict(sorted(steps.items()))}, Fleet)


def _list(table: dict[str, Any], key: str, problems: list[str]) -> list[Any]:
    value = table.get(key, [])
    if isinstance(value, list):
        return value
    problems.append(f"{key}: write [[{key}]] for each of them")
    return []


def _node(node: Any, at: int, problems: list[str]) -> Any:
    where = f"nodes[{at}]"
    check(node, Node, where, problems)
    if isinstance(node, dict):
        node = dict(node)
        node.setdefault("address", node.get("name", ""))
    return node


def _step(name: str, step: Any, problems: list[str]) -> Any:
    where = f'steps."{name}"'
    if not isinstance(step, dict):
        problems.append(f"{where}: not a table")
        return step
    step, rest = dict(step), dict(step)
    for key in ("ramdisk", "inputs"):
        if isinstance(step.get(key), list):
            del rest[key]
            step[key] = [{"path": file} if isinstance(file, str) else file for file in step[key]]
            for at, file in enumerate(step[key], 1):
                check(file, FileCheck, f"{where}.{key}[{at}]", problems)
    if isinstance(step.get("remedy"), dict):
        check(rest.pop("remedy"), Remedies, f"{where}.remedy", problems)
    for key in [key for key, value in rest.items() if isinstance(value, dict) and key.isdigit()]:
        # TOML takes [steps.2.5] for a table in a table.
        del rest[key]
        problems.append(
            f'steps.{name}.{key}: a name with a dot is quoted: write [steps."{name}.{key}"]'
        )
    check(rest, Step, where, problems)
    return step


def _ambiguous_aliases(steps: dict[str, Any]) -> list[str]:
    owners: dict[str, str] = {name: name for name in steps}
    problems = []
    for name, step in steps.items():
        aliases = step.get("aliases") if isinstance(step, dict) else None
        for alias in aliases if isinstance(aliases, list) else ():
            owner = owners.setdefault(str(alias), name)
            if owner != name or alias == name:
                problems.append(
                    f'steps."{name}".aliases: {alias!r} is a name of step {owner!r} already'
                )
    return problems


def fleet_text(fleet: Fleet) -> str:
    """The whole fleet as TOML: the same text for the same fleet."""
    import tomli_w

    return tomli_w.dumps(msgspec.to_builtins(fleet))


def fleet_digest(fleet: Fleet) -> str:
    """SHA-256 of `fleet_text`."""
    return _digest_of(canonical(fleet))


@lru_cache(maxsize=64)
def _digest_of(canonical_fleet: bytes) -> str:
    return digest(fleet_text(msgspec.json.decode(canonical_fleet, type=Fleet)).encode())
