"""Folded states kept (snapshots, elsewhere): the next decision need not fold all history again.

A checkpoint is disposable: rebuilt, it is the same. Each carries a digest of
all that is in it and the hash of the chain where it was taken; one that does
not verify is passed over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import NamedTuple

from ledger import Ledger, LedgerError, StoredCheckpoint
from ledger.canonical import digest


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
    """The checkpoints of a fold that verify."""
    rows = ledger.checkpoints.of(fold)
    chain = ledger.hashes_at(row.sequence for row in rows)
    found = []
    for row in rows:
        checkpoint = Checkpoint(row.sequence, row.at_us, row.newest_us, row.state)
        on_chain = chain.get(row.sequence) == row.chain_hash
        if on_chain and row.digest == _digest(fold, row.chain_hash, checkpoint):
            found.append(checkpoint)
    return found


def save_checkpoint(
    ledger: Ledger, fold: str, checkpoint: Checkpoint, *, keep: Iterable[int]
) -> None:
    """Lay a checkpoint by; of the fold's others, those at the positions to ``keep`` stay."""
    # One that cannot be saved (busy, full, saved by another) is no loss.
    with contextlib.suppress(LedgerError):
        sequence, at_us, newest_us, state = checkpoint
        chain_hash = ledger.hash_at(sequence)
        signed = _digest(fold, chain_hash, checkpoint)
        stored = StoredCheckpoint(fold, sequence, at_us, newest_us, chain_hash, state, signed)
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


def _digest(fold: str, chain_hash: str, checkpoint: Checkpoint) -> str:
    sequence, at_us, newest_us, state = checkpoint
    return digest(f"{fold} {sequence} {chain_hash} {at_us} {newest_us} {state}".encode())
