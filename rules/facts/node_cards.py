"""Facts about the cards of one node: as its newest probe shows them, and as others name them.

A card that the probe does not show is spoken of where it is the one that is
missing, where a tool hung on it, and where a clean-up left memory on it. One
that is gone for good (all cards are there without it) is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from ledger.identifiers import gpu_subject, node_subject
from ledger.text import humanize
from rules.conditions import Scalar
from rules.facts.gpus import CardStanding, card_label
from rules.fleet import Node
from rules.folds.boots import since_boot
from rules.folds.context import Context
from rules.folds.identity import place_key
from rules.ruleset import Fact, known
from rules.state import Card, Hung, NodeState, Seen, State

_DOWN = frozenset({"unresponsive", "missing"})
"""States in which a card does not answer."""


class _Place(msgspec.Struct, frozen=True):
    """A card, where it is and how it is shown; ``key`` is "" where it has no record."""

    pci: str
    state: str
    key: str
    index: int | None = None
    seen: Seen | None = None


class CardFacts:
    """Builds the facts about the cards of a node."""

    def __init__(
        self,
        state: State,
        context: Context,
        at_us: int,
        node: Node,
        standings: Mapping[str, CardStanding],
        step: str,
    ) -> None:
        self._oldest_us = at_us - context.window_us
        self._state = state
        self._node = node
        self._seen = state.nodes.get(node.name) or NodeState()
        self._standings = standings
        self._step = step

    def facts(self) -> Iterator[Fact]:
        """The cards, what is special about some, and how many are missing."""
        probe = self._seen.probe
        shown = [] if probe is None else probe.gpus
        places = [_Place(each.pci, each.state, each.card, each.index, each) for each in shown]
        expected = self._node.gpus
        if expected is None and probe is not None:
            expected = probe.expected
        short = 0 if expected is None or probe is None else expected - len(places)
        if short > 0:
            places += self._sitting_out({each.pci for each in places})
        for place in places:
            yield self._card(place)
            yield from self._incidents(place)
        if short > 0:
            yield self._shortage(short, len(shown), places)
        there = {each.pci: each for each in places}
        yield from self._hung(there)
        yield from self._orphans(there)

    def _sitting_out(self, taken: Collection[str]) -> list[_Place]:
        """Cards that sit out and are among the missing: not gone, nor replaced by another."""
        missed = set(self._seen.missed)
        absent = [
            _Place(each.card.pci, "missing", key)
            for key, each in self._standings.items()
            if each.sits_out and each.card.node == self._node.name and each.card.pci not in taken
            if key in missed or not each.card.probed
        ]
        return sorted(absent, key=lambda each: each.pci)

    def _is_out(self, place: _Place) -> bool:
        standing = self._standings.get(place.key)
        return standing is not None and standing.sits_out

    def _show(self, place: _Place) -> dict[str, Any]:
        subject = gpu_subject(self._node.name, place.pci)
        return {
            "node": self._node.name,
            "pci": place.pci,
            "index": place.index,
            "key": place.key,
            "subject": subject,
            "step": self._step,
            "card": card_label(self._node.name, place.pci, place.index),
        }

    def _card(self, place: _Place) -> Fact:
        probe, out = self._seen.probe, self._is_out(place)
        evidence: tuple[str, ...] = () if probe is None else (probe.event,)
        show = self._show(place)
        if out:
            standing = self._standings[place.key]
            show["reason"] = standing.reason
            evidence += standing.evidence
        card = self._state.cards.get(place.key)
        return Fact(
            kind="card",
            subject=gpu_subject(self._node.name, place.pci),
            features=card_features(place.state, place.seen, card, self._oldest_us, out=out),
            show=show,
            evidence=tuple(dict.fromkeys(evidence)),
        )

    def _incidents(self, place: _Place) -> Iterator[Fact]:
        """Incidents of a card since its node's last boot."""
        card = self._state.cards.get(place.key)
        incidents = [
            each
            for each in (card.incidents if card is not None else ())
            if since_boot(self._seen, each.last_us, each.boot)
        ]
        if not incidents:
            return
        newest = incidents[-1]
        yield Fact(
            kind="incident",
            subject=gpu_subject(self._node.name, place.pci),
            features={"state": place.state, "since_boot": len(incidents)},
            show=self._show(place)
            | {"incident": f"{newest.kind} at {humanize.moment(newest.time_us)}"},
            evidence=tuple(each.event for each in incidents),
        )

    def _shortage(self, short: int, shown: int, places: list[_Place]) -> Fact:
        probe = self._seen.probe
        taken = {each.pci for each in places}
        cards = [self._state.cards[key] for key in self._seen.missed]
        mine = [each for each in cards if each.node == self._node.name]
        before = sorted({each.pci for each in mine} - taken)
        idle = len(places) - shown
        unexplained = max(0, short - idle)
        return Fact(
            kind="shortage",
            subject=node_subject(self._node.name),
            features={
                "expected": shown + short,
                "shown": shown,
                "sitting_out": idle,
                "unexplained": unexplained,
            },
            show={
                "node": self._node.name,
                "shown": shown,
                "expected": shown + short,
                "which": f"; not shown any more: {humanize.listed(before)}" if before else "",
                "beside": f" ({idle} of the missing sit{'s' if idle == 1 else ''} out)"
                if idle
                else "",
            },
            evidence=() if probe is None else (probe.event,),
        )

    def _hung(self, there: Mapping[str, _Place]) -> Iterator[Fact]:
        """Cards that a tool hung on after the newest probe."""
        by_pci: dict[str, list[Hung]] = {}
        for each in self._seen.hung:
            if each.pci is not None:
                by_pci.setdefault(each.pci, []).append(each)
        for pci, hung in sorted(by_pci.items()):
            place = self._place(pci, there)
            show = self._show(place)
            yield hung_fact(show["subject"], show["card"], hung, show, self._is_out(place))

    def _orphans(self, there: Mapping[str, _Place]) -> Iterator[Fact]:
        """Cards on which the newest clean-up since boot found memory that nobody owns."""
        cleanup = self._seen.cleanup
        if cleanup is None or not since_boot(self._seen, cleanup.time_us):
            return
        for pci, size in sorted(cleanup.orphans.items()):
            yield Fact(
                kind="orphan",
                subject=gpu_subject(self._node.name, pci),
                features={"orphaned_vram_mib": size},
                show=self._show(self._place(pci, there)) | {"orphaned_mib": humanize.number(size)},
                evidence=(cleanup.event,),
            )

    def _place(self, pci: str, there: Mapping[str, _Place]) -> _Place:
        key = self._state.places.get(place_key(self._node.name, pci), "")
        return there.get(pci) or _Place(pci, "not shown", key)


def card_features(
    state: str | None, seen: Seen | None, card: Card | None, oldest_us: int, *, out: bool
) -> dict[str, Scalar]:
    """What is known of a card: as the newest probe shows it, and its incidents of late."""
    incidents = [each for each in (card.incidents if card else ()) if each.time_us > oldest_us]
    measured = () if seen is None else ("index", "model", "temp_c", "busy_pct")
    memory = () if seen is None else ("vram_used_mib", "vram_total_mib")
    return known(
        state=state,
        out=out,
        down=None if state is None else state in _DOWN,
        incidents=len(incidents),
        crashes=sum(each.crash for each in incidents),
        **{name: getattr(seen, name) for name in (*measured, *memory)},
    )


def hung_fact(subject: str, what: str, hung: list[Hung], show: dict[str, Any], out: bool) -> Fact:
    """Tools that hung on a card or a node since the newest probe."""
    return Fact(
        kind="hung",
        subject=subject,
        features={"commands": len(hung), "out": out},
        show=show
        | {
            "what": what,
            "commands": humanize.listed(
                [f"{each.command!r} ({humanize.span(each.timeout_s)})" for each in hung]
            ),
        },
        evidence=tuple(each.event for each in hung),
    )
