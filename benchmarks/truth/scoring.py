"""Counting a year against its truth, in the words that the documentation fixes.

*Episode*: a card's fault with two symptoms or more (a dead card: one) before its repair. *Bad
hours*: those of an episode from its first symptom to the repair; *excluded* of them: the card
sat out; *kept off*: that, or its machine was blocked. *Healthy hours lost*: hours of cards
without a fault in machines without one, in which they sat out or their machine was blocked,
while it could have worked. *Wrong exclusion*: one that began on a card without a fault.
Symptoms are those of a card that is always at work, so that episodes are the same for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.truth.fate import Fault
from benchmarks.truth.judging import Decision
from benchmarks.truth.layout import SLOTS, TICK, D, H, Place

_HOURS = TICK / H


class Scene(NamedTuple):
    """The truth at one time at which jobs are placed.

    ``faults`` maps places to what is wrong with their card or slot; ``sick`` are nodes with a
    fault of their own; ``away``: places whose card cannot work now, ``empty``: those without
    one; ``ready``: nodes that can take jobs.
    """

    at_us: int
    faults: Mapping[Place, Fault]
    sick: frozenset[int]
    away: frozenset[Place]
    empty: frozenset[Place]
    ready: frozenset[int]


@dataclass(slots=True)
class Episode:
    """What became of one episode; hours, and days from its first symptom."""

    kind: str
    symptoms: int
    bad_h: float = 0.0
    out_h: float = 0.0
    kept_h: float = 0.0
    out_days: float | None = None
    kept_days: float | None = None
    out_days_after_second: float | None = None


@dataclass(slots=True)
class Score:
    """One year under one system."""

    episodes: dict[int, Episode] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    """Jobs lost to faults, by kind; those that their own program failed are not among them."""
    jobs: int = 0
    own_failures: int = 0
    card_years: float = 0.0
    healthy_h: float = 0.0
    out_lost_h: float = 0.0
    block_lost_h: float = 0.0
    exclusions: int = 0
    wrong: int = 0
    wrong_in_sick_node: int = 0
    seconds: float = 0.0


class Counting:
    """Counts tick by tick."""

    def __init__(self) -> None:
        self.score = Score()
        self._spells: dict[Place, str] = {}
        self._back: dict[Place, int] = {}

    def tick(self, scene: Scene, decision: Decision) -> None:
        """What a decision costs and spares until the next one."""
        self._episodes(scene, decision)
        self._healthy(scene, decision)
        self._exclusions(scene, decision.out)

    def _episodes(self, scene: Scene, decision: Decision) -> None:
        for place, fault in scene.faults.items():
            if not fault.is_episode or fault.first_us > scene.at_us or place in scene.empty:
                continue
            episode = self.score.episodes.get(fault.number)
            if episode is None:
                episode = Episode(fault.kind, len(fault.hits))
                self.score.episodes[fault.number] = episode
            out = place in decision.out
            kept = out or place.node in decision.blocked
            episode.bad_h += _HOURS
            episode.out_h += _HOURS * out
            episode.kept_h += _HOURS * kept
            if out and episode.out_days is None:
                episode.out_days = (scene.at_us - fault.first_us) / D
                second = fault.hits[1].at_us if len(fault.hits) > 1 else fault.first_us
                episode.out_days_after_second = max(0.0, (scene.at_us - second) / D)
            if kept and episode.kept_days is None:
                episode.kept_days = (scene.at_us - fault.first_us) / D

    def _healthy(self, scene: Scene, decision: Decision) -> None:
        unwell: Counter[int] = Counter()
        for place in {*scene.faults, *scene.away, *scene.empty}:
            unwell[place.node] += 1
        out: Counter[int] = Counter()
        for place in decision.out:
            if place not in scene.faults and place not in scene.away and place not in scene.empty:
                out[place.node] += 1
        for node in scene.ready - scene.sick:
            healthy = SLOTS - unwell[node]
            self.score.healthy_h += _HOURS * healthy
            self.score.out_lost_h += _HOURS * out[node]
            if node in decision.blocked:
                self.score.block_lost_h += _HOURS * (healthy - out[node])

    def _exclusions(self, scene: Scene, out: frozenset[Place]) -> None:
        """A card that is away when it is taken out, and is well, may sit out till it is back."""
        for place in [each for each in self._spells if each not in out]:
            del self._spells[place]
            self._back.pop(place, None)
        for place in out:
            well = place not in scene.faults
            spell = self._spells.get(place)
            if spell is None:
                self.score.exclusions += 1
                away = place in scene.away or place in scene.empty
                spell = "right" if not well else "away" if away else "wrong"
                self._spells[place] = spell
                if spell == "wrong":
                    self._wrong(place, scene)
            elif spell == "away" and well and place not in scene.away and place not in scene.empty:
                self._back[place] = self._back.get(place, 0) + 1
                if self._back[place] > 2:
                    self._spells[place] = "wrong"
                    self._wrong(place, scene)
            elif spell == "away" and not well:
                self._spells[place] = "right"

    def _wrong(self, place: Place, scene: Scene) -> None:
        self.score.wrong += 1
        self.score.wrong_in_sick_node += place.node in scene.sick
