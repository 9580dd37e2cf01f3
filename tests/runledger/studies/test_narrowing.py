"""Where survivors come from, as advice: found where it is so, and not where it is not."""

from __future__ import annotations

import random
from pathlib import Path

import runledger
from ledger.payloads import TrialCompleted
from runledger.api.facade import Runledger


def told(
    fleet: Runledger, count: int, *, seed: int = 1, study: str = "w", near: bool = True
) -> None:
    """Trials whose survivors depend on the window, and not on the noise."""
    pick = random.Random(seed)
    for number in range(count):
        window, noise = pick.uniform(2, 500), pick.uniform(0, 1)
        survivors = max(0, round(1000 * (1 - abs(window - 320) / 120)))
        if not near:
            survivors = pick.randrange(1000)
        params = {"window": window, "noise": noise, "mode": "a"}
        trial = TrialCompleted(
            study=study, number=number, state="COMPLETE", params=params, survivors=survivors
        )
        fleet.note(trial)


def test_a_parameter_that_survivors_concentrate_in_is_named_with_its_evidence(
    tmp_path: Path,
) -> None:
    with runledger.open(tmp_path / "l.db", create=True) as fleet:
        told(fleet, 60)
        advice = fleet.narrow_bounds("w")
        assert list(advice.bounds) == ["window"]
        window = advice.bounds["window"]
        assert 200 < window.low < 320 < window.high < 440
        assert window.tried_low < window.low
        assert window.importance > 0.5
        assert (advice.trials, advice.with_survivors > 0) == (60, True)
        assert window.high < window.tried_high
        stored = {event.id for event in fleet.ledger.read()}
        assert advice.evidence
        assert set(advice.evidence) <= stored


def test_the_family_of_a_study_speaks_and_others_do_not(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "l.db", create=True) as fleet:
        told(fleet, 30, study="w-0123456789ab")
        told(fleet, 30, study="other", seed=2)
        assert fleet.narrow_bounds("w").trials == 30


def test_few_trials_give_no_advice(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "l.db", create=True) as fleet:
        told(fleet, 19)
        advice = fleet.narrow_bounds("w")
    assert (advice.bounds, advice.evidence) == ({}, ())
    assert "20 are needed" in advice.text


def test_where_survivors_come_from_everywhere_nothing_is_narrowed(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "l.db", create=True) as fleet:
        told(fleet, 200, near=False)
        assert fleet.narrow_bounds("w").bounds == {}


def test_it_records_nothing(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "l.db", create=True) as fleet:
        told(fleet, 25)
        head = fleet.ledger.head()
        fleet.narrow_bounds("w")
        assert fleet.ledger.head() == head
