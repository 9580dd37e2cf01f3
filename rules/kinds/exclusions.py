"""Which cards must sit out?"""

from __future__ import annotations

from typing import Any

import msgspec

from ledger.payloads import ExclusionsDecided
from rules.facts.card_standing import outcome_entry
from rules.facts.common import fleet_facts
from rules.kinds.kind import Decided, Draft, Kind, Question, Stakes, bounded, findings
from rules.ladder import SITS_OUT, worst
from rules.rulebook import Rulebook
from rules.standings import standings
from rules.state import State


class ExclusionsQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which cards must sit out? There is nothing more to say."""


class Exclusions(Kind):
    """Every card that is not ok; the verdict is the worst state of any."""

    name = "exclusions"
    payload = ExclusionsDecided
    question = ExclusionsQuestion

    def judge(self, rules: Rulebook, question: Question, state: State, at_us: int) -> Draft:
        found = standings(rules, state, at_us)
        ordered = sorted(
            found.cards.values(), key=lambda each: (each.card.node, each.card.pci, each.key)
        )
        gpus = [outcome_entry(each, state) for each in ordered]
        verdict = worst(*(each.state for each in ordered))
        out = {each.key for each in ordered if each.sits_out}
        fleet = rules.all_fired(fleet_facts(state, out, at_us))
        said = bounded(findings([*found.fired, *fleet]))
        return Draft(verdict, tuple(said), {"gpus": gpus})

    def effect(self, decided: Decided) -> Any:
        return sorted((gpu["node"], gpu["pci"], gpu["state"]) for gpu in decided.outcome["gpus"])

    def answer(self, decided: Decided) -> Any:
        return self.effect(decided)

    def stakes(self, decided: Decided) -> Stakes:
        return Stakes(cards_out=sum(gpu["state"] in SITS_OUT for gpu in decided.outcome["gpus"]))
