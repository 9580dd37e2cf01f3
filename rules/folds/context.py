"""What a fold knows beside events: the policy's windows and the fleet's names."""

from __future__ import annotations

from ledger.identifiers import normalize_subject
from ledger.times import SECOND_US
from rules.fleet import Fleet
from rules.policy import Policy

CONTROLLER = ""
"""Name of the controller where no configured node is local."""


class Context:
    """Policy and fleet, with durations in microseconds."""

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        gpu = policy.gpu
        self.policy = policy
        self.fleet = fleet
        self._names: dict[str, str] = {}
        self.configured_gpus = {node.name: node.gpus for node in fleet.nodes}
        local = [node.name for node in fleet.nodes if node.address == "localhost"]
        self.controller = local[0] if local else CONTROLLER
        self.incident_gap_us = round(gpu.incident_gap_s * SECOND_US)
        self.window_us = round(gpu.window_s * SECOND_US)
        self.crash_link_us = round(gpu.crash_link_s * SECOND_US)
        self.reinstate_after_us = round(gpu.reinstate_after_s * SECOND_US)
        self.explains_us = round(gpu.job_failure_context_s * SECOND_US)
        self.incident_faults = frozenset(gpu.incident_faults)

    def node(self, name: str) -> str:
        """The configured name of a node; see `rules.fleet.Fleet.resolve`."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = self.fleet.resolve(name)
        return found

    def subject(self, text: str) -> str:
        """A subject with its node by the configured name."""
        kind, slash, rest = normalize_subject(text).partition("/")
        if kind not in ("node", "gpu") or not slash:
            return text
        node, slash, pci = rest.partition("/")
        return f"{kind}/{self.node(node)}{slash}{pci}"
