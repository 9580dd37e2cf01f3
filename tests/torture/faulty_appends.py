"""Appends on a disk that fails; runs under the shim, with FOLDER, STEP and ERRNOS as arguments.

For each error, and for each STEP-th change to the ledger's files in turn, that
change fails: once, or from then on. Prints a JSON object for each such run.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import sys
from pathlib import Path

from ledger import Ledger, LedgerError, Unavailable, open_ledger
from tests.torture.batches import examine, make_batch
from tests.torture.workload import set_pragmas

_BATCHES = ("a/1", "b/40", "c/1", "d/3", "e/200", "f/1")
_REOPEN_BEFORE = "d/3"


class Attempt:
    """One ledger, from nothing, while its disk fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.messages: set[str] = set()
        self.found: list[str] = []
        self._ledger: Ledger | None = None

    def go(self) -> None:
        """Append everything; note what was refused, and how."""
        for batch in _BATCHES:
            if batch == _REOPEN_BEFORE:
                self.close()
            self.append(batch)

    def append(self, batch: str) -> None:
        """One batch, opening the ledger where it is not."""
        try:
            if self._ledger is None:
                self._ledger = open_ledger(self.path)
            self._ledger.append(make_batch(batch, filler=500))
        except Unavailable as error:
            self.refused.append(batch)
            self.messages.add(str(error))
        except Exception as error:
            self.refused.append(batch)
            self.found.append(f"{batch}: {type(error).__name__}: {error}")
        else:
            self.acknowledged.append(batch)

    def look(self) -> list[str]:
        """What is wrong for another reader, before the disk is used any further."""
        if not self.acknowledged:
            return []  # there may be no ledger yet
        return examine(self.path, self.acknowledged, touch=False)[0]

    def go_on(self) -> None:
        """The disk is whole again: what was refused is stored, once, by the same process."""
        again, self.refused = self.refused, []
        for batch in again:
            self.append(batch)
        self.found += [f"still refused once the disk was whole: {each}" for each in self.refused]
        if self._ledger is not None:
            try:
                head = self._ledger.head().sequence
            except LedgerError as error:
                self.found.append(f"the head cannot be read: {error}")
            else:
                expected = sum(int(batch.rpartition("/")[2]) for batch in _BATCHES)
                if head != expected:
                    self.found.append(f"the head is at {head} instead of {expected}")

    def close(self) -> None:
        """Close the ledger where it is open."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


def main(folder: str, step: str, *errnos: str) -> None:
    """Every change in turn, until there is none left to fail."""
    set_pragmas("wal_autocheckpoint = 16")
    shim = ctypes.CDLL(None)
    for errno, sticky in itertools.product(map(int, errnos), (0, 1)):
        for number in itertools.count(1, int(step)):
            place = Path(folder) / f"{errno}-{sticky}-{number}"
            place.mkdir()
            attempt = Attempt(place / "ledger.db")
            shim.torture_arm(ctypes.c_long(number), errno, sticky)
            attempt.go()
            reached = shim.torture_seen() >= number
            shim.torture_arm(ctypes.c_long(0), 0, 0)
            refused = len(attempt.refused)
            early = attempt.look()
            attempt.go_on()
            attempt.close()
            late, _ = examine(attempt.path, attempt.acknowledged)
            print(
                json.dumps(
                    {
                        "errno": errno,
                        "sticky": sticky,
                        "at": number,
                        "refused": refused,
                        "messages": sorted(attempt.messages),
                        "found": attempt.found + early + late,
                    }
                ),
                flush=True,
            )
            if not reached:
                break


if __name__ == "__main__":
    main(*sys.argv[1:])
