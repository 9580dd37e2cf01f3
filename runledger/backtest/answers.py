"""What a policy answers to every recorded question, as far as it is scored."""

from __future__ import annotations

from ledger.payloads import (
    DecisionPayload,
    ExclusionsDecided,
    ParametersDecided,
    PreflightDecided,
)
from ledger.times import parse_time
from rules.kinds import MAY_START
from runledger.backtest.blocks import Block, blocked_nodes
from runledger.backtest.symptoms import Card


class Answers:
    """What one policy answers to every recorded question."""

    def __init__(self) -> None:
        self.blocked: dict[str, bool] = {}
        self.without: dict[str, frozenset[Card]] = {}
        self.blocks: list[Block] = []
        self.exclusions: list[ExclusionsDecided] = []
        self.numbers: dict[str, tuple[int, int]] = {}

    def take(self, answer: DecisionPayload) -> None:
        """Take in one answer."""
        outcome = answer.outcome
        if isinstance(answer, PreflightDecided):
            self.blocked[answer.decision] = answer.verdict not in MAY_START
            nodes = blocked_nodes(answer)
            if nodes:
                self.blocks.append(Block(parse_time(answer.as_of.time), nodes))
            self.without[answer.decision] = frozenset(
                (node, gpu["pci"])
                for node, gpus in outcome.get("excluded_gpus", {}).items()
                for gpu in gpus
            )
        elif isinstance(answer, ExclusionsDecided):
            self.exclusions.append(answer)
        elif isinstance(answer, ParametersDecided) and "proposal" not in answer.question:
            self.numbers[answer.decision] = (outcome["trials"], outcome["seed_count"])
