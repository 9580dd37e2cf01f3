"""The ledger against a bare ``sqlite3``, the ``eventsourcing`` library and a bare loop.

``python -m benchmarks ledger [--quick]``. Ours starts from typed events and
keeps every promise of the ledger; `benchmarks.raw` and
`benchmarks.eventsourced` say what the yardsticks do. Lines without a bound are
for information.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import raw
from benchmarks.eventsourced import EventSourced
from benchmarks.measuring import (
    header,
    in_turns,
    milliseconds,
    quick_asked,
    rate,
    report,
    seconds,
)
from benchmarks.samples import fleet, history
from ledger import Event, open_ledger, verify

BATCH = 1000


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    events = list(history(10_000 if quick else 40_000, fleet(26)))
    rounds = 3 if quick else 7
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as name:
        paths = (Path(name) / f"{number}.db" for number in itertools.count())
        header(f"ledger: {len(events):,} events")
        _appending(paths, events, rounds)
        _appending_singly(paths, events[: 300 if quick else 1000], rounds)
        _reading(paths, events, rounds)
        _verifying(paths, events, rounds)
        _helping(5 if quick else 15)
        _streaming(paths, 50_000 if quick else 1_000_000)


def _appending(paths: Iterator[Path], events: Sequence[Event], rounds: int) -> None:
    batches = [events[start : start + BATCH] for start in range(0, len(events), BATCH)]
    drafts = [list(raw.drafts(batch)) for batch in batches]
    count = len(events)
    ours, bare, prepared, stream, streams = in_turns(
        lambda: _append(next(paths), batches),
        lambda: raw.write(next(paths), batches),
        lambda: raw.write(next(paths), drafts, encode=False),
        lambda: EventSourced(next(paths)).save_in_one_stream(batches),
        lambda: EventSourced(next(paths)).save_in_many_streams(batches),
        rounds=rounds,
    )
    for against, took, bound in (
        ("sqlite3", bare, 0.5),
        ("sqlite3, payloads as text", prepared, None),
        ("eventsourcing, one stream", stream, 2),
        ("eventsourcing, many streams", streams, None),
    ):
        what = f"append {BATCH:,} a commit / {against}"
        report(what, rate(count, ours), rate(count, took), took / ours, at_least=bound)


def _appending_singly(paths: Iterator[Path], events: Sequence[Event], rounds: int) -> None:
    singly = [[event] for event in events]
    count = len(events)
    ours, bare = in_turns(
        lambda: _append(next(paths), singly),
        lambda: raw.write(next(paths), singly),
        rounds=rounds,
    )
    what = "append one a commit / sqlite3"
    report(what, rate(count, ours), rate(count, bare), bare / ours, at_least=0.7)


def _append(path: Path, batches: Sequence[Sequence[Event]]) -> float:
    with open_ledger(path) as ledger:
        ledger.head()
        return seconds(lambda: [ledger.append(batch) for batch in batches])


def _reading(paths: Iterator[Path], events: Sequence[Event], rounds: int) -> None:
    library = EventSourced(next(paths))
    library.save_in_one_stream([events])
    with open_ledger(next(paths)) as ledger:
        ledger.append(events)
        ours, theirs = in_turns(
            lambda: seconds(lambda: sum(1 for _ in ledger.read())),
            lambda: seconds(library.read),
            rounds=rounds,
        )
    library.close()
    count = len(events)
    what = "read typed events / eventsourcing"
    report(what, rate(count, ours), rate(count, theirs), theirs / ours, at_least=1.5)


def _verifying(paths: Iterator[Path], events: Sequence[Event], rounds: int) -> None:
    path = next(paths)
    with open_ledger(path) as ledger:
        ledger.append(events)
        ours, same, values = in_turns(
            lambda: seconds(lambda: verify(ledger)),
            lambda: seconds(lambda: raw.read_and_hash(path)),
            lambda: seconds(lambda: raw.read_and_hash_values(path)),
            rounds=rounds,
        )
    count = len(events)
    for against, took, bound in (
        ("read and hash", same, 0.5),
        ("read, hash bare values", values, None),
    ):
        what = f"verify / {against}"
        report(what, rate(count, ours), rate(count, took), took / ours, at_least=bound)


def _helping(rounds: int) -> None:
    runledger = Path(sys.executable).with_name("runledger")
    ours, nothing = in_turns(
        lambda: seconds(lambda: _run([str(runledger), "--help"])),
        lambda: seconds(lambda: _run([sys.executable, "-c", "pass"])),
        rounds=rounds,
    )
    what = "runledger --help / python -c pass"
    report(what, milliseconds(ours), milliseconds(nothing), ours / nothing, at_most=6)


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


_STREAM = """
import resource, sys
from ledger import open_ledger
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_ledger(sys.argv[1], create=False) as ledger:
    for event in ledger.read():
        if event.sequence == int(sys.argv[2]):
            print(peak())
print(peak())
"""


def _streaming(paths: Iterator[Path], count: int) -> None:
    """Peak memory of a process that reads everything, at a tenth of the way and at the end."""
    path = next(paths)
    events = history(count, fleet(26))
    with open_ledger(path) as ledger:
        while batch := list(itertools.islice(events, BATCH)):
            ledger.append(batch)
    printed = _run([sys.executable, "-c", _STREAM, str(path), str(count // 10)])
    early, end = (int(each) / 1024 for each in printed.split())
    what = f"peak memory, {count:,} read / a tenth of them"
    report(what, f"{end:.1f} MiB", f"{early:.1f} MiB", end / early, at_most=1.1)


if __name__ == "__main__":
    main(quick=quick_asked(__doc__))
