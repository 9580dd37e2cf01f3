"""What may be carried from past trials into a study, and how. Pure.

A past trial is *added* with its value only where every parameter fits and the
objective is the same: same directions, same scope. Of the others of the same
scope, the best few are *enqueued*: brought into the space, their value forgotten,
to be tried again. From another scope nothing is carried unless told so, and
then only to be tried again: its values were yielded by other data.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ledger.canonical import canonical
from runledger.studies.json_values import json_value, scope_texts
from runledger.studies.past import PastTrial
from runledger.studies.space import Direction, StudyIdentity


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A past trial to add or enqueue; ``changed`` are parameters brought into the space."""

    past: PastTrial
    params: dict[str, Any]
    changed: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is carried over; ``left_out`` counts past trials by the reason."""

    add: tuple[Planned, ...]
    enqueue: tuple[Planned, ...]
    left_out: dict[str, int]


def plan(
    past: Iterable[PastTrial],
    identity: StudyIdentity,
    *,
    best: int = 5,
    most: int = 1000,
    other_scopes: bool = False,
) -> Plan:
    """Decide for each past trial; ``best`` bounds those enqueued, ``most`` those added.

    Where more than ``most`` could be added, the newest are.
    """
    add: list[Planned] = []
    again: list[Planned] = []
    left_out: Counter[str] = Counter()
    known: set[bytes] = set()
    for trial in past:
        if trial.state == "FAIL":
            left_out["failed"] += 1
            continue
        same_scope = scope_texts(trial.scope) == scope_texts(identity.scope)
        if not same_scope and not other_scopes:
            left_out["another scope"] += 1
            continue
        if trial.directions is not None and trial.directions != identity.directions:
            left_out["another direction"] += 1
            continue
        key = canonical(json_value([trial.params, trial.values, trial.state]))
        if key in known:
            left_out["the same trial again"] += 1
            continue
        known.add(key)
        if same_scope and trial.directions is not None and (found := _added(trial, identity)):
            add.append(found)
        elif (
            trial.state == "COMPLETE"  # what a pruned one yielded is not comparable
            and rankable(trial.values, identity.directions)
            and (found := _enqueued(trial, identity))
        ):
            again.append(found)
        else:
            left_out["no value, or no parameter that fits"] += 1
    left_out["older than those added"] += max(0, len(add) - most)
    chosen = _best(again, identity.directions, best)
    left_out["not among the best"] += len(again) - len(chosen)
    return Plan(
        add=tuple(add[-most:] if most else ()),
        enqueue=tuple(chosen),
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
    )


def _added(trial: PastTrial, identity: StudyIdentity) -> Planned | None:
    """The trial as it can be added: every parameter there, and in its range."""
    if trial.params.keys() != identity.space.keys():
        return None
    if trial.state == "COMPLETE" and not rankable(trial.values, identity.directions, finite=False):
        return None
    params = {}
    for name, parameter in identity.space.items():
        if not parameter.holds(trial.params[name]):
            return None
        params[name] = parameter.nearest(trial.params[name])
    return Planned(past=trial, params=params)


def _enqueued(trial: PastTrial, identity: StudyIdentity) -> Planned | None:
    """The trial brought into the space; what has no place in it is left to the sampler."""
    params = {}
    changed = [name for name in identity.space if name not in trial.params]
    for name, parameter in identity.space.items():
        if name not in trial.params:
            continue
        value = parameter.nearest(trial.params[name])
        if not parameter.holds(trial.params[name]):
            changed.append(name)
        if value is not msgspec.UNSET:
            params[name] = value
    if not params:
        return None
    return Planned(past=trial, params=params, changed=tuple(sorted(changed)))


def rankable(
    values: Sequence[Any] | None, directions: Sequence[Direction], *, finite: bool = True
) -> bool:
    """Whether values can be told better or worse (finite: and are not infinitely so)."""
    if values is None or len(values) != len(directions):
        return False
    numbers = [float(value) for value in values]
    return not any(math.isnan(each) or (finite and math.isinf(each)) for each in numbers)


def _best(trials: list[Planned], directions: Sequence[Direction], count: int) -> list[Planned]:
    """The best, best first; with several objectives those that nothing beats in all of them.

    Two that would be tried at the same point count once.
    """
    scored = [(_cost(each.past, directions), each) for each in trials]
    if len(directions) > 1:
        scored = [
            (cost, each)
            for cost, each in scored
            if not any(_beats(other, cost) for other, _ in scored)
        ]
    scored.sort(key=lambda each: (each[0], -each[1].past.time_us, each[1].past.event))
    chosen: dict[bytes, Planned] = {}
    for _, each in scored:
        chosen.setdefault(canonical(json_value(each.params)), each)
    return list(chosen.values())[:count]


def _cost(trial: PastTrial, directions: Sequence[Direction]) -> tuple[float, ...]:
    assert trial.values is not None
    return tuple(
        -float(value) if direction == "maximize" else float(value)
        for value, direction in zip(trial.values, directions, strict=True)
    )


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
