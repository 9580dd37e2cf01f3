"""The table of checkpoints: places to resume a fold from, disposable, never evidence.

Storing them is here; making them, and telling whether one can be trusted, is
for whoever owns the fold.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, insert, select

from ledger.backends import Backend
from ledger.rows import StoredCheckpoint
from ledger.sql import checkpoints
from ledger.translation import translated


class Checkpoints:
    """The checkpoints that go with a ledger."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def of(self, fold: str) -> list[StoredCheckpoint]:
        """Those of a fold, whether they can be trusted or not, oldest first."""
        statement = select(checkpoints).where(checkpoints.c.fold == fold)
        statement = statement.order_by(checkpoints.c.sequence)
        with translated("reading checkpoints"), self._backend.engine.connect() as connection:
            return [StoredCheckpoint(*row) for row in connection.execute(statement)]

    def save(self, checkpoint: StoredCheckpoint, *, keep: Iterable[int]) -> None:
        """Store one; of the fold's others, those at the positions to ``keep`` stay."""
        kept = [sequence for sequence in keep if sequence != checkpoint.sequence]
        others = checkpoints.c.fold == checkpoint.fold, checkpoints.c.sequence.not_in(kept)
        with translated("saving a checkpoint"), self._backend.engine.connect() as connection:
            connection.execute(delete(checkpoints).where(*others))
            connection.execute(insert(checkpoints).values(checkpoint._asdict()))
            connection.commit()
