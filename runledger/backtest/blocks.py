"""Blocks that were needless: nothing showed on what they kept work off.

A block is held against the nodes and cards that its findings name: it was needless where none of
them showed anything within the policy's ``backtest.needless_within_s`` after it. A block for
anything else, such as a missing file, is not counted here.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger.payloads import PreflightDecided
from ledger.times import SECOND_US
from rules.kinds import MAY_START
from rules.rulesets import ALL_RULES
from runledger.backtest.condition import Condition
from runledger.backtest.ranges import NONE, Range
from runledger.backtest.symptoms import Card, CardHistory, History, NodeHistory, Spell, any_within

_BLOCKING = ("block", "unknown")
_OTHER_REASONS = frozenset(
    rule.name
    for rule in ALL_RULES
    if rule.about in ("file", "budget", "question", "run", "proposal")
)
"""Rules that stop a step for what is no fault of a node, though they may name one."""


def blocked_nodes(answer: PreflightDecided) -> frozenset[str]:
    """The nodes for whose or whose cards' sake a step may not start.

    Empty where it may, and where something else stands in its way.
    """
    if answer.verdict in MAY_START:
        return frozenset()
    nodes = set()
    for finding in answer.findings:
        if finding.severity in _BLOCKING:
            kind, _, rest = finding.subject.partition("/")
            if finding.rule in _OTHER_REASONS:
                return frozenset()
            if kind in ("node", "gpu"):
                nodes.add(rest.partition("/")[0])
    return frozenset(nodes)


class Block(NamedTuple):
    """Work kept off some nodes at a time."""

    at_us: int
    nodes: frozenset[str]


def needless_blocks(
    blocks: list[Block], history: History, known: dict[Card, Condition], within_s: float
) -> Range:
    """How many blocks nothing showed after.

    Perhaps needless are those after which only such things showed as may be a program's or
    the network's, those after which nobody looked for long enough, and those of a node that
    has shown something before: a fault need not show itself every day, and does not while
    no work is done.
    """
    needless = NONE
    within_us = round(within_s * SECOND_US)
    for at_us, nodes in blocks:
        until_us = at_us + within_us
        if any(_failed(node, history, at_us, until_us) for node in nodes):
            continue
        sure = (
            not any(_showed(node, history, at_us, until_us) for node in nodes)
            and history.until_us >= until_us
            and all(_looked(node, history, at_us, until_us) for node in nodes)
            and not any(_suspect(node, known, at_us) for node in nodes)
        )
        needless = needless.plus(sure=sure, perhaps=not sure)
    return needless


def _failed(name: str, history: History, at_us: int, until_us: int) -> bool:
    """Whether a card of a node had an incident or was away, or the node was, for two looks."""
    lost = [each for each in _node(name, history).lost if each.last_us > each.from_us]
    return _in_force(lost, at_us, until_us) or any(
        any_within(card.incidents, at_us + 1, until_us) or _in_force(card.down, at_us, until_us)
        for card in _cards_of(name, history)
    )


def _showed(name: str, history: History, at_us: int, until_us: int) -> bool:
    """Whether a node or a card of it showed anything at all: after a time, or still then."""
    node = _node(name, history)
    return (
        any_within(node.symptoms, at_us + 1, until_us)
        or _in_force(node.lost, at_us, until_us)
        or any(any_within(card.symptoms, at_us + 1, until_us) for card in _cards_of(name, history))
    )


def _node(name: str, history: History) -> NodeHistory:
    return history.nodes.get(name) or NodeHistory()


def _cards_of(name: str, history: History) -> list[CardHistory]:
    return [each for card, each in history.cards.items() if card[0] == name]


def _in_force(spells: list[Spell], at_us: int, until_us: int) -> bool:
    return any(each.from_us <= until_us and each.ended_us > at_us for each in spells)


def _looked(name: str, history: History, at_us: int, until_us: int) -> bool:
    node = history.nodes.get(name)
    return node is not None and any_within(node.looks, at_us + 1, until_us)


def _suspect(name: str, known: dict[Card, Condition], at_us: int) -> bool:
    return any(card[0] == name and each.at(at_us) != "quiet" for card, each in known.items())
