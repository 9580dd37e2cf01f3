"""How a configured node is reached: the fleet's words as what a collector connects by."""

from __future__ import annotations

from pathlib import Path

from collectors.reach import NodeSpec
from rules.fleet import Node


def node_spec(node: Node, folder: Path) -> NodeSpec:
    """How a configured node is reached; relative paths are relative to ``folder``."""
    return NodeSpec(
        name=node.name,
        address=node.address or node.name,
        port=node.port,
        user=node.user,
        ssh_config=None if node.ssh_config is None else _path(node.ssh_config, folder),
        known_hosts=None if node.known_hosts is None else (_path(node.known_hosts, folder),),
        identity=None if node.identity is None else _path(node.identity, folder),
        gpus=node.gpus,
    )


def missing_files(node: Node, folder: Path) -> list[tuple[str, str]]:
    """The files a node names that are not there, each with the key that names it.

    Of a node that is reached without SSH none is needed.
    """
    if (node.address or node.name) == "localhost":
        return []
    spec = node_spec(node, folder)
    named = {
        "ssh_config": spec.ssh_config,
        "known_hosts": None if spec.known_hosts is None else spec.known_hosts[0],
        "identity": spec.identity,
    }
    return [
        (key, file)
        for key, file in named.items()
        if file is not None and file != "none" and not Path(file).is_file()
    ]


def _path(text: str, folder: Path) -> str:
    return text if text == "none" else str(folder / Path(text).expanduser())
