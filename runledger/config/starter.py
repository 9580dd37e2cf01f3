"""What ``init`` writes: a ``runledger.toml`` to start from, and the first watch list.

A pure function of the pipeline's node file. The cards known to be bad at the
time of writing go on the watch list, as an operator's word; with a node file,
only those whose rig is in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import tomli_w

from ledger.identifiers import gpu_subject
from ledger.payloads import OverrideSet
from rules.fleet import InvalidFleet, fleet_from_table
from runledger.config.settings import DEFAULT_LEDGER
from runledger.errors import BadInput

_RIGS = {
    "192.168.3.120": "rig-6600",
    "192.168.3.154": "rig-6600b",
    "192.168.3.162": "rig-6600c",
}
"""Names of the fleet that runledger grew up with; its node file knows addresses only."""

_CONTROLLER = "zeus"
_TIMEOUT_S = 7200
_RAMDISK = ("/dev/shm/prng/step3/train_history.json", "/dev/shm/prng/step3/holdout_history.json")  # noqa: S108
_STEPS = ("1", "2.5", "3", "4", "5", "6")
_RAMDISK_STEPS = ("2.5", "3", "4", "5", "6")


class KnownCard(NamedTuple):
    """A card with a history, by rig and place."""

    node: str
    pci: str
    reason: str


KNOWN_CARDS = (
    KnownCard(
        "rig-6600", "0000:22:00.0", "GPU 10: SMU 0xFFFFFFFF, took the rig down on 24 January"
    ),
    KnownCard("rig-6600b", "0000:0f:00.0", "GPU 4: SMU 0xFFFFFFFF, its fan service is off"),
)
"""The watch list to begin with: see docs/hardware-issues.md."""


def starter(
    node_file: str | None, *, origin: str | None = None, ledger: str | None = None
) -> tuple[str, list[OverrideSet]]:
    """The configuration's text and the watch list for a node file's text (None: an example).

    ``origin`` names the node file, ``ledger`` where the ledger is to be. Raises
    `BadInput` naming what is wrong with the node file.
    """
    nodes = [] if node_file is None else _nodes(node_file, origin or "the node file")
    names = {node["name"] for node in nodes}
    cards = [card for card in KNOWN_CARDS if node_file is None or card.node in names]
    watches = [
        OverrideSet(
            subject=gpu_subject(card.node, card.pci),
            action="watch",
            reason=card.reason,
            by="runledger init",
        )
        for card in cards
    ]
    text = _text(nodes, origin, ledger or DEFAULT_LEDGER, cards)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"a name that is not Unicode: {error.object[error.start]!r}") from None
    return text, watches


def _nodes(text: str, origin: str) -> list[dict[str, Any]]:
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
    ours = any(isinstance(node, dict) and str(node.get("hostname")) in _RIGS for node in listed)
    nodes = [_node(node, at, origin, ours) for at, node in enumerate(listed, 1)]
    try:
        fleet_from_table({"nodes": nodes})
    except InvalidFleet as error:
        raise BadInput("\n".join(f"{origin}: {problem}" for problem in error.problems)) from None
    return nodes


def _node(node: Any, at: int, origin: str, ours: bool) -> dict[str, Any]:
    where = f"{origin}: node {at}"
    if not isinstance(node, dict):
        raise BadInput(f"{where}: not an object")
    host = node.get("hostname")
    if not isinstance(host, str) or not host:
        raise BadInput(f"{where}: no 'hostname'", remedy="name the machine's address")
    found: dict[str, Any] = {"name": _RIGS.get(host, host), "address": host}
    if host == "localhost" and ours:
        found["name"] = _CONTROLLER
    gpus = node.get("gpu_count")
    if gpus is not None:
        if type(gpus) is not int or gpus < 0:
            raise BadInput(f"{where} ({host}): gpu_count {gpus!r} is not a number of cards")
        found["gpus"] = gpus
    user = node.get("username")
    if isinstance(user, str) and user and host != "localhost":
        found["user"] = user
    path = node.get("ramdisk_path")
    if not (node.get("use_ramdisk", path is not None)):
        found["ramdisk"] = False
    if isinstance(path, str) and path:
        found["ramdisk_path"] = path
    return found


_HEAD = """\
# runledger's configuration{origin}. Unknown keys are errors; `runledger doctor` checks it.

ledger = {ledger}            # a path, or a database URL without a password
# policy = "policy.toml"           # only the keys that differ from the default policy
"""

_EXAMPLE = """
# [[nodes]]
# name = "rig-1"
# address = "192.0.2.10"           # default: the name; "localhost" is probed without SSH
# user = "me"                      # optional, as are port and ssh_config
# gpus = 8                         # how many cards it should show
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
    nodes: list[dict[str, Any]], origin: str | None, ledger: str, cards: Sequence[KnownCard]
) -> str:
    made_from = f", made from {origin!r}" if origin else ""
    parts = [_HEAD.format(origin=made_from, ledger=_toml(ledger))]
    for node in nodes:
        lines = "\n".join(f"{key} = {_toml(value)}" for key, value in node.items())
        parts.append(f"\n[[nodes]]\n{lines}\n")
    if not nodes:
        parts.append(_EXAMPLE)
    for step in _STEPS:
        parts.append(f'\n[steps."{step}"]\ntimeout_s = {_TIMEOUT_S}\n')
        if step in _RAMDISK_STEPS:
            files = "".join(f"  {_toml(path)},\n" for path in _RAMDISK)
            parts.append(f"ramdisk = [\n{files}]\n")
    if cards:
        parts.append(_WATCHED)
        parts += [f"#   {gpu_subject(card.node, card.pci)}: {card.reason}\n" for card in cards]
    parts.append(_FOOT)
    return "".join(parts)


def _toml(value: Any) -> str:
    """A TOML value."""
    return tomli_w.dumps({"_": value}).removeprefix("_ = ").rstrip("\n")
