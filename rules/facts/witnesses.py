"""Facts about what witnesses remember of the ledger that decisions rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ledger.text import humanize
from rules.ruleset import Fact
from rules.state import State


def witness_fact(state: State) -> Iterator[Fact]:
    """Heads that witnesses remember, and the ledger does not hold."""
    remembered = state.witnesses
    if not remembered:
        return
    sayings = Counter(head for each in remembered.values() for head in each.heads)
    sealed = [head for head in sayings if head in state.sealed]
    # The one that most remember, and of several the newest position.
    told = max(sealed or sayings, key=lambda head: (sayings[head], _position(head)))
    names = sorted(name for name, each in remembered.items() if told in each.heads)
    yield Fact(
        kind="witness",
        subject="fleet",
        features={
            "behind": len(remembered),
            "agreeing": max(sayings.values()),
            "sealed": bool(sealed),
        },
        show={"witnesses": humanize.listed(names), "sequence": _position(told)},
        evidence=tuple(remembered[name].event for name in sorted(remembered)),
    )


def _position(head: str) -> int:
    return int(head.partition(":")[0])
