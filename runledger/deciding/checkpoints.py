"""Folded states kept (snapshots, elsewhere): the next decision need not fold all history again.

A checkpoint is disposable: rebuilt, it is the same. Each carries the hash of
the chain where it was taken, and a digest of all that is in it under the key of
the user who left it there. Nothing is decided on one that cannot be checked:
another user's is passed over, one that was changed is dropped with a warning.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
from collections.abc import Iterable
from typing import NamedTuple

from ledger import Ledger, LedgerError, StoredCheckpoint
from runledger.deciding.checkpoint_key import CheckpointKey, own_key

_log = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """A state as text, and what it was folded from.

    Positions up to ``sequence`` and times up to ``at_us``; the newest event
    among them has the time ``newest_us``.
    """

    sequence: int
    at_us: int
    newest_us: int
    state: str


def load_checkpoints(ledger: Ledger, fold: str) -> list[Checkpoint]:
    """The checkpoints of a fold that this user left and nobody changed."""
    whole, changed = checked_checkpoints(ledger, fold)
    if changed:
        _log.warning(
            "%d checkpoints were changed by someone who has not this user's key, and are dropped: "
            "`runledger doctor` says what else is not as it was",
            changed,
        )
    return whole


def checked_checkpoints(ledger: Ledger, fold: str) -> tuple[list[Checkpoint], int]:
    """A fold's checkpoints under this user's key that verify, and how many do not."""
    key = own_key()
    if key is None:
        return [], 0
    rows = [row for row in ledger.checkpoints.of(fold) if row.key_id == key.id]
    chain = ledger.hashes_at(row.sequence for row in rows)
    whole = []
    for row in rows:
        checkpoint = Checkpoint(row.sequence, row.at_us, row.newest_us, row.state)
        signed = _signed(key, fold, row.chain_hash, checkpoint)
        if chain.get(row.sequence) == row.chain_hash and hmac.compare_digest(
            row.digest.encode(), signed.encode()
        ):
            whole.append(checkpoint)
    return whole, len(rows) - len(whole)


def save_checkpoint(
    ledger: Ledger, fold: str, checkpoint: Checkpoint, *, keep: Iterable[int]
) -> None:
    """Lay a checkpoint by; of the fold's others, those at the positions to ``keep`` stay."""
    key = own_key()
    if key is None:
        return
    # One that cannot be saved (busy, full, saved by another) is no loss.
    with contextlib.suppress(LedgerError):
        sequence, at_us, newest_us, state = checkpoint
        chain_hash = ledger.hash_at(sequence)
        signed = _signed(key, fold, chain_hash, checkpoint)
        stored = StoredCheckpoint(
            fold, sequence, at_us, newest_us, chain_hash, state, signed, key.id
        )
        ledger.checkpoints.save(stored, keep=keep)


def thinned(saved: list[Checkpoint], kept: int) -> list[Checkpoint]:
    """The newest, and older ones ever further apart; newest first."""
    saved = sorted({each.sequence: each for each in saved}.values(), reverse=True)
    while len(saved) > kept:
        gaps = [
            (saved[i - 1].sequence - saved[i + 1].sequence, i) for i in range(1, len(saved) - 1)
        ]
        # Drop the one whose neighbours are closest for its age.
        newest = saved[0].sequence
        worst = min(gaps, key=lambda gap: gap[0] / (newest - saved[gap[1]].sequence + 1))
        del saved[worst[1]]
    return saved


def _signed(key: CheckpointKey, fold: str, chain_hash: str, checkpoint: Checkpoint) -> str:
    sequence, at_us, newest_us, state = checkpoint
    return key.sign(f"{fold} {sequence} {chain_hash} {at_us} {newest_us} {state}")
