"""Policies and fleets as the ledger holds them: by digest, and the ones in force.

The digest of one is the SHA-256 of the text that was recorded, byte for byte. An
older text is read with today's defaults for the keys it lacks, and keeps it.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from ledger import Ledger, new_event
from ledger.canonical import digest
from ledger.payloads import FleetConfigured, PolicyActivated
from rules.decide import Digests, Judge
from rules.fleet import Fleet, InvalidFleet, fleet_digest, fleet_text, parse_fleet
from rules.policy import (
    InvalidPolicy,
    Policy,
    default_policy,
    parse_policy,
    policy_digest,
    policy_text,
)
from runledger.errors import BadInput, Missing

_POLICY, _FLEET = PolicyActivated.event_type, FleetConfigured.event_type


class UnreadableText(BadInput):
    """A recorded policy or fleet that this version cannot read: a newer one's, or none at all."""


class _Recorded(NamedTuple):
    name: str
    text: str
    sequence: int


class Catalog:
    """What policies and fleets a ledger knows; follows the ledger as it grows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read_to = 0
        self._texts: dict[str, _Recorded] = {}
        self._newest: dict[str, str] = {}
        self._policies: dict[str, None] = {}
        self._judges: dict[Digests, Judge] = {}
        self._lock = threading.RLock()

    def _refresh(self) -> None:
        head = self._ledger.head().sequence
        for event in self._ledger.read(after=self._read_to, upto=head, types=(_POLICY, _FLEET)):
            data = event.data
            assert isinstance(data, PolicyActivated | FleetConfigured)
            actual = digest(data.text.encode())  # whatever the event says it is
            if event.type == _POLICY:
                self._policies[actual] = None
            self._texts[actual] = _Recorded(data.name, data.text, event.sequence)
            self._newest[event.type] = actual
        self._read_to = head

    def _newest_digest(self, type_: str) -> str | None:
        with self._lock:
            self._refresh()
            return self._newest.get(type_)

    def newest_policy(self) -> Policy:
        """The policy activated last; the default one where none was. Raises `UnreadableText`."""
        newest = self._newest_digest(_POLICY)
        return default_policy() if newest is None else self.policy(newest)

    def newest_fleet(self) -> Fleet:
        """The fleet configured last; an empty one where none was. Raises `UnreadableText`."""
        newest = self._newest_digest(_FLEET)
        return Fleet() if newest is None else self.fleet(newest)

    def policy(self, wanted: str) -> Policy:
        """The policy with this digest; raises `Missing` and `UnreadableText`."""
        recorded = self._recorded(wanted, "policy")
        try:
            return parse_policy(recorded.text, name=recorded.name)
        except InvalidPolicy as error:
            raise _unreadable("policy", recorded, str(error)) from None

    def policies_like(self, beginning: str) -> list[str]:
        """The digests of the recorded policies that begin so."""
        with self._lock:
            self._refresh()
            return [digest for digest in self._policies if digest.startswith(beginning)]

    def fleet(self, wanted: str) -> Fleet:
        """The fleet with this digest; raises `Missing` and `UnreadableText`."""
        recorded = self._recorded(wanted, "fleet")
        try:
            return parse_fleet(recorded.text)
        except InvalidFleet as error:
            raise _unreadable("fleet", recorded, str(error)) from None

    def _recorded(self, wanted: str, what: str) -> _Recorded:
        with self._lock:
            if wanted not in self._texts:
                self._refresh()
            found = self._texts.get(wanted)
        if found is None:
            raise Missing(f"the ledger does not hold the {what} with digest {wanted}")
        return found

    # -- judges ----------------------------------------------------------------

    def in_force(self, policy: Policy | None, fleet: Fleet | None) -> Judge:
        """The judge by a configured policy and fleet; None: by the ledger's newest."""
        digests = Digests(
            (self._newest_digest(_POLICY) or "") if policy is None else policy_digest(policy),
            (self._newest_digest(_FLEET) or "") if fleet is None else fleet_digest(fleet),
        )
        policy = self.newest_policy() if policy is None else policy
        fleet = self.newest_fleet() if fleet is None else fleet
        return self._judge(
            policy,
            fleet,
            Digests(digests.policy or policy_digest(policy), digests.fleet or fleet_digest(fleet)),
        )

    def recorded(self, digests: Digests) -> Judge:
        """The judge by a recorded policy and fleet; raises `Missing` and `UnreadableText`."""
        return self._judge(self.policy(digests.policy), self.fleet(digests.fleet), digests)

    def judge(self, policy: Policy, fleet: Fleet, *, recorded_fleet: str = "") -> Judge:
        """A judge by any policy and fleet; ``recorded_fleet`` is the digest of the ledger's."""
        return self._judge(
            policy, fleet, Digests(policy_digest(policy), recorded_fleet or fleet_digest(fleet))
        )

    def _judge(self, policy: Policy, fleet: Fleet, digests: Digests) -> Judge:
        with self._lock:
            if digests not in self._judges:
                self._judges[digests] = Judge(policy, fleet, digests=digests)
            return self._judges[digests]

    def activate(self, judge: Judge, *, now_us: int, source: str) -> None:
        """Write down a judge's policy and fleet where they are not the newest the ledger knows."""
        with self._lock:
            payloads: list[PolicyActivated | FleetConfigured] = []
            if self._newest_digest(_POLICY) != judge.digests.policy:
                text = policy_text(judge.policy)
                payloads.append(
                    PolicyActivated(name=judge.policy.name, digest=digest(text.encode()), text=text)
                )
            if self._newest_digest(_FLEET) != judge.digests.fleet:
                text = fleet_text(judge.fleet)
                payloads.append(
                    FleetConfigured(name="fleet", digest=digest(text.encode()), text=text)
                )
            if payloads:
                self._ledger.append(
                    new_event(each, time_us=now_us, source=source) for each in payloads
                )


def _unreadable(what: str, recorded: _Recorded, problems: str) -> UnreadableText:
    return UnreadableText(
        f"the {what} {recorded.name!r} that the ledger holds at position {recorded.sequence} is "
        f"none that this version can read; upgrade runledger, or write a runledger.toml, which "
        f"comes before what is recorded:\n{problems}"
    )
