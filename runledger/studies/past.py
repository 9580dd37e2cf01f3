"""Past trials as the ledger tells them: what was tried, what it yielded, in which study.

A trial's study is what the newest `study_defined` before it says, else the first
one after it (an imported study is defined when it is imported). Where there is
none, the scope is that of the trial's run, and space and directions are unknown.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from glob import escape
from typing import TYPE_CHECKING, Any

import msgspec

from ledger import Event
from ledger.payloads import RunStarted, StudyDefined, TrialCompleted
from runledger.studies.space import Direction

if TYPE_CHECKING:
    from ledger import Ledger

_TYPES = ("study_defined", "run_started", "trial_completed")
_SUFFIX = re.compile(r"[-_@.](?:\d{6,}|[0-9a-f]{8,64})\Z")


class PastTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A finished trial and what is known of its study; ``directions`` None: unknown."""

    event: str
    study: str
    number: int
    state: str
    params: dict[str, Any]
    values: tuple[Any, ...] | None
    survivors: int | None
    time_us: int
    duration_s: float | None
    directions: tuple[Direction, ...] | None = None
    scope: dict[str, Any] | None = None


def family(study: str) -> str:
    """A study's name without the stamp or fingerprint that made it one of many.

    >>> family("window_opt_1769300000"), family("window-1a2b3c4d"), family("window_opt")
    ('window_opt', 'window', 'window_opt')
    """
    return _SUFFIX.sub("", study)


def past_trials(ledger: Ledger, studies: Iterable[str]) -> list[PastTrial]:
    """The finished trials of studies whose name fits one of the patterns, oldest first."""
    return told(ledger.read(types=_TYPES, order="time"), tuple(studies))


def past_trials_of_family(ledger: Ledger, study: str) -> list[PastTrial]:
    """The finished trials of a study's family, oldest first."""
    base = family(study)
    name = escape(base)
    near = past_trials(ledger, (name, *(f"{name}{mark}*" for mark in "-_@.")))
    return [each for each in near if family(each.study) == base]


def told(events: Iterable[Event], patterns: tuple[str, ...]) -> list[PastTrial]:
    """The past trials that events tell of; events in the order of time."""
    definitions: dict[str, list[tuple[int, StudyDefined]]] = {}
    scopes: dict[str, dict[str, Any] | None] = {}
    trials: list[tuple[Event, TrialCompleted]] = []
    for event in events:
        data = event.data
        if isinstance(data, StudyDefined):
            definitions.setdefault(data.study, []).append((event.time_us, data))
        elif isinstance(data, RunStarted) and event.runid is not None:
            scopes[event.runid] = data.scope
        elif isinstance(data, TrialCompleted) and any(
            fnmatchcase(data.study, pattern) for pattern in patterns
        ):
            trials.append((event, data))
    return [
        _past(event, data, definitions.get(data.study, ()), scopes.get(event.runid or ""))
        for event, data in trials
    ]


def _past(
    event: Event,
    data: TrialCompleted,
    definitions: Iterable[tuple[int, StudyDefined]],
    run_scope: dict[str, Any] | None,
) -> PastTrial:
    known = list(definitions)
    defined = None
    if known:
        before = bisect.bisect_right([time_us for time_us, _ in known], event.time_us)
        defined = known[max(0, before - 1)][1]
    return PastTrial(
        event=event.id,
        study=data.study,
        number=data.number,
        state=data.state,
        params=data.params,
        values=data.values,
        survivors=data.survivors,
        time_us=event.time_us,
        duration_s=None if data.duration_s is None else float(data.duration_s),
        directions=None if defined is None else defined.directions,
        scope=run_scope if defined is None or defined.scope is None else defined.scope,
    )


def newest_definition(ledger: Ledger, study: str) -> StudyDefined | None:
    """What the ledger says last of a study; None where it was never defined."""
    found = None
    for event in ledger.read(types=("study_defined",), order="time"):
        if isinstance(event.data, StudyDefined) and event.data.study == study:
            found = event.data
    return found
