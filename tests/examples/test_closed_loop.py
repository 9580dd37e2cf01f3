"""The example that closes the loop runs as it stands, and its ledger tells what it did."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import runledger
from ledger.payloads import DecisionPayload, SurvivorsCounted, TrialCompleted

EXAMPLE = Path(__file__).parents[2] / "examples" / "closed_loop.py"


def test_the_loop_asks_runs_records_and_asks_again_until_enough_is_found(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(EXAMPLE), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("run 1: 50 trials x 100,000 seeds (no_history)")
    assert "second opinion: " in done.stdout
    with runledger.open(tmp_path / "runledger.db", create=False) as book:
        decided = [event.data for event in book.decisions()]
        counted = [event.data for event in book.ledger.read(types=("survivors_counted",))]
        trials = [event.data for event in book.ledger.read(types=("trial_completed",))]
        assert len(decided) == len(counted) > 1, "one run would close no loop"
        asked_trials = 0
        for decision, count in zip(decided, counted, strict=True):
            assert isinstance(decision, DecisionPayload)
            assert isinstance(count, SurvivorsCounted)
            assert (count.trials, count.seed_count) == (
                decision.outcome["trials"],
                decision.outcome["seed_count"],
            ), "what was said is what was run"
            asked_trials += count.trials
        assert len(trials) == asked_trials, "so many, and no more"
        assert len({data.study for data in trials if isinstance(data, TrialCompleted)}) == 1
        assert not book.replay().drifted
