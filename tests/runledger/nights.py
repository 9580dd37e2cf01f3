"""Ledgers for tests of what faces the user: the night of 24 January, and random histories."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import msgspec

import runledger
from ledger import Event
from rules.fleet import fleet_text
from runledger.api.facade import Runledger
from tests.rules.histories import FLEET, NOON, D, H, M, Story

NOW = NOON + 40 * D


def ledger_with(folder: Path, events: Iterable[Event], fleet: str = "") -> Runledger:
    """A ledger in a folder, with a fleet in its settings and these events in it."""
    (folder / "runledger.toml").write_text(fleet or fleet_text(FLEET))
    opened = runledger.open(
        folder / "ledger.db", config=folder / "runledger.toml", clock=lambda: NOW
    )
    opened.record([msgspec.structs.replace(event, sequence=0) for event in events])
    return opened


def eventful(seed: int, days: int = 3) -> Story:
    """A random history of the small fleet, with decisions worth asking for."""
    rng = random.Random(seed)
    story = Story()
    for hour in range(24 * days):
        at = hour * H
        story.healthy(at, boot=f"b{hour // 20}")
        if hour % 3 == 0:
            story.files(at)
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            story.error(at + rng.randrange(50) * M, rng.randrange(4))
        if rng.random() < 0.15:
            story.ssh("rig", at + 55 * M, reachable=False, error="timeout")
        if rng.random() < 0.3:
            survivors = rng.choice([None, 0, 0, 900, 70_000])
            story.run(f"R{hour}", at + 30 * M, survivors, completed=rng.choice([20, 50]))
        if rng.random() < 0.1:
            story.override("gpu/rig/0000:21:00.0", rng.choice(["exclude", "reinstate"]), at)
    return story
