"""The seeds of the fuzzer, replayed; and the fuzzer itself, for a moment."""

from __future__ import annotations

import pytest

from tests.fuzz.__main__ import by_chance, seeds_of
from tests.fuzz.targets import TARGETS, try_one


@pytest.mark.parametrize("target", list(TARGETS))
def test_every_seed_is_taken_or_refused_in_words(target: str) -> None:
    seeds = seeds_of(target)
    assert seeds
    for seed in seeds:
        assert try_one(target, seed) is None


@pytest.mark.parametrize("target", list(TARGETS))
def test_what_is_made_of_the_seeds_is_too(target: str) -> None:
    tried, found = by_chance(target, 60, seconds=10, seed=1)
    assert tried > 0
    assert found == []


def test_a_failure_is_found_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(data: bytes) -> None:
        raise RecursionError("too deep")

    monkeypatch.setitem(TARGETS, "times", fails)
    finding = try_one("times", b"x")
    assert finding is not None
    assert finding.where.startswith("RecursionError at test_corpus.py:")
