"""Appends whose disk is watched; ``FOLDER BATCHES SEED [PRAGMA…]`` are its arguments.

Opens, appends, closes and opens again, and writes the name of each batch into
the file ``acknowledged`` once `append` has returned. The write-ahead log is
folded back early, so that a short run goes through it many times. Further
pragmas lower durability on purpose, to see that the loss is noticed.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from ledger import open_ledger
from tests.torture.batches import make_batch
from tests.torture.shim import ACKNOWLEDGED

_SIZES = (1, 1, 2, 5, 40)
_REOPEN = 12
"""Batches after which the ledger is closed: that empties and removes the write-ahead log."""


def main(folder: str, batches: str, seed: str, *pragmas: str) -> None:
    """Append ``batches`` batches to the ledger in ``folder``."""
    set_pragmas("wal_autocheckpoint = 16", *pragmas)
    chance = random.Random(int(seed))
    path = Path(folder)
    descriptor = os.open(path / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number, count = 0, int(batches)
    while number < count:
        with open_ledger(path / "ledger.db") as ledger:
            for _ in range(min(_REOPEN, count - number)):
                number += 1
                batch = f"b{number}/{chance.choice(_SIZES)}"
                ledger.append(make_batch(batch, filler=chance.choice((50, 300, 3000))))
                os.write(descriptor, f"{batch}\n".encode())


def set_pragmas(*pragmas: str) -> None:
    """Have every new connection of this process set these, after its own settings."""

    @event.listens_for(Pool, "connect")
    def _set(connection: Any, _record: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")


if __name__ == "__main__":
    main(*sys.argv[1:])
