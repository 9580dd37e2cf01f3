"""Writers killed without warning, several at once, while they append.

Each writer is a process of its own that appends batch after batch and, once
`append` has returned, says so on a pipe. Whatever was said on a pipe must be
in the ledger afterwards; of the rest, whole batches or nothing.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tests.torture.batches import examine, make_batch
from tests.torture.report import Report

WRITERS = 4
KILLS_EACH = 40
"""Kills after which a ledger is examined and the next one begun."""

_LONGEST_WAIT_S = 0.03
_EARLY = 0.2
"""How many of the kills come before every writer is at work: while it opens or creates."""

_POLL_S = 0.002
_STUCK_AFTER_S = 60.0
_SIZES = (1, 1, 3, 20, 200)


def write_batches(location: str, name: str, acknowledge: Connection) -> None:
    """Append for ever, acknowledging each batch (this runs in the process that is killed)."""
    from ledger import open_ledger

    chance = random.Random(name)
    number = 0
    with open_ledger(location) as ledger:
        while True:
            number += 1
            batch = f"{name}-{number}/{chance.choice(_SIZES)}"
            ledger.append(make_batch(batch, filler=chance.choice((50, 200, 2000))))
            acknowledge.send_bytes(batch.encode())


class _Writer:
    """A writer process, as seen from the side that kills it."""

    def __init__(self, location: str, name: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["ledger", "ledger.migrate", "alembic.command", __name__])
        self._pipe, theirs = context.Pipe(duplex=False)
        self.process: Any = context.Process(
            target=write_batches, args=(location, name, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self.name = name
        self.heard_s = time.monotonic()
        self.at_work = False

    def acknowledged(self) -> list[str]:
        """What it has said since last asked; after its death, to the last word."""
        said = []
        try:
            while self._pipe.poll():
                said.append(self._pipe.recv_bytes().decode())
        except (EOFError, OSError):
            pass  # killed, perhaps in the middle of a word
        if said:
            self.heard_s = time.monotonic()
            self.at_work = True
        return said

    def end(self) -> list[str]:
        """Its last words, once it is dead."""
        self.process.join()
        said = self.acknowledged()
        self._pipe.close()
        return said


class _Round:
    """One ledger and its writers, from the first append to the last kill."""

    def __init__(self, location: str, chance: random.Random, report: Report) -> None:
        self._location = location
        self._chance = chance
        self._report = report
        self._begun = 0
        self.acknowledged: list[str] = []
        self.writers = [self._begin() for _ in range(WRITERS)]

    def _begin(self) -> _Writer:
        self._begun += 1
        return _Writer(self._location, f"w{self._begun}")

    def wait(self) -> None:
        """Until a moment at which nobody expects anything; mostly, when all are at work."""
        early = self._chance.random() < _EARLY
        self.listen()
        while not (early or self._report.found or all(each.at_work for each in self.writers)):
            time.sleep(_POLL_S)
            self.listen()
        time.sleep(self._chance.uniform(0, _LONGEST_WAIT_S))
        self.listen()

    def listen(self) -> None:
        """Note what was acknowledged, and which writers ended or hang."""
        for writer in self.writers:
            self.acknowledged += writer.acknowledged()
            if writer.process.exitcode is not None:
                self._report.found.append(f"writer {writer.name} ended by itself: see its stderr")
            elif time.monotonic() - writer.heard_s > _STUCK_AFTER_S:
                self._report.found.append(f"writer {writer.name} got nothing done for a minute")

    def strike(self, count: int, *, replace: bool) -> None:
        """Kill ``count`` writers at once."""
        victims = self._chance.sample(self.writers, count)
        for victim in victims:
            victim.process.kill()
        for victim in victims:
            self.acknowledged += victim.end()
            self.writers.remove(victim)
        if replace:
            self.writers += [self._begin() for _ in range(count)]
        self._report.counts["kills"] += count


def run(
    new_location: Callable[[], str],
    *,
    kills: int,
    seed: int = 1,
    progress: Callable[[int], None] = lambda _: None,
    name: str = "kill -9",
) -> Report:
    """At least ``kills`` kills over as many ledgers as that takes."""
    report = Report(name)
    chance = random.Random(seed)
    while report.counts["kills"] < kills and not report.found:
        location = new_location()
        round_ = _Round(location, chance, report)
        enough = min(report.counts["kills"] + KILLS_EACH, kills) - WRITERS
        while report.counts["kills"] < enough and not report.found:
            round_.wait()
            round_.strike(chance.randint(1, WRITERS), replace=True)
            progress(report.counts["kills"])
        round_.wait()
        round_.strike(WRITERS, replace=False)
        found, stored = examine(location, round_.acknowledged)
        report.found += [f"{location}: {line}" for line in found]
        report.counts["ledgers"] += 1
        report.counts["batches acknowledged"] += len(round_.acknowledged)
        report.counts["whole batches stored that were not"] += stored - 1 - len(round_.acknowledged)
    return report
