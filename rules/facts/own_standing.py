"""A card's standing with what own rules make of it: the worse of the two, while they hold."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rules.facts.card_standing import CardStanding
from rules.facts.own import OWN
from rules.facts.own_values import OwnValues
from rules.ladder import STATES, Standing, worst
from rules.ruleset import Fired
from rules.state import State

_LONGEST_REASON = 1_000
_NAMED = 100
"""However many own rules speak of a card, its entry stays one that can be recorded."""


def with_own(
    ladder: CardStanding | None, key: str, state: State, fired: Sequence[Fired], at_us: int
) -> CardStanding:
    """Where a card stands that own rules speak of; ``ladder`` is its standing without them."""
    asked = worst(*(each.rule.effect["state"] for each in fired))
    speaking = [each for each in fired if each.rule.effect["state"] == asked]
    own = CardStanding(
        key=key,
        card=state.cards[key],
        standing=Standing() if ladder is None else ladder.standing,
        state=asked,
        since_us=min(_since_us(each, state, key, at_us) for each in speaking),
        reason="; ".join(_reason(each) for each in speaking)[:_LONGEST_REASON],
        evidence=tuple(dict.fromkeys(id for each in speaking for id in each.evidence))[:_NAMED],
    )
    if ladder is None or STATES.index(ladder.state) < STATES.index(asked):
        return own
    if ladder.state != asked:
        return ladder
    return msgspec.structs.replace(
        ladder,
        since_us=min(ladder.since_us, own.since_us),
        reason=f"{ladder.reason}; {own.reason}",
        evidence=tuple(dict.fromkeys((*ladder.evidence, *own.evidence))),
    )


def _since_us(fired: Fired, state: State, key: str, at_us: int) -> int:
    """Since when a rule may hold: the oldest event that its own facts keep, else the newest look.

    A rule's conditions are judged anew each time; when they began to hold is not remembered.
    """
    own: OwnValues = fired.fact.show[OWN]
    since = [own.since_us(each.feature) for each in fired.rule.when]
    kept = [each for each in since if each is not None]
    if kept:
        return min(kept)
    node = state.nodes.get(state.cards[key].node)
    return at_us if node is None or node.probe is None else node.probe.time_us


def _reason(fired: Fired) -> str:
    """A rule's message without the card's name, which stands beside it."""
    return fired.message.removeprefix(f"{fired.fact.show['card']}: ")
