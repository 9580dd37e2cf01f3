"""The ``eventsourcing`` library doing what the ledger does: one yardstick of `benchmarks.ledger`.

Events are recorded by an aggregate and saved by an application, as its
documentation shows, on its SQLite module with its defaults. Only saving and
reading are timed; making the events is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.measuring import seconds
from ledger import Event


class Log(Aggregate):
    """All events of a fleet in one stream: the quickest for the library."""

    @event("Recorded")
    def record(
        self, type: str, source: str, subject: str, happened_us: int, runid: str, data: Any
    ) -> None:
        """Take note of one event; nothing else is kept."""


class Fact(Aggregate):
    """Every event a stream of its own: what facts about many things come to."""

    @event("Recorded")
    def __init__(
        self, type: str, source: str, subject: str, happened_us: int, runid: str, data: Any
    ) -> None:
        self.type = type


class EventSourced:
    """An application over a fresh SQLite file, fed with ledger events."""

    def __init__(self, path: Path) -> None:
        self._app: Any = Application(
            env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
        )
        self._log: Any = Log()
        self._app.save(self._log)

    def save_in_one_stream(self, batches: Sequence[Sequence[Event]]) -> float:
        """Seconds that saving takes, a commit for each batch."""
        took = 0.0
        for batch in batches:
            for each in batch:
                self._log.record(**_fields(each))
            took += seconds(lambda: self._app.save(self._log))
        return took

    def save_in_many_streams(self, batches: Sequence[Sequence[Event]]) -> float:
        """The same, every event a stream of its own."""
        took = 0.0
        for batch in batches:
            facts = [Fact(**_fields(each)) for each in batch]
            took += seconds(lambda facts=facts: self._app.save(*facts))  # type: ignore[misc]
        return took

    def read(self) -> int:
        """Every event of the one stream as a typed event; how many there are."""
        return sum(1 for _ in self._app.events.get(self._log.id))

    def close(self) -> None:
        """Let go of the file."""
        self._app.close()


def _fields(each: Event) -> dict[str, Any]:
    return {
        "type": each.type,
        "source": each.source,
        "subject": each.subject,
        "happened_us": each.time_us,
        "runid": each.runid,
        "data": msgspec.to_builtins(each.data),
    }
