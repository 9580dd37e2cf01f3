"""The table of checkpoints: places to resume a fold from, disposable, never evidence.

Storing them is here; making them, and telling whether one can be trusted, is
for whoever owns the fold.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import and_, delete, insert, or_, select

from ledger.backends import Backend
from ledger.rows import StoredCheckpoint
from ledger.sql import checkpoints
from ledger.translation import translated

_OTHERS_KEPT = 24


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
        """Store one; of the fold's others under its key, those at the positions to ``keep`` stay.

        Of those under other keys, so many of the newest do: keys come and go.
        """
        rows, at = checkpoints.c, checkpoint.sequence
        own, strange = rows.key_id == checkpoint.key_id, rows.key_id != checkpoint.key_id
        of_fold = rows.fold == checkpoint.fold
        newest = select(rows.sequence).where(of_fold, strange).order_by(rows.sequence.desc())
        gone = or_(
            rows.sequence == at,
            and_(own, rows.sequence.not_in(list(keep))),
            and_(strange, rows.sequence.not_in(newest.limit(_OTHERS_KEPT))),
        )
        with translated("saving a checkpoint"), self._backend.engine.connect() as connection:
            connection.execute(delete(checkpoints).where(of_fold, gone))
            connection.execute(insert(checkpoints).values(checkpoint._asdict()))
            connection.commit()
