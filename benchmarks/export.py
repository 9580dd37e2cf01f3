"""Parquet against pandas' ``read_sql`` and ``to_parquet`` of the same rows, and memory.

``python -m benchmarks export [--quick]``.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

from benchmarks.measuring import header, in_turns, milliseconds, quick_asked, report, seconds
from benchmarks.samples import fleet, history
from ledger import open_ledger
from ledger.rows import Row
from runledger.exporting.tabular import write_parquet

_SQL = f"SELECT {', '.join(Row._fields)} FROM events ORDER BY sequence"


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    count = 50_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as name:
        folder = Path(name)
        with open_ledger(folder / "l.db") as ledger:
            events = history(count, fleet(26))
            while batch := list(islice(events, 5_000)):
                ledger.append(batch)
        header(f"export: {count:,} events")
        _speed(folder, rounds=3)
        _memory(folder, count)


def _speed(folder: Path, rounds: int) -> None:
    import pandas

    def ours() -> None:
        (folder / "a.parquet").unlink(missing_ok=True)
        with open_ledger(folder / "l.db", readonly=True) as ledger:
            write_parquet(ledger, (), folder / "a.parquet", lambda _: None)

    def theirs() -> None:
        with sqlite3.connect(folder / "l.db") as connection:
            frame = pandas.read_sql(_SQL, connection)
        frame["time"] = pandas.to_datetime(frame.pop("time_us"), unit="us", utc=True)
        frame["recordedtime"] = pandas.to_datetime(frame.pop("recorded_us"), unit="us", utc=True)
        frame.to_parquet(folder / "b.parquet")

    mine, yardstick = in_turns(lambda: seconds(ours), lambda: seconds(theirs), rounds=rounds)
    figures = milliseconds(mine), milliseconds(yardstick), yardstick / mine
    report("Parquet, to pandas read_sql + to_parquet (speed)", *figures, at_least=1.0)


def _memory(folder: Path, count: int) -> None:
    """The most memory that a command ever held: all events against some of them."""
    some = max(count // 50, 20_000)
    few = f"seq=1..{some}"
    for what, words in (
        ("export of NDJSON", ["export", "--output", "{}.ndjson"]),
        ("export of CSV", ["export", "--format", "csv", "--output", "{}.csv"]),
        ("export of Parquet", ["export", "--format", "parquet", "--output", "{}.parquet"]),
    ):
        part = _peak_mib(folder, [each.format("part") for each in words] + ["--where", few])
        whole = _peak_mib(folder, [each.format("whole") for each in words])
        figures = f"{whole:,.0f} MiB", f"{part:,.0f} MiB", whole / part
        report(f"memory: {what}, to that of {some:,}", *figures, at_most=1.5)


def _peak_mib(folder: Path, words: list[str]) -> float:
    code = (
        "import sys; from runledger.cli import main; main(sys.argv[1:]); "
        "print(*(l for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--ledger", "l.db"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-2]) / 1024


if __name__ == "__main__":
    main(quick=quick_asked(__doc__))
