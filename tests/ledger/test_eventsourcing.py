"""The `eventsourcing` library's own test cases for recorders, on a ledger through an adapter.

What another project demands of an event store, in its words: order, positions,
conflicts that store nothing, and writers that do not mix.
"""

from __future__ import annotations

import base64
import unittest
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    Notification,
    StoredEvent,
    Subscription,
)
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from ledger import Event, HeadMoved, Ledger, new_event, open_ledger, parse_filters
from ledger.payloads import RunStarted
from ledger.testing import NIGHT_US


class LedgerRecorder(ApplicationRecorder):
    """A stored event as one of a run's: an originator is a run, a version part of the id."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        """All or none; raises `IntegrityError` where a version is there already."""
        events = [_event(each) for each in stored_events]
        ids = [event.id for event in events]
        while True:
            head = self._ledger.head().sequence
            if len(set(ids)) < len(ids) or self._ledger.held(ids):
                raise IntegrityError("a version of an originator is stored already")
            try:
                last = self._ledger.append(events, expect_head=head).head.sequence
            except HeadMoved:
                continue
            return list(range(last - len(events) + 1, last + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Those of one originator, by version."""
        stored = self._ledger.read(where=parse_filters([f"run={originator_id}"]))
        found = sorted(map(_stored, stored), key=lambda each: each.originator_version)
        chosen = [
            each
            for each in found
            if (gt is None or each.originator_version > gt)
            and (lte is None or each.originator_version <= lte)
        ]
        return (chosen[::-1] if desc else chosen)[:limit]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """By position."""
        after = 0 if start is None else start - inclusive_of_start
        found = []
        for notification in map(_notification, self._ledger.read(after=after, upto=stop)):
            if not topics or notification.topic in topics:
                found.append(notification)
            if len(found) == limit:
                break
        return found

    def max_notification_id(self) -> int | None:
        """The head."""
        return self._ledger.head().sequence or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Follow the ledger."""
        return _Following(self, gt, topics)

    def follow(self, after: int, stop: Callable[[], bool]) -> Iterator[Notification]:
        """Each position as it is committed."""
        return map(_notification, self._ledger.follow(after=after, poll_s=0.01, stop=stop))


class LedgerAggregateRecorder(LedgerRecorder):
    """One that tells of no positions."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:  # type: ignore[override]
        super().insert_events(stored_events)


class _Following(Subscription[Any]):
    def __init__(self, recorder: LedgerRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._notifications = recorder.follow(gt or 0, lambda: self._has_been_stopped)

    def __next__(self) -> Notification:
        for each in self._notifications:
            if self._has_been_stopped:
                break
            if not self._topics or each.topic in self._topics:
                return each
        raise StopIteration


def _event(stored: StoredEvent) -> Event:
    state = base64.b64encode(stored.state).decode()
    kind = "uuid" if isinstance(stored.originator_id, UUID) else "text"
    scope = {"kind": kind, "version": stored.originator_version, "topic": stored.topic}
    return new_event(
        RunStarted(scope={**scope, "state": state}),
        time_us=NIGHT_US,
        source="eventsourcing",
        runid=str(stored.originator_id),
        id=f"{stored.originator_id}:{stored.originator_version}",
    )


def _stored(event: Event) -> StoredEvent:
    data = event.data
    assert isinstance(data, RunStarted)
    assert data.scope is not None
    name = str(event.runid)
    return StoredEvent(
        originator_id=UUID(name) if data.scope["kind"] == "uuid" else name,
        originator_version=data.scope["version"],
        topic=data.scope["topic"],
        state=base64.b64decode(data.scope["state"]),
    )


def _notification(event: Event) -> Notification:
    return Notification(**vars(_stored(event)), id=event.sequence)


CASES = [
    (case, name)
    for case in (
        AggregateRecorderTestCase,
        ApplicationRecorderTestCase,
        NonInterleavingNotificationIDsBaseCase,
    )
    for name in unittest.TestLoader().getTestCaseNames(case)
]
CASES.append((ApplicationRecorderTestCase, "optional_test_insert_subscribe"))


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    location: str | Path = tmp_path / "runledger.db"
    if request.param == "postgresql":
        location = request.getfixturevalue("new_postgres_database")()
    with open_ledger(location) as opened:
        yield opened


@pytest.mark.parametrize(
    ("case", "name"), CASES, ids=[f"{case.__name__}.{name}" for case, name in CASES]
)
def test_a_ledger_passes_what_eventsourcing_asks_of_a_recorder(
    ledger: Ledger, case: type[unittest.TestCase], name: str
) -> None:
    kind = LedgerAggregateRecorder if case is AggregateRecorderTestCase else LedgerRecorder
    on_ledger = type(case.__name__, (case,), {"create_recorder": lambda _: kind(ledger)})
    result = unittest.TestResult()
    on_ledger(name).run(result)
    assert result.testsRun == 1
    assert not result.skipped
    for _, problem in (*result.errors, *result.failures):
        pytest.fail(problem)
