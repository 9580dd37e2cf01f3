"""When people come to a bad card, what they do, and when they say so.

They come after weeks, find nothing now and then, move a card to see whether the fault goes
along, leave a slot empty until a new card comes, and forget to tell.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping

from benchmarks.truth.fate import ALL_SLOTS, Fix, Visit
from benchmarks.truth.layout import D, H


def visits_to(
    kind: str, slot: int, begins: int, rates: Mapping[str, float], rng: random.Random
) -> Iterator[Visit]:
    """The visits to a bad card until the one that mends it, which is the last."""
    median = rates.get(f"repair_days.{kind}", rates["repair_days"])
    fixes: tuple[Fix, ...] = ("swap", "reseat", "move", "nothing_found")
    weights = [rates[f"fix.{fix}"] for fix in fixes]
    at = begins
    for attempt in range(6):
        days = min(150.0, max(3.0, rng.lognormvariate(math.log(median), 0.7)))
        at += round(days * D)
        fix = rng.choices(fixes, weights)[0] if attempt < 5 else "swap"
        if kind == "dead" and fix in ("reseat", "move", "nothing_found"):
            fix = "swap"
        if kind in ("riser", "link_storms") and fix == "swap":
            fix = "reseat"  # of the riser or the cable
        if kind == "riser" and fix == "move":
            fix = "nothing_found"
        told = rng.random()
        late = rates["told_at_once"] + rates["told_late"]
        when: int | None = None
        if told < rates["told_at_once"]:
            when = at + round(rng.uniform(1, 8) * H)
        elif told < late:
            when = at + round(rng.uniform(2, 14) * D)
        empty = round(rng.uniform(2, 9) * D) if fix == "swap" and rng.random() < 0.3 else 0
        other = rng.choice([each for each in ALL_SLOTS if each != slot])
        yield Visit(at, fix, empty, None if when is None else when + empty, other)
        if fix in ("swap", "reseat"):
            return
