"""A report for a month out of a year, against ten verdicts on the same ledger.

``python -m benchmarks report [--quick]``. Both as they are typed: a process
each, opening the ledger, folding from its checkpoints. The year is lived day
by day, with verdicts on the way, because that is what leaves checkpoints.
Inside one process a verdict costs next to nothing once its fold is in memory,
and a report still has a month of events to read: that line has no bound.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import header, in_turns, milliseconds, quick_asked, report, seconds
from benchmarks.samples import BEGIN_US, fleet, look
from ledger import Event, new_event, open_ledger
from ledger.payloads import RunFinished, RunStarted, SmuError, SurvivorsCounted, TrialCompleted
from ledger.times import format_time
from rules.fleet import fleet_text
from rules.policy import default_policy
from runledger.api.facade import Runledger
from runledger.config.settings import Settings
from runledger.report import report_of

FLEET = fleet(26)
DAY_US = 86_400_000_000
DAYS = 365
END_US = BEGIN_US + DAYS * DAY_US
MONTHS = {"the last month": (DAYS - 31, DAYS), "a month in the middle": (170, 201)}


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    looks = 24 if quick else 144
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as name:
        folder = Path(name)
        (folder / "runledger.toml").write_text(f'ledger = "year.db"\n{fleet_text(FLEET)}')
        with _live(folder / "year.db", looks) as year:
            header(f"report: a month of a year of {year.ledger.head().sequence:,} events")
            for month, days in MONTHS.items():
                _typed(folder, month, days, rounds=3)
                _inside(year, month, days, rounds=3)


def _typed(folder: Path, month: str, days: tuple[int, int], rounds: int) -> None:
    since, until = (format_time(BEGIN_US + day * DAY_US) for day in days)

    def told() -> None:
        (folder / "r.html").unlink(missing_ok=True)
        _type(folder, "report", "--output", "r.html", "--since", since, "--until", until)

    def ten_verdicts() -> None:
        for _ in range(10):
            _type(folder, "preflight", "--no-probe", "--step", "1", "--at", format_time(END_US))

    ours, verdicts = in_turns(lambda: seconds(told), lambda: seconds(ten_verdicts), rounds=rounds)
    figures = milliseconds(ours), milliseconds(verdicts), ours / verdicts
    report(f"{month}, as typed, to ten verdicts", *figures, at_most=1.0)


def _inside(year: Runledger, month: str, days: tuple[int, int], rounds: int) -> None:
    since, until = (BEGIN_US + day * DAY_US for day in days)
    ours, verdicts = in_turns(
        lambda: seconds(lambda: report_of(year.session, since=since, until=until)),
        lambda: seconds(lambda: [year.preflight("1", at=END_US) for _ in range(10)]),
        rounds=rounds,
    )
    figures = milliseconds(ours), milliseconds(verdicts), ours / verdicts
    report(f"{month}, inside one process", *figures)


def _type(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "runledger", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    # 10 and 11 are verdicts, too.
    if done.returncode not in (0, 10, 11):
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr}")


def _live(path: Path, looks: int) -> Runledger:
    """A year: looks at the fleet, errors now and then, a run every other day, verdicts daily."""
    clock_us = END_US
    settings = Settings(ledger=str(path), fleet=FLEET, policy=default_policy())
    opened = Runledger(open_ledger(path, clock=lambda: clock_us), settings, clock=lambda: clock_us)
    chance = random.Random(2)
    for day in range(DAYS):
        begin_us = BEGIN_US + day * DAY_US
        happened: list[Event] = []
        for number in range(looks):
            now_us = begin_us + number * DAY_US // looks
            happened += look(FLEET, now_us)
            if chance.random() < 0.4 / looks:
                happened.append(_error(chance, now_us + 1_000_000))
        if day % 2:
            happened += _run(chance, day, begin_us + DAY_US // 3)
        opened.record(happened)
        at_us = begin_us + DAY_US - DAY_US // looks
        opened.preflight("1", at=at_us)
        opened.exclusions(at=at_us)
        opened.next_parameters(at=at_us)
    return opened


def _error(chance: random.Random, time_us: int) -> Event:
    pci = f"0000:{chance.randint(3, 15):02x}:00.0"
    fault = SmuError(
        node=chance.choice(FLEET.nodes).name,
        pci=pci,
        signature="response_ff",
        raw=f"amdgpu {pci}: amdgpu: SMU: response:0xFFFFFFFF for index:18 param:0x00000005",
    )
    return new_event(fault, time_us=time_us, source="collector/kernel-log@zeus")


def _run(chance: random.Random, day: int, begin_us: int) -> list[Event]:
    of = {"runid": f"R-{day:03d}", "step": "1"}
    trials = [
        TrialCompleted(
            study="window", number=number, state="COMPLETE", params={}, duration_s=12.5,
            seed_count=100_000,
        )
        for number in range(50)
    ]  # fmt: skip
    counted = SurvivorsCounted(
        study="window", trials=50, completed_trials=50, seed_count=100_000,
        survivors=chance.randint(0, 99_999),
    )  # fmt: skip
    payloads = [
        RunStarted(study="window", trials=50, seed_count=100_000),
        *trials,
        counted,
        RunFinished(outcome="succeeded", duration_s=650),
    ]
    return [
        new_event(each, time_us=begin_us + at * 12_500_000, source="watcher@zeus", **of)
        for at, each in enumerate(payloads)
    ]


if __name__ == "__main__":
    main(quick=quick_asked(__doc__))
