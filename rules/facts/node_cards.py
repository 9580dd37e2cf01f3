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
from ledger.times import SECOND_US
from rules.card import Card
from rules.conditions import Scalar
from rules.facts.card_standing import CardStanding, asked_for, card_label
from rules.facts.card_words import asked_shown
from rules.fleet import Node
from rules.folds.boots import since_boot
from rules.folds.context import Context
from rules.folds.identity import has_its_place, place_key
from rules.folds.looks import DOWN
from rules.ladder import Standing, counting
from rules.ruleset import Fact, known
from rules.state import Hung, NodeState, State


class _Place(msgspec.Struct, frozen=True):
    """A card, where it is and how it is shown; ``key`` is "" where it has no record."""

    pci: str
    state: str
    key: str
    index: int | None = None
    detail: str = ""


class CardFacts:
    """Builds the facts about the cards of a node."""

    def __init__(
        self,
        state: State,
        context: Context,
        at_us: int,
        node: Node,
        standings: Mapping[str, CardStanding],
        climbed: Mapping[str, Standing],
        step: str,
    ) -> None:
        self._climbed = climbed
        allowed = context.policy.preflight.allow_dead_cards
        self._allowance = {"allowance": humanize.counted(allowed, "dead card")}
        self._at_us = at_us
        self._context = context
        self._state = state
        self._node = node
        self._seen = state.nodes.get(node.name) or NodeState()
        self._standings = standings
        self._step = step
        self._placed = self._places()

    @property
    def dead(self) -> int:
        """How many cards do not answer, or are missing, and do not sit out."""
        shown, short, places = self._placed
        silent = sum(each.state in DOWN and not self._is_out(each) for each in places)
        return silent + max(0, short - (len(places) - shown))

    def _places(self) -> tuple[int, int, list[_Place]]:
        """How many cards are shown, how many too few; those, and the missing that sit out."""
        probe = self._seen.probe
        places = [
            _Place(each.pci, each.state, each.card, each.index, each.detail)
            for each in (() if probe is None else probe.gpus)
        ]
        expected = self._node.gpus
        if expected is None and probe is not None:
            expected = probe.expected
        shown = len(places)
        short = 0 if expected is None or probe is None else max(0, expected - shown)
        if short:
            places += self._sitting_out({each.key for each in places})
        return shown, short, places

    def facts(self, dead: int) -> Iterator[Fact]:
        """The cards, what is special about some, and how many are missing.

        ``dead`` is how many cards of all the step's nodes do not answer and do not sit out.
        """
        shown, short, places = self._placed
        for place in places:
            yield self._card(place, dead)
            yield from self._incidents(place)
            yield from self._reset(place)
        if short:
            yield self._shortage(short, shown, places, dead)
        there = {each.pci: each for each in places if each.state != "missing"}
        yield from self._hung(there)
        yield from self._orphans(there)

    def _sitting_out(self, shown: Collection[str]) -> list[_Place]:
        """Cards that sit out and are among the missing: not gone, nor replaced by another."""
        missed = set(self._seen.missed)
        absent = [
            _Place(each.card.pci, "missing", key)
            for key, each in self._standings.items()
            if each.sits_out and each.card.node == self._node.name and key not in shown
            if key in missed or (not each.card.probed and has_its_place(self._state, key))
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

    def _card(self, place: _Place, dead: int) -> Fact:
        probe, out = self._seen.probe, self._is_out(place)
        evidence: tuple[str, ...] = () if probe is None else (probe.event,)
        show = self._show(place) | self._allowance
        show["why"] = f" ({place.detail})" if place.detail else ""
        if out:
            standing = self._standings[place.key]
            show["reason"] = standing.reason
            evidence += standing.evidence
        elif place.state in DOWN:
            show["reason"] = "is missing" if place.state == "missing" else "does not respond"
        stands = self._climbed.get(place.key)
        incidents = [] if stands is None else counting(stands.held, self._at_us, self._context)
        card = self._state.cards.get(place.key)
        shown = probe is not None and any(each.card == place.key for each in probe.gpus)
        return Fact(
            kind="card",
            subject=gpu_subject(self._node.name, place.pci),
            features=known(
                state=place.state,
                out=out,
                down=place.state in DOWN,
                dead_cards=dead if place.state in DOWN else None,
                index=place.index,
                incidents=len(incidents),
                crashes=0 if stands is None else len(stands.crashes),
                **measured(card if shown else None),
            ),
            show=show,
            evidence=tuple(dict.fromkeys(evidence)),
        )

    def _reset(self, place: _Place) -> Iterator[Fact]:
        """A card that asks for a reset, and had none."""
        card = self._state.cards.get(place.key)
        asked = None if card is None else asked_for(self._state, card, self._at_us)
        if asked is None:
            return
        shown = asked_shown(asked)
        yield Fact(
            kind="reset",
            subject=gpu_subject(self._node.name, place.pci),
            features={
                "asked_s": (self._at_us - asked.time_us) / SECOND_US,
                "out": self._is_out(place),
            },
            show=self._show(place) | shown | {"reason": f"needs a reset ({shown['asked']})"},
            evidence=(asked.event,),
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

    def _shortage(self, short: int, shown: int, places: list[_Place], dead: int) -> Fact:
        probe = self._seen.probe
        idle = len(places) - shown
        unexplained = max(0, short - idle)
        taken = {each.key for each in places}
        absent = [
            key
            for key in self._seen.missed
            if key not in taken and self._state.cards[key].node == self._node.name
        ]
        before = sorted(_last_known(self._state.cards[key]) for key in absent)
        said = "" if probe is None else probe.detail
        return Fact(
            kind="shortage",
            subject=node_subject(self._node.name),
            features={
                "expected": shown + short,
                "shown": shown,
                "sitting_out": idle,
                "unexplained": unexplained,
                "dead_cards": dead,
            },
            show={
                "node": self._node.name,
                "shown": shown,
                "expected": shown + short,
                "which": f"; not shown any more: {humanize.listed(before)}" if before else "",
                "beside": f" ({idle} of the missing sit{'s' if idle == 1 else ''} out)"
                if idle
                else "",
                "said": f": {said}" if said else "",
                "mend": mending(said, self._node.name),
                "absent": absent if len(absent) <= unexplained else [],
            }
            | self._allowance,
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


def measured(card: Card | None) -> dict[str, Scalar | None]:
    """What the newest look measured of a card that it shows."""
    if card is None:
        return {}
    return {
        "model": card.model,
        "temp_c": card.temp_c,
        "busy_pct": card.busy_pct,
        "vram_used_mib": card.vram_used_mib,
        "vram_total_mib": card.vram_total_mib,
    }


def _last_known(card: Card) -> str:
    """A card that is not shown any more, by where it was last."""
    more = [
        *([] if card.index is None else [f"GPU {card.index}"]),
        *([] if card.way is None else [f"at {card.way}"]),
    ]
    return f"{card.pci} ({', '.join(more)})" if more else card.pci


_MENDING: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("mismatch",),
        "the driver that is loaded is not the one installed: reboot {node} (or reload the driver)",
    ),
    (
        ("not found", "no such file", "cannot find", "not on the path"),
        "put the tool on the PATH of non-interactive shells of the user who probes {node}, or "
        "install it",
    ),
    (
        ("couldn't communicate", "could not communicate", "no driver", "not loaded"),
        "load the driver on {node}, or install the one for its kernel",
    ),
    (("permission", "not permitted"), "let the user who probes {node} open its cards"),
)  # fmt: skip


def mending(said: str, node: str) -> str:
    """What to do about missing cards, by what the tool said of them."""
    words = said.lower()
    for marks, advice in _MENDING:
        if any(mark in words for mark in marks):
            return advice.format(node=node) + ", then probe again"
    return (
        f"power-cycle {node} and look at its risers; if the card is gone for good, "
        f"change gpus of {node} in runledger.toml"
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
