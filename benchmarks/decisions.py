"""Verdicts, replay and what-if on a long history, against reading it and against the bare engine.

``python -m benchmarks decisions [--quick]``. The history is a made-up year of
three machines (`benchmarks.year`); making it takes a while and is not measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import runledger
from benchmarks.measuring import header, in_turns, milliseconds, quick_asked, report, seconds
from benchmarks.samples import fleet, look
from benchmarks.year import START, D, build
from ledger import open_ledger
from rules.engine.durable import DurableEvaluator
from rules.explain import Watched
from rules.in_force import resolve
from rules.policy import default_policy
from rules.rulesets import ALL_RULES
from runledger.api.facade import Runledger
from runledger.backtest import backtest
from runledger.backtest.sweep import parse_sweep, swept
from runledger.config.settings import Settings
from runledger.replaying.whatif import Change, what_if

END = START + 365 * D


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    size, decisions = (60_000, 1_000) if quick else (1_000_000, 10_000)
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as name:
        large, small = Path(name) / "large", Path(name) / "small"
        for folder, events, days, a_day in (
            (large, size, 365, decisions / 365 / 2.25),
            (small, 1_000, 5, 4.0),
        ):
            folder.mkdir()
            build(folder, days=days, events=events, decisions_a_day=a_day)
        with _open(large) as long, _open(small) as short:
            header(f"decisions: {long.ledger.head().sequence:,} events")
            _verdicts(long, short)
            _first_verdicts(large, small)
            _large_fleet(rounds=5)
            rounds = 3 if quick else 1  # each takes minutes
            _replay(long, rounds)
            _what_if(long, rounds)
            _sweep(long, rounds)


def _open(folder: Path) -> Runledger:
    return runledger.open(folder / "year.db", config=folder / "runledger.toml")


def _read(opened: Runledger) -> Callable[[], float]:
    return lambda: seconds(lambda: sum(1 for _ in opened.ledger.read()))


def _verdicts(long: Runledger, short: Runledger) -> None:
    """The same question on both: the newest evidence is a minute old."""
    ours, yardstick = in_turns(
        lambda: seconds(lambda: long.preflight("1", at=_newest(long))),
        lambda: seconds(lambda: short.preflight("1", at=_newest(short))),
        rounds=15,
    )
    figures = milliseconds(ours), milliseconds(yardstick), ours / yardstick
    report("verdict, to one on 1,000 events", *figures, at_most=1.5)


def _first_verdicts(large: Path, small: Path) -> None:
    """With opening the ledger and finding a checkpoint."""

    def first(folder: Path) -> float:
        def ask() -> None:
            with _open(folder) as opened:
                opened.preflight("1", at=_newest(opened))

        return seconds(ask)

    ours, yardstick = in_turns(lambda: first(large), lambda: first(small), rounds=9)
    figures = milliseconds(ours), milliseconds(yardstick), ours / yardstick
    report("verdict of a ledger just opened, to 1,000 events", *figures, at_most=1.5)


def _newest(opened: Runledger) -> int:
    newest = next(iter(opened.decisions("seq=1..")), None)
    assert newest is not None
    return END if opened.ledger.head().sequence > 5_000 else START + 6 * D


def _large_fleet(rounds: int) -> None:
    """2,000 GPUs: gathering facts, firing rules, recording; to the bare engine on those facts."""
    wide = fleet(2_000)
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as name:
        path = Path(name) / "wide.db"
        settings = Settings(ledger=str(path), fleet=wide, policy=default_policy())
        opened = Runledger(open_ledger(path), settings, clock=lambda: END)
        with opened:
            opened.record(list(look(wide, START)))
            opened.preflight("1", at=START + 1_000_000)
            watched = Watched(default_policy(), wide)
            state = watched.judge.fold.run(opened.ledger.read())
            account = watched.decide("preflight", {"step": "1"}, state, START + 1_000_000)
            facts = [(each.fact.kind, each.fact.features) for each in account.spoken]
            rules = resolve(ALL_RULES, default_policy())

            def bare() -> float:
                engine = DurableEvaluator(rules)
                # Past the memory of facts that no limit tells apart.
                sorts = [engine.sort(*fact) for fact in facts]
                return seconds(lambda: engine.evaluate(sorts))

            ours, yardstick = in_turns(
                lambda: seconds(lambda: opened.preflight("1", at=START + 2_000_000)),
                bare,
                rounds=rounds,
            )
    figures = milliseconds(ours), milliseconds(yardstick), ours / yardstick
    report(f"verdict on 2,000 GPUs, to durable-rules on {len(facts):,} facts", *figures, at_most=3)


def _replay(opened: Runledger, rounds: int) -> None:
    """1,000 decisions, spread over the whole history."""
    ids = [event.id for event in opened.decisions()]
    ids = list(islice(ids, 0, None, max(1, len(ids) // 1_000)))[:1_000]
    ours, reading = in_turns(
        lambda: seconds(lambda: opened.replay(*ids)), _read(opened), rounds=rounds
    )
    figures = milliseconds(ours), milliseconds(reading), ours / reading
    report(f"replay of {len(ids):,} decisions, to reading once", *figures, at_most=3)


def _what_if(opened: Runledger, rounds: int) -> None:
    decided = list(opened.decisions())

    def ask(setting: str) -> float:
        change = Change(settings=[setting])
        return seconds(lambda: what_if(opened.ledger, opened.catalog, decided, change))

    ours, folding, reading = in_turns(
        lambda: ask("gpu.exclude_after_incidents=1"),
        lambda: ask("gpu.incident_gap_s=1200"),
        _read(opened),
        rounds=rounds,
    )
    figures = milliseconds(ours), milliseconds(reading), ours / reading
    report(f"what-if over {len(decided):,} decisions, to reading once", *figures, at_most=3)
    figures = milliseconds(folding), milliseconds(reading), folding / reading
    report("the same, of a key that folds go by", *figures)


def _sweep(opened: Runledger, rounds: int) -> None:
    key = "gpu.exclude_after_incidents"

    def score(values: str) -> float:
        policies = swept("default", default_policy(), [parse_sweep(f"{key}={values}")])
        return seconds(lambda: backtest(opened.ledger, opened.catalog, policies))

    ours, single = in_turns(lambda: score("1..4"), lambda: score("2..2"), rounds=rounds)
    figures = milliseconds(ours), milliseconds(single), ours / single
    report("sweep of four values, to a single one", *figures, at_most=2)


if __name__ == "__main__":
    main(quick=quick_asked(__doc__))
