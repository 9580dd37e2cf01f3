"""What a backtest says of worlds whose truth is known: it lies within the ranges that it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.truth.layout import Dialect
from ledger.payloads import DecisionPayload, PreflightDecided
from ledger.times import SECOND_US, parse_time
from rules.kinds import DECIDED_TYPES
from rules.policy import Policy, default_policy, with_settings
from runledger.api.facade import Runledger
from runledger.backtest import Candidate, backtest
from runledger.backtest.blocks import blocked_nodes
from runledger.backtest.cards import stretches
from runledger.backtest.ranges import Range
from runledger.replaying.whatif import Change, what_if
from tests.runledger.backtest.worlds import lived

DAY_US = 86_400 * SECOND_US
STRICT = ["gpu.exclude_after_incidents=1", "gpu.reinstate_after_s=864000"]
"""Out at the first incident, for ten days: wrong often enough to be caught at it."""


def answered(opened: Runledger, policy: Policy) -> list[DecisionPayload]:
    """What a policy says to every recorded question, by another way than the backtest's."""
    decided = list(opened.ledger.read(types=DECIDED_TYPES))
    answers = {
        event.data.decision: event.data
        for event in decided
        if isinstance(event.data, DecisionPayload)
    }
    asked = what_if(opened.ledger, opened.catalog, decided, Change(policy=policy))
    return list((answers | {each.decision: each.after for each in asked.changed}).values())


def holds(told: Range, true: float, rounding: float = 0.0) -> bool:
    """Whether the truth is in the range."""
    return told.low - rounding <= true <= told.high + rounding


@pytest.mark.parametrize(
    ("dialect", "seed", "obeyed"), [("amd", 1, False), ("amd", 21, True), ("nvidia", 3, False)]
)
def test_the_truth_lies_within_what_is_told(
    tmp_path: Path, dialect: Dialect, seed: int, obeyed: bool
) -> None:
    opened, truth = lived(tmp_path, dialect, seed, "x4", days=45, nodes=3, obeyed=obeyed)
    policies = [
        Candidate("default", default_policy()),
        Candidate("strict", with_settings(default_policy(), STRICT)),
    ]
    with opened:
        result = backtest(opened.ledger, opened.catalog, policies)
        answers = [answered(opened, each.policy) for each in policies]
    for scores, made in zip(result.policies, answers, strict=True):
        would = stretches((each for each in made if each.kind == "exclusions"), truth.ends_us)
        exclusions = scores.exclusions
        bad = truth.bad_hours(would)
        # Scenes begin a minute before the decisions that are made on them.
        minutes = 0.2 + exclusions.exclusions / 30
        assert holds(exclusions.bad_hours, bad, minutes)
        assert holds(exclusions.quiet_hours, exclusions.hours_out - bad, minutes)
        assert holds(exclusions.jobs_spared, truth.jobs_spared(would))
        blocks = [
            (parse_time(each.as_of.time), nodes)
            for each in made
            if isinstance(each, PreflightDecided) and (nodes := blocked_nodes(each))
        ]
        needless = sum(truth.needless(at_us, nodes, DAY_US) for at_us, nodes in blocks)
        assert scores.preflight.blocks == len(blocks)
        assert holds(scores.preflight.needless, needless)
    assert result.policies[1].exclusions.hours_out > 100  # there was something to be wrong about
