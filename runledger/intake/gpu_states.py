"""Where the state of a job's card is read: on this machine, or over SSH on the job's node."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collectors.reach import LOCALHOST
from rules.fleet import Fleet, Node
from runledger.config.settings import require_trusted_node


def gpu_state_reader(
    node: str | None, pci: str | None, fleet: Fleet | None, folder: Path
) -> Callable[[], dict[str, Any] | None]:
    """What reads the state of the card at ``pci`` (of all cards, where None) of a job's node.

    A node that is not configured is taken for this machine; the state says on
    which host it was read. ``folder`` is where the configuration's relative
    paths begin.
    """
    known = None if node is None or fleet is None else fleet.node(fleet.resolve(node))

    def read() -> dict[str, Any] | None:
        from collectors.jobs import fetch_gpu_state, read_gpu_state
        from runledger.config.node_specs import node_spec

        if known is None or not is_elsewhere(known):
            return read_gpu_state(pci)
        require_trusted_node(known, folder)
        return fetch_gpu_state(node_spec(known, folder), pci)

    return read


def is_elsewhere(node: Node) -> bool:
    """Whether a configured node is another machine than this one: its cards are not ours."""
    own = socket.gethostname()
    address = node.address or node.name
    if {node.name, address} & {own, own.partition(".")[0], LOCALHOST}:
        return False
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return True  # another name; asking the network could take for ever
    if ip.is_loopback:
        return True  # reached by SSH like any other address
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(ip), 0))
        except OSError:
            return True
    return False
