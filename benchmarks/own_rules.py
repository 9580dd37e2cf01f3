"""What own facts and rules cost: a fold and a verdict with 100 of each, to the same without.

``python -m benchmarks own_rules [--quick]``. The facts are of the kinds that
people write, spread over event types: hot looks, memory in use, errors, failed
jobs, each with a threshold of its own. The what-if changes one threshold that
only a rule looks at, over all decisions of the history.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import runledger
from benchmarks.measuring import header, in_turns, milliseconds, quick_asked, report, seconds
from benchmarks.year import START, D, build
from ledger import Ledger
from rules.decide import Judge
from rules.policy import Policy, default_policy, parse_policy
from runledger.deciding.decisions import Decider
from runledger.replaying.replay import recorded_judges, rerun
from runledger.replaying.whatif import Change, what_if

_FACTS = (
    ("card", "gpu_probe", 'where = ["temp_c >= {limit}"]\nkeep = "count"'),
    ("card", "gpu_probe", 'where = ["vram_used_mib > {limit}"]\nkeep = "max"\nfield = "temp_c"'),
    ("card", "smu_error", 'keep = "count"'),
    ("node", "ssh_probe", 'where = ["reachable == false"]\nkeep = "count"'),
    ("node", "job_failed_with_traceback", 'keep = "distinct"\nfield = "fingerprint"'),
)


def own_policy(facts: int, rules: int) -> Policy:
    """The default policy with so many own facts and rules, none of which fires."""
    parts = ["[own]\nmost = 1000000"]
    abouts = []
    for number in range(facts):
        about, from_, more = _FACTS[number % len(_FACTS)]
        abouts.append(about)
        parts.append(
            f'[[facts]]\nname = "f{number}"\nabout = "{about}"\nfrom = "{from_}"\n'
            f"{more.format(limit=90 + number % 20)}\ntimespan_s = {3600 * (1 + number % 24)}"
        )
    for number in range(rules):
        at = number % facts
        parts.append(
            f'[[rules.own]]\nname = "own.r{number}"\nabout = "{abouts[at]}"\n'
            f'when = ["f{at} > $own.most"]\nseverity = "warn"\nmessage = "{{subject}}: {{f{at}}}"'
        )
    return parse_policy("\n".join(parts), "own")


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    events, days, decisions = (60_000, 60, 300) if quick else (1_000_000, 365, 10_000)
    rounds = 3 if quick else 1
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as name:
        folder = Path(name)
        build(folder, days=days, events=events, decisions_a_day=decisions / days / 2.25)
        config = folder / "runledger.toml"
        with runledger.open(folder / "year.db", config=config) as opened:
            ledger, fleet = opened.ledger, opened.fleet
            header(f"own rules: {ledger.head().sequence:,} events")
            plain, own = Judge(default_policy(), fleet), Judge(own_policy(100, 100), fleet)
            _compare("fold with 100 own facts", _fold(ledger, own), _fold(ledger, plain), 3, 2)
            at_us = START + days * D
            decider = Decider(ledger, source="benchmark")
            verdicts = [
                _verdict(decider, judge, at_us)
                for judge in (plain, own, Judge(own_policy(200, 1_000), fleet))
            ]
            for verdict in verdicts:  # each leaves a checkpoint to go on from
                verdict()
            _compare("verdict with 100 own facts and rules", *verdicts[1::-1], 25, 2)
            more = verdicts[2], verdicts[0]
            _compare("verdict with 200 own facts and 1,000 rules", *more, 25, None)
        config.write_text('policy = "policy.toml"\n' + config.read_text())
        (folder / "policy.toml").write_text(own_policy(100, 100).text.partition("\n")[2])
        with runledger.open(folder / "year.db", config=config) as opened:
            for hour in range(100 if quick else 1_000):
                opened.preflight("1", at=START + hour * D // 24, as_of=None)
            decided = list(opened.decisions())[-(100 if quick else 1_000) :]
            change = Change(settings=["own.most=3"])

            def ask() -> None:
                what_if(opened.ledger, opened.catalog, decided, change)

            def states_alone() -> None:
                judges = recorded_judges(opened.catalog)
                for _ in rerun(opened.ledger, decided, [judges]):
                    pass

            _compare(
                "what-if of a threshold of an own rule, to the decisions and their states",
                lambda: seconds(ask),
                lambda: seconds(states_alone),
                rounds,
                1.5,
            )


def _read(ledger: Ledger, judge: Judge) -> Callable[[], float]:
    return ledger.read(types=judge.fold.types, order="time")  # type: ignore[return-value]


def _fold(ledger: Ledger, judge: Judge) -> Callable[[], float]:
    return lambda: seconds(lambda: judge.fold.run(_read(ledger, judge)))


def _verdict(decider: Decider, judge: Judge, at_us: int) -> Callable[[], float]:
    """A decision as it is made live: events read and folded, judged, recorded."""
    return lambda: seconds(
        lambda: decider.decide("preflight", {"step": "1"}, judge=judge, at_us=at_us)
    )


def _compare(
    what: str,
    ours: Callable[[], float],
    yardstick: Callable[[], float],
    rounds: int,
    at_most: float | None,
) -> None:
    one, other = in_turns(ours, yardstick, rounds=rounds)
    report(what, milliseconds(one), milliseconds(other), one / other, at_most=at_most)


if __name__ == "__main__":
    main(quick=quick_asked(__doc__))
