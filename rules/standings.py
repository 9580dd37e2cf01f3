"""Where every card stands: the causes of failed jobs first, then the ladder, both by rules."""

from __future__ import annotations

from typing import NamedTuple

from rules.facts.failures import failure_facts, weighing
from rules.facts.gpus import CardStanding, card_standing, gpu_facts
from rules.facts.own import OwnFacts
from rules.facts.own_standing import with_own
from rules.ladder import Standing
from rules.own.compiled import EXCLUSIONS
from rules.rulebook import Rulebook
from rules.ruleset import Fired
from rules.state import State


class Standings(NamedTuple):
    """Every card that is not ok, by its key, and all the rules that fired for cards.

    ``ladder`` is where cards stand without what own rules make of them.
    """

    cards: dict[str, CardStanding]
    fired: list[Fired]
    ladder: dict[str, CardStanding]


def standings(rules: Rulebook, state: State, at_us: int) -> Standings:
    """The standing of all cards at a time."""
    causes = []
    failures = failure_facts(state, rules.context, at_us)
    for (failure, _), fired in zip(
        failures, rules.fired([fact for _, fact in failures]), strict=True
    ):
        causes.append((failure, fired[0].rule.name if fired else "unknown"))
    own = weighing(state, rules.context, at_us, causes)
    facts = gpu_facts(state, rules.context, at_us, own)
    said: list[Fired] = []
    found: dict[str, tuple[Standing, list[Fired]]] = {}
    for (key, standing, _), fired in zip(
        facts, rules.fired([fact for _, _, fact in facts]), strict=True
    ):
        said += fired
        found.setdefault(key, (standing, []))[1].extend(fired)
    cards = {
        key: card_standing(key, state.cards[key], standing, fired)
        for key, (standing, fired) in found.items()
        if fired
    }
    if not rules.own.judges(EXCLUSIONS):
        return Standings(cards, said, cards)
    about = list(OwnFacts(rules.own, state, rules.context, at_us).exclusions(cards))
    own_fired = rules.fired([fact for _, fact in about])
    changed = {
        key: with_own(cards.get(key), key, state, fired, at_us)
        for (key, _), fired in zip(about, own_fired, strict=True)
        if fired
    }
    said += [each for fired in own_fired for each in fired]
    return Standings({**cards, **changed}, said, cards)
