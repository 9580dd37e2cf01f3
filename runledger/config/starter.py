"""What ``init`` writes: a ``runledger.toml`` to start from, and the first watch list.

Pure: files come in as text. Nodes, steps and cards are those of the files that
were named, or of the example that was asked for, and nobody else's. What the
files hold beside that is named, not guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import tomli_w

from ledger.payloads import OverrideSet
from rules.fleet import InvalidFleet, fleet_from_table
from runledger.config import example_fleet
from runledger.config.manifests import steps_of
from runledger.config.settings import DEFAULT_LEDGER
from runledger.errors import BadInput

_USED = ("hostname", "name", "username", "gpu_count", "use_ramdisk", "ramdisk_path")
"""What is read of a node; the rest is how the pipeline runs its jobs."""


class Starter(NamedTuple):
    """The configuration's text, the cards to watch, and what of the files was not used."""

    text: str
    watches: list[OverrideSet]
    unused: list[str]


def starter(
    node_file: str | None = None,
    *,
    origin: str = "the node file",
    manifests: Mapping[str, str] | None = None,
    example: bool = False,
    ledger: str | None = None,
) -> Starter:
    """The configuration of a node file's text and of manifests (file name to text).

    ``origin`` names the node file, ``ledger`` where the ledger is to be. Raises
    `BadInput` naming what is wrong with the node file.
    """
    unused: list[str] = []
    nodes = [] if node_file is None else _nodes(node_file, origin, unused)
    steps = steps_of(manifests or {}, nodes, unused)
    watches: list[OverrideSet] = []
    if example:
        nodes, steps, watches = example_fleet.NODES, example_fleet.STEPS, example_fleet.watches()
    try:
        fleet_from_table({"nodes": nodes, "steps": steps})
    except InvalidFleet as error:
        raise BadInput("\n".join(f"{origin}: {problem}" for problem in error.problems)) from None
    made_from = origin if node_file is not None else None
    text = _text(nodes, steps, made_from, ledger or DEFAULT_LEDGER, watches)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"a name that is not Unicode: {error.object[error.start]!r}") from None
    return Starter(text, watches, unused)


# -- the pipeline's node file ------------------------------------------------------


def _nodes(text: str, origin: str, unused: list[str]) -> list[dict[str, Any]]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{origin}: not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except (ValueError, RecursionError):  # Python's own limits on digits and depth
        raise BadInput(f"{origin}: nested too deeply, or a number without end") from None
    listed = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise BadInput(f"{origin}: no list under 'nodes': is it a distributed_config.json?")
    nodes = [_node(node, f"{origin}: node {at}", unused) for at, node in enumerate(listed, 1)]
    keys = {key for node in listed for key in node if key not in _USED}
    unused += _passed_over(origin, "of nodes ", keys)
    unused += _passed_over(origin, "", (key for key in document if key != "nodes"))
    return nodes


def _node(node: Any, where: str, unused: list[str]) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise BadInput(f"{where}: not an object")
    host = node.get("hostname")
    if not isinstance(host, str) or not host:
        raise BadInput(f"{where}: no 'hostname'", remedy="name the machine's address")
    where = f"{where} ({host})"
    name, user, path = node.get("name"), node.get("username"), node.get("ramdisk_path")
    found: dict[str, Any] = {"name": name if isinstance(name, str) and name else host}
    if found["name"] != host:
        found["address"] = host
    gpus = node.get("gpu_count")
    if gpus is not None:
        if type(gpus) is not int or gpus < 0:
            raise BadInput(f"{where}: gpu_count {gpus!r} is not a number of cards")
        found["gpus"] = gpus
    if isinstance(user, str) and user and host != "localhost":
        found["user"] = user
    elif user is not None and host != "localhost":
        unused.append(f"{where}: username {user!r} is not a name")
    if not node.get("use_ramdisk", path is not None):
        found["ramdisk"] = False
    if isinstance(path, str) and path:
        found["ramdisk_path"] = path
    if node.get("excluded_gpus"):
        unused.append(
            f"{where}: excluded_gpus {node['excluded_gpus']!r}: an index may be another card "
            "tomorrow; take a card out by its place: runledger override gpu/NODE/PCI exclude"
        )
    return found


def _passed_over(origin: str, what: str, keys: Iterable[str]) -> list[str]:
    listed = sorted(set(keys) - {"excluded_gpus"})
    return [f"{origin}: {what}not used: {', '.join(listed)}"] if listed else []


# -- the text ----------------------------------------------------------------------

_HEAD = """\
# runledger's configuration{origin}. Unknown keys are errors; `runledger doctor` checks it.

ledger = {ledger}            # a path, or a database URL without a password
# policy = "policy.toml"           # only the keys that differ from the default policy
"""

_NO_NODES = """
# [[nodes]]
# name = "rig-1"
# address = "192.0.2.10"           # default: the name; "localhost" is probed without SSH
# user = "me"                      # optional, as are port and ssh_config
# gpus = 8                         # how many cards it should show
"""

_NO_STEPS = """
# [steps."1"]
# timeout_s = 7200
# nodes = ["rig-1"]                # default: all
# inputs = ["data.json"]           # files that must be there, on the controller
# ramdisk = ["/dev/shm/data.json"]
# ramdisk_filled_by_step = true    # the step copies them itself: their absence is a warning
"""

_WATCHED = """
# On the watch list from the start, as events in the ledger (`runledger exclusions` shows it;
# `runledger override SUBJECT reinstate --reason TEXT --by WHO` takes a card off):
"""

_FOOT = """
# How nodes are probed; seconds.
# [probe]
# connect_timeout_s = 5
# command_timeout_s = 10
# total_timeout_s = 60
# probe_min_interval_s = 10        # fresher evidence is used again: polling the SMU crashed rigs
"""


def _text(
    nodes: Sequence[Mapping[str, Any]],
    steps: Mapping[str, Mapping[str, Any]],
    origin: str | None,
    ledger: str,
    watches: Sequence[OverrideSet],
) -> str:
    made_from = f", made from {origin!r}" if origin else ""
    parts = [_HEAD.format(origin=made_from, ledger=_toml(ledger))]
    parts += [f"\n[[nodes]]\n{_members(node)}" for node in nodes]
    parts += [] if nodes else [_NO_NODES]
    parts += [f"\n[steps.{_toml(name)}]\n{_members(step)}" for name, step in steps.items()]
    parts += [] if steps else [_NO_STEPS]
    if watches:
        parts.append(_WATCHED)
        parts += [f"#   {watch.subject}: {watch.reason}\n" for watch in watches]
    parts.append(_FOOT)
    return "".join(parts)


def _members(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: Any) -> str:
    """A TOML value."""
    return tomli_w.dumps({"_": value}).removeprefix("_ = ").rstrip("\n")
