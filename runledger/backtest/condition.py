"""When a card was bad, as far as its history tells; all else is quiet, or unknown.

*Bad* for sure: from the first incident of its own to the last before it was mended, while it
did not answer, and until a repair that found something wrong. *Unknown*: from its first symptom
until it was mended or had shown nothing for a lull at work, wherever it was not surely bad; and
while it sat out, since a card that does nothing shows nothing. *Quiet*: the rest. One incident
alone proves no fault, and one that several cards of the node share is nobody's own. How long a
lull is, and how many cards, the default policy says: ``window_s``, ``series_s``, ``series_cards``.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import NamedTuple

from ledger.times import SECOND_US
from rules.policy import Gpu
from runledger.backtest.symptoms import NEVER, Card, CardHistory, History, Mend, any_within

Span = tuple[int, int]


class Hours(NamedTuple):
    """How a card was during some time, in microseconds; what is left of it was quiet."""

    bad_us: int
    unknown_us: int


class Condition:
    """What is known of one card over time."""

    def __init__(self, card: CardHistory, own: list[int], idle: list[Span], lull_us: int) -> None:
        self._lull_us = lull_us
        self._idle = _joined(idle)
        self._own = own
        self._bad: list[Span] = [(each.from_us, each.last_us) for each in card.down]
        self._unknown: list[Span] = []
        self._well: list[Span] = []  # though it sat out: somebody looked, and found nothing
        self._read(card)
        self._bad, self._well = _joined(self._bad), _joined(self._well)
        self._unknown = _joined([*self._unknown, *self._idle])

    def during(self, from_us: int, to_us: int) -> Hours:
        """How it was from one time to another."""
        span = [(from_us, to_us)]
        bad = _common(self._bad, span)
        unknown = _without(_common(self._unknown, span), [*self._bad, *self._well])
        return Hours(_length(bad), _length(unknown))

    def at(self, at_us: int) -> str:
        """``bad``, ``unknown`` or ``quiet`` at a time."""
        hours = self.during(at_us, at_us + 1)
        return "bad" if hours.bad_us else "unknown" if hours.unknown_us else "quiet"

    def _read(self, card: CardHistory) -> None:
        """One episode after the other: symptoms that no lull and no mend parts."""
        mends, symptoms = sorted(card.mends), sorted(card.symptoms)
        at = 0
        while at < len(symptoms):
            first = last = symptoms[at]
            mend = next((each for each in mends if each.at_us > first), None)
            until = NEVER if mend is None else mend.at_us
            while at < len(symptoms) and symptoms[at] < until:
                if symptoms[at] > self._lull_after(last):
                    break
                last = symptoms[at]
                at += 1
            following = symptoms[at] if at < len(symptoms) else NEVER
            if until > following:
                mend = None  # it is the mend of what comes after
            self._episode(first, last, mend, recurs=following <= self._lull_after(until))

    def _episode(self, first: int, last: int, mend: Mend | None, *, recurs: bool) -> None:
        """From its first symptom to its last, and to the mend if there was one.

        A person who found nothing, or said no more than that the card may work again, may
        have left the fault where it was: then it is known to be well after a lull.
        """
        if mend is not None and mend.found:
            self._bad.append((first, mend.at_us))
            return
        if mend is not None and mend.found is False and not mend.sure and not recurs:
            self._well.append((first, mend.at_us))
            return
        own = [each for each in self._own if first <= each <= last]
        if len(own) > 1:
            self._bad.append((own[0], own[-1]))
        sure = mend is not None and mend.sure
        ends = self._lull_after(last) if mend is None else self._lull_after(mend.at_us)
        self._unknown.append((first, mend.at_us if sure and mend is not None else ends))

    def _lull_after(self, at_us: int) -> int:
        """When it had been at work for a lull since a time."""
        ends = at_us + self._lull_us
        if ends >= NEVER:
            return NEVER
        for from_us, to_us in self._idle[bisect.bisect(self._idle, (at_us, at_us)) :]:
            if from_us >= ends:
                break
            ends += to_us - from_us
        return ends


def conditions(history: History, idle: dict[Card, list[Span]]) -> dict[Card, Condition]:
    """What is known of each card; ``idle`` are the times at which it sat out in reality."""
    lull_us = round(history.gpu.window_s * SECOND_US)
    by_node: dict[str, list[tuple[Card, list[int]]]] = {}
    for card, shown in history.cards.items():
        by_node.setdefault(card[0], []).append((card, shown.incidents))
    return {
        card: Condition(
            shown, _own(card, by_node[card[0]], history.gpu), idle.get(card, []), lull_us
        )
        for card, shown in history.cards.items()
    }


def _own(card: Card, of_node: list[tuple[Card, list[int]]], gpu: Gpu) -> list[int]:
    """The incidents of a card that hardly any other of its node had at the same time."""
    near_us = round(gpu.series_s * SECOND_US)
    mine = next(incidents for each, incidents in of_node if each == card)
    others = [incidents for each, incidents in of_node if each != card and incidents]
    return [
        at
        for at in mine
        if 1 + sum(any_within(each, at - near_us, at + near_us) for each in others)
        < gpu.series_cards
    ]


def _joined(spans: Iterable[Span]) -> list[Span]:
    """In order, and none overlapping another."""
    joined: list[Span] = []
    for from_us, to_us in sorted(spans):
        if joined and from_us <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], to_us))
        else:
            joined.append((from_us, to_us))
    return joined


def _common(spans: Iterable[Span], within: Iterable[Span]) -> list[Span]:
    within = list(within)
    return [
        (max(one[0], other[0]), min(one[1], other[1]))
        for one in spans
        for other in within
        if max(one[0], other[0]) < min(one[1], other[1])
    ]


def _without(spans: list[Span], gone: list[Span]) -> list[Span]:
    left = spans
    for from_us, to_us in gone:
        left = [
            piece
            for one in left
            for piece in ((one[0], min(one[1], from_us)), (max(one[0], to_us), one[1]))
            if piece[0] < piece[1]
        ]
    return left


def _length(spans: Iterable[Span]) -> int:
    return sum(to_us - from_us for from_us, to_us in spans)
