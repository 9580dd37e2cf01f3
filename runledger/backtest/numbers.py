"""Whether the numbers a policy says were run next, and found anything."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import Event
from ledger.payloads import DecisionPayload
from runledger.backtest.answers import Answers
from runledger.backtest.runs import RunRecord
from runledger.backtest.scores import Parameters, share


def parameters(runs: Sequence[RunRecord], decided: Sequence[Event], answers: Answers) -> Parameters:
    """Compare with the first run of the study that started at or after each decision."""
    started = sorted((run for run in runs if run.started_us), key=lambda run: run.started_us)
    asked = supported = worked = 0
    for event in decided:
        decision = event.data
        assert isinstance(decision, DecisionPayload)
        numbers = answers.numbers.get(decision.decision)
        if numbers is None:
            continue
        asked += 1
        study = decision.question.get("study")
        run = next(
            (
                run
                for run in started
                if run.started_us >= event.time_us and study in (None, run.study)
            ),
            None,
        )
        if run is None or run.survivors is None or (run.trials, run.seed_count) != numbers:
            continue
        supported += 1
        worked += run.survivors > 0
    return Parameters(
        decisions=asked,
        supported=supported,
        worked=worked,
        unsupported=asked - supported,
        unsupported_share=share(asked - supported, asked),
    )
