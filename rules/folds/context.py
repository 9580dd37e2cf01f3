"""What is known beside events: the few settings that folds go by, and all of policy and fleet."""

from __future__ import annotations

from ledger.canonical import canonical, digest
from ledger.identifiers import normalize_subject
from ledger.times import SECOND_US
from rules.causes import CAUSES
from rules.fleet import Fleet
from rules.policy import Gpu, Policy

CONTROLLER = ""
"""Name of the controller where no configured node is local."""

_INCIDENTS_KEPT = 16
"""Policies that take a card out after no more incidents than these share their folds."""


_FAILURES_KEPT = 32
"""Of failed jobs that are all alike, so many are remembered where no rule counts more."""

_LEVELS = 16
"""Beyond so many exclusions, coming back takes no longer."""

_LONGEST_US = 10**18
"""As good as never."""


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
        self.incident_gap_us = _us(gpu.incident_gap_s)
        self.window_us = _us(gpu.window_s)
        self.harmless_window_us = _us(gpu.harmless_window_s)
        self.crash_link_us = _us(gpu.crash_link_s)
        self.reinstate_clean_probes = gpu.reinstate_clean_probes
        self.clean_spans_us = _clean_spans(gpu)
        self.explains_us = _us(gpu.job_failure_context_s)
        self.incident_faults = frozenset(gpu.incident_faults)
        self.ambiguous_faults = frozenset(gpu.ambiguous_faults)
        self.ambiguous_after = gpu.ambiguous_after
        self.ambiguous_ratio = gpu.ambiguous_ratio
        self.common_cause_share = gpu.common_cause_share
        self.common_cause_min_gpus = gpu.common_cause_min_gpus
        self.boot_noise_us = _us(gpu.boot_noise_s)
        self.series_cards = gpu.series_cards
        self.series_us = _us(gpu.series_s)
        self.fleet_cause_nodes = gpu.fleet_cause_nodes
        self.fleet_cause_us = _us(gpu.fleet_cause_s)
        self.common_traceback_nodes = gpu.common_traceback_nodes
        self.exclude_after_job_failures = gpu.exclude_after_job_failures
        self.incidents_kept = max(
            gpu.watch_after_incidents, gpu.exclude_after_incidents, _INCIDENTS_KEPT
        )
        self.crashes_kept = max(gpu.exclude_after_crashes, _INCIDENTS_KEPT)
        self.job_failures_kept = max(
            gpu.watch_after_job_failures, gpu.exclude_after_job_failures, _FAILURES_KEPT
        )
        self.causes_off = frozenset(CAUSES & set(policy.rules.disabled))
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


def _us(seconds: float) -> int:
    return round(seconds * SECOND_US)


def _clean_spans(gpu: Gpu) -> list[int]:
    """How long clean looks must span to end the first exclusion, the second, …"""
    return [
        _us(min(gpu.reinstate_after_s * gpu.reinstate_growth**before, _LONGEST_US / SECOND_US))
        for before in range(min(gpu.retire_after_exclusions - 1, _LEVELS))
    ]


class Context(FoldSettings):
    """What facts are gathered with: the whole policy and the whole fleet."""

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        super().__init__(policy, fleet)
        self.policy = policy
        self.fleet = fleet
