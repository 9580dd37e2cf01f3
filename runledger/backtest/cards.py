"""How long cards would have sat out, and what that would have spared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from collectors.kernel_log import KERNEL_TYPES
from ledger import Ledger
from ledger.payloads import DecisionPayload, GpuFault, SmuError
from ledger.times import SECOND_US, parse_time
from rules.fleet import Fleet
from rules.fold import without_superseded
from rules.ladder import SITS_OUT
from rules.policy import Policy

_HOUR_US = 3600 * SECOND_US

Card = tuple[str, str]
"""Node and PCI address."""


class Stretch(NamedTuple):
    """A card sitting out from one time to another."""

    card: Card
    from_us: int
    to_us: int


class Sitting(NamedTuple):
    """The score of exclusions; hours are GPU-hours.

    ``censored_hours`` are those that the card sat out in reality, too: how it
    would have done, nobody knows. ``healthy_hours`` are the others without an
    incident to the end of the stretch.
    """

    incidents: int
    spared: int
    hours_out: float
    healthy_hours: float
    censored_hours: float


def incidents(ledger: Ledger, policy: Policy, fleet: Fleet) -> dict[Card, list[int]]:
    """The times at which incidents of each card began, as the policy counts them.

    Nodes are named as the fleet names them.
    """
    gap_us = round(policy.gpu.incident_gap_s * SECOND_US)
    faults = set(policy.gpu.incident_faults)
    begun: dict[Card, list[int]] = {}
    newest: dict[Card, int] = {}
    for event in without_superseded(ledger.read(types=KERNEL_TYPES, order="time")):
        data = event.data
        if not isinstance(data, SmuError | GpuFault) or data.pci is None:
            continue
        if isinstance(data, GpuFault) and data.fault not in faults:
            continue
        card = (fleet.resolve(data.node), data.pci)
        if card not in newest or event.time_us - newest[card] >= gap_us:
            begun.setdefault(card, []).append(event.time_us)
        newest[card] = event.time_us
    return begun


def stretches(decisions: Iterable[DecisionPayload], until_us: int) -> list[Stretch]:
    """When each card sat out, by decisions; whatever order they come in, their times count."""
    open_: dict[Card, int] = {}
    found: list[Stretch] = []
    timed = [(parse_time(decision.as_of.time), decision) for decision in decisions]
    for at_us, decision in sorted(timed, key=lambda each: each[0]):
        out = {
            (gpu["node"], gpu["pci"])
            for gpu in decision.outcome.get("gpus", ())
            if gpu["state"] in SITS_OUT
        }
        ended = [card for card in open_ if card not in out]
        found += [Stretch(card, open_.pop(card), at_us) for card in ended]
        for card in out:
            open_.setdefault(card, at_us)
    found += [Stretch(card, since, max(since, until_us)) for card, since in open_.items()]
    return sorted(found, key=lambda each: (each.from_us, each.card))


def sitting(would: list[Stretch], really: list[Stretch], begun: dict[Card, list[int]]) -> Sitting:
    """Score the stretches that a policy would have made."""
    spared = 0
    hours = healthy = censored = 0.0
    for each in would:
        within = [at for at in begun.get(each.card, ()) if each.from_us < at <= each.to_us]
        spared += len(within)
        hours += _hours(each.from_us, each.to_us)
        quiet_from = max([each.from_us, *within])
        both = [
            (max(quiet_from, other.from_us), min(each.to_us, other.to_us))
            for other in really
            if other.card == each.card
        ]
        unknown = sum(_hours(start, end) for start, end in both if start < end)
        censored += unknown
        healthy += _hours(quiet_from, each.to_us) - unknown
    return Sitting(
        incidents=sum(map(len, begun.values())),
        spared=spared,
        hours_out=round(hours, 1),
        healthy_hours=round(healthy, 1),
        censored_hours=round(censored, 1),
    )


def _hours(from_us: int, to_us: int) -> float:
    return max(0, to_us - from_us) / _HOUR_US
