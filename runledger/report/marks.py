"""What is kept of events on their way to the page: marks, moments, groups, steps.

Each stands for any number of events; times are microseconds since the epoch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Mark:
    """Things of one kind close together on one lane of the time line."""

    lane: str
    kind: str
    first_us: int
    last_us: int
    text: str
    count: int = 1


@dataclass(slots=True)
class Moment:
    """Something worth a line in the chronicle; ``count`` of the same in one burst."""

    time_us: int
    kind: str
    subject: str
    text: str
    count: int = 1
    last_us: int = 0


@dataclass(slots=True)
class Faults:
    """Faults of one kind on one card or node."""

    subject: str
    kind: str
    first_us: int
    last_us: int
    text: str
    count: int = 1


@dataclass(slots=True)
class Failures:
    """Failed jobs with one fingerprint; the texts are the newest one's."""

    fingerprint: str
    exception: str
    message: str
    traceback: str
    first_us: int
    last_us: int
    count: int = 0
    given_up: int = 0
    where: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Step:
    """One step of a run, from start to end; either may be unknown."""

    run: str
    step: str
    started_us: int | None = None
    finished_us: int | None = None
    outcome: str | None = None
