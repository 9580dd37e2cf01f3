"""What is known beside events: the few settings that folds go by, and all of policy and fleet."""

from __future__ import annotations

from ledger.canonical import canonical, digest
from ledger.identifiers import normalize_subject
from ledger.times import SECOND_US
from rules.fleet import Fleet
from rules.policy import Policy

CONTROLLER = ""
"""Name of the controller where no configured node is local."""

_INCIDENTS_KEPT = 16
"""Policies that take a card out after no more incidents than these share their folds."""


class FoldSettings:
    """What a fold knows, and no more: policies that agree on this share their folds.

    Durations are in microseconds. ``key`` names these settings.
    """

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        gpu = policy.gpu
        self._fleet = fleet
        self._names: dict[str, str] = {}
        self.configured_gpus = {node.name: node.gpus for node in fleet.nodes}
        local = [node.name for node in fleet.nodes if node.address == "localhost"]
        self.controller = local[0] if local else CONTROLLER
        self.incident_gap_us = round(gpu.incident_gap_s * SECOND_US)
        self.window_us = round(gpu.window_s * SECOND_US)
        self.crash_link_us = round(gpu.crash_link_s * SECOND_US)
        self.reinstate_after_us = round(gpu.reinstate_after_s * SECOND_US)
        self.reinstate_clean_probes = gpu.reinstate_clean_probes
        self.explains_us = round(gpu.job_failure_context_s * SECOND_US)
        self.incident_faults = frozenset(gpu.incident_faults)
        self.common_cause_share = gpu.common_cause_share
        self.common_cause_min_gpus = gpu.common_cause_min_gpus
        self.incidents_kept = max(
            gpu.watch_after_incidents, gpu.exclude_after_incidents, _INCIDENTS_KEPT
        )
        self.job_failures_kept = gpu.watch_after_job_failures
        self.trials_kept = policy.preflight.comparable_trials
        self.key = self._key()

    def node(self, name: str) -> str:
        """The configured name of a node; see `rules.fleet.Fleet.resolve`."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = self._fleet.resolve(name)
        return found

    def subject(self, text: str) -> str:
        """A subject with its node by the configured name."""
        kind, slash, rest = normalize_subject(text).partition("/")
        if kind not in ("node", "gpu") or not slash:
            return text
        node, slash, pci = rest.partition("/")
        return f"{kind}/{self.node(node)}{slash}{pci}"

    def _key(self) -> str:
        """A digest of everything above; each setting is in it by being an attribute."""
        known = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in vars(self).items()
            if not name.startswith("_")
        }
        nodes = [[node.name, node.address] for node in self._fleet.nodes]
        return digest(canonical([known, nodes]))


class Context(FoldSettings):
    """What facts are gathered with: the whole policy and the whole fleet."""

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        super().__init__(policy, fleet)
        self.policy = policy
        self.fleet = fleet
