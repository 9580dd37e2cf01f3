"""Policies and fleets as the ledger holds them: by digest, and the ones in force."""

from __future__ import annotations

import threading

from ledger import Ledger, new_event
from ledger.canonical import digest
from ledger.payloads import FleetConfigured, PolicyActivated
from rules.decide import Judge
from rules.fleet import Fleet, fleet_digest, fleet_text, parse_fleet
from rules.policy import Policy, default_policy, parse_policy, policy_digest, policy_text
from runledger.errors import Missing

_TYPES = ("policy_activated", "fleet_configured")


class Catalog:
    """What policies and fleets a ledger knows; follows the ledger as it grows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read_to = 0
        self._texts: dict[str, tuple[str, str]] = {}
        self._newest: dict[str, str] = {}
        self._judges: dict[tuple[str, str], Judge] = {}
        self._lock = threading.RLock()

    def _refresh(self) -> None:
        head = self._ledger.head().sequence
        for event in self._ledger.read(after=self._read_to, upto=head, types=_TYPES):
            data = event.data
            assert isinstance(data, PolicyActivated | FleetConfigured)
            actual = digest(data.text.encode())
            self._texts[actual] = (data.name, data.text)
            self._newest[event.type] = actual
        self._read_to = head

    def newest_policy(self) -> Policy:
        """The policy activated last; the default one where none was."""
        with self._lock:
            self._refresh()
            newest = self._newest.get("policy_activated")
            return default_policy() if newest is None else self.policy(newest)

    def newest_fleet(self) -> Fleet:
        """The fleet configured last; an empty one where none was."""
        with self._lock:
            self._refresh()
            newest = self._newest.get("fleet_configured")
            return Fleet() if newest is None else self.fleet(newest)

    def policy(self, policy_digest_: str) -> Policy:
        """The policy with this digest; raises `Missing`."""
        name, text = self._text(policy_digest_, "policy")
        return parse_policy(text, name=name)

    def fleet(self, fleet_digest_: str) -> Fleet:
        """The fleet with this digest; raises `Missing`."""
        return parse_fleet(self._text(fleet_digest_, "fleet")[1])

    def _text(self, wanted: str, what: str) -> tuple[str, str]:
        with self._lock:
            if wanted not in self._texts:
                self._refresh()
            found = self._texts.get(wanted)
        if found is None:
            raise Missing(f"the ledger does not hold the {what} with digest {wanted}")
        return found

    def activate(self, policy: Policy, fleet: Fleet, *, now_us: int, source: str) -> None:
        """Write down policy and fleet where they are not the newest the ledger knows."""
        with self._lock:
            self._refresh()
            events = []
            if self._newest.get("policy_activated") != policy_digest(policy):
                payload = PolicyActivated(
                    name=policy.name, digest=policy_digest(policy), text=policy_text(policy)
                )
                events.append(new_event(payload, time_us=now_us, source=source))
            if self._newest.get("fleet_configured") != fleet_digest(fleet):
                text = fleet_text(fleet)
                configured = FleetConfigured(name="fleet", digest=fleet_digest(fleet), text=text)
                events.append(new_event(configured, time_us=now_us, source=source))
            if events:
                self._ledger.append(events)
                self._refresh()

    def judge(self, policy: Policy, fleet: Fleet) -> Judge:
        """A judge for a policy and fleet, made once."""
        key = (policy_digest(policy), fleet_digest(fleet))
        with self._lock:
            judge = self._judges.get(key)
            if judge is None:
                judge = self._judges[key] = Judge(policy, fleet)
            return judge
