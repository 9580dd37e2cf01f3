"""Where every card stands: the causes of failed jobs first, then the ladder, both by rules."""

from __future__ import annotations

from typing import NamedTuple

from rules.facts.card_standing import CardStanding, card_standing
from rules.facts.failures import Weighing, failure_facts
from rules.facts.gpus import gpu_facts
from rules.facts.own import OwnFacts
from rules.facts.own_standing import with_own
from rules.ladder import Standing
from rules.own.compiled import EXCLUSIONS
from rules.rulebook import Rulebook
from rules.ruleset import Fired
from rules.state import State


class Standings(NamedTuple):
    """Every card that is not ok, by its key, and all the rules that fired for cards.

    ``climbed`` is where each card with a record stands on the ladder, ok or not.
    ``ladder`` is where cards that are not ok stand without what own rules make of them.
    """

    cards: dict[str, CardStanding]
    fired: list[Fired]
    climbed: dict[str, Standing]
    ladder: dict[str, CardStanding]


def standings(rules: Rulebook, state: State, at_us: int) -> Standings:
    """The standing of all cards at a time."""
    causes = []
    failures = failure_facts(state, rules.context, at_us)
    for (failure, _), fired in zip(
        failures, rules.fired([fact for _, fact in failures]), strict=True
    ):
        causes.append((failure, fired[0].rule.name if fired else "unknown"))
    weighing = Weighing(state, rules.context, at_us, causes)
    facts, climbed = gpu_facts(state, rules.context, at_us, weighing)
    said: list[Fired] = []
    found: dict[str, tuple[Standing, list[Fired]]] = {}
    for each, fired in zip(facts, rules.fired([each.fact for each in facts]), strict=True):
        said += fired
        found.setdefault(each.key, (each.standing, []))[1].extend(fired)
    cards: dict[str, CardStanding] = {}
    for key, (standing, fired) in found.items():
        placed = card_standing(key, state.cards[key], standing, fired)
        if placed is not None:
            cards[key] = placed
    if not rules.own.judges(EXCLUSIONS):
        return Standings(cards, said, climbed, cards)
    own = OwnFacts(rules.own, state, rules.context, at_us)
    about = list(own.exclusions(cards, climbed))
    own_fired = rules.fired([fact for _, fact in about])
    changed = {
        key: with_own(cards.get(key), key, state, fired, at_us)
        for (key, _), fired in zip(about, own_fired, strict=True)
        if fired
    }
    said += [each for fired in own_fired for each in fired]
    return Standings({**cards, **changed}, said, climbed, cards)
