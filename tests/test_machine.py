"""A ledger driven at random, against a list: what is stored is what should be, whatever happens."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import runledger
from ledger import (
    Conflict,
    Event,
    HeadMoved,
    export_lines,
    from_wire,
    open_ledger,
    restore,
    to_wire,
    verify,
)
from ledger.payloads import Payload, SmuError
from ledger.registry import register, unregister
from ledger.testing import NIGHT_US, sample_event
from ledger.writer import Transaction
from rules.kinds import DECIDED_TYPES
from tests.postgres import NewDatabase


class Reading(Payload, frozen=True, kw_only=True):
    """A type of the tests' own."""

    event_type = "test_reading"

    node: str
    value: int


class NewerReading(Payload, frozen=True, kw_only=True):
    """Its second version: values have a unit."""

    event_type = "test_reading"
    version = 2

    node: str
    value: int
    unit: str


def _with_unit(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "unit": "MiB"}


class LedgerMachine(RuleBasedStateMachine):
    """The model is a list of the wire forms that must be stored, in order."""

    location: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.where = type(self).location()
        self.ledger = open_ledger(self.where)
        self.model: list[dict[str, Any]] = []
        self.newer = False
        register(Reading)

    def teardown(self) -> None:
        assert verify(self.ledger).ok
        self.ledger.close()
        unregister(NewerReading if self.newer else Reading)

    def _events(self, count: int) -> list[Event]:
        made = []
        for _ in range(count):
            self.made += 1
            id = f"e{self.made}"
            if self.made % 4 == 0:
                made.append(self._reading(id))
            else:
                made.append(sample_event(self.made, id=id))
        return made

    def _reading(self, id: str) -> Event:
        data: dict[str, Any] = {"node": "rig", "value": self.made}
        if self.newer:
            data["unit"] = "GiB"
        wire = {
            "id": id, "type": "test_reading", "source": "test", "time": "2026-01-24T12:00:00Z",
            "dataschemaversion": 2 if self.newer else 1, "data": data,
        }  # fmt: skip
        return from_wire(wire)

    def _stored(self) -> list[Event]:
        return [event for event in self.ledger.read() if event.id.startswith("e")]

    # -- what can happen -----------------------------------------------------------

    @rule(count=st.integers(0, 7))
    def append(self, count: int) -> None:
        batch = self._events(count)
        assert self.ledger.append(batch).stored == count
        self.model += map(to_wire, batch)

    @precondition(lambda self: self.model)
    @rule(seed=st.integers(0, 99), new=st.integers(0, 2))
    def retry(self, seed: int, new: int) -> None:
        """A batch sent again, with some news in it: only the news are stored."""
        rng = random.Random(seed)
        again = [from_wire(dict(each)) for each in rng.sample(self.model, min(3, len(self.model)))]
        news = self._events(new)
        batch = [*again, *news]
        rng.shuffle(batch)
        appended = self.ledger.append(batch)
        assert (appended.stored, appended.duplicates) == (new, len(again))
        self.model += [to_wire(event) for event in batch if event in news]

    @precondition(lambda self: self.model)
    @rule(seed=st.integers(0, 99))
    def conflict(self, seed: int) -> None:
        """An id with other content: the whole batch is refused."""
        taken = random.Random(seed).choice(self.model)["id"]
        other = runledger.new_event(
            SmuError(node="other", signature="s", raw="r"), time_us=NIGHT_US, source="x", id=taken
        )
        with pytest.raises(Conflict):
            self.ledger.append([sample_event(0, id="never"), other])

    @rule(off=st.sampled_from([-1, 0, 1]))
    def expect_head(self, off: int) -> None:
        head = self.ledger.head().sequence
        batch = self._events(2)
        if off == 0:
            self.ledger.append(batch, expect_head=head)
            self.model += map(to_wire, batch)
        else:
            with pytest.raises(HeadMoved):
                self.ledger.append(batch, expect_head=head + off)

    @rule(after=st.booleans(), count=st.integers(1, 5))
    def crash(self, after: bool, count: int) -> None:
        """A writer dies before or after its commit; nobody was told either way."""
        batch = self._events(count)
        child = os.fork()
        if child == 0:  # nothing may leave the child
            try:
                self._die(batch, after=after)
            finally:
                os._exit(99)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        again = self.ledger.append(batch)
        assert again.stored == (0 if after else count)
        self.model += map(to_wire, batch)

    def _die(self, batch: list[Event], *, after: bool) -> None:
        insert = Transaction.insert

        def insert_and_die(transaction: Transaction, rows: Any) -> None:
            insert(transaction, rows)
            os._exit(9)

        if not after:
            Transaction.insert = insert_and_die  # type: ignore[method-assign]
        with open_ledger(self.where, create=False) as writer:
            writer.append(batch)
            os._exit(9)

    @rule()
    def restore_elsewhere(self) -> None:
        """From here on, the copy is the ledger."""
        head = self.ledger.head()
        where = type(self).location()
        copy = open_ledger(where)
        assert restore(copy, export_lines(self.ledger)).head == head
        assert list(export_lines(copy)) == list(export_lines(self.ledger))
        self.ledger.close()
        self.ledger, self.where = copy, where

    @precondition(lambda self: not self.newer)
    @rule()
    def raise_version(self) -> None:
        """A newer program opens the ledger: old payloads are upgraded on read."""
        unregister(Reading)
        register(NewerReading, {1: _with_unit})
        self.newer = True

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = open_ledger(self.where, create=False)

    @rule()
    def decide_and_replay(self) -> None:
        with runledger.open(self.where, clock=lambda: NIGHT_US + 10**12) as opened:
            opened.preflight("3")
            opened.exclusions()
            opened.next_parameters()
            result = opened.replay()
            assert result.drifted == []
            assert result.decisions == result.identical >= 3

    # -- what must hold ----------------------------------------------------------------

    @invariant()
    def it_holds_the_model(self) -> None:
        stored = self._stored()
        assert [event.id for event in stored] == [each["id"] for each in self.model]
        for event, wire in zip(stored, self.model, strict=True):
            assert event.type == wire["type"]
            expected = dict(wire["data"])
            if event.type == "test_reading" and self.newer and wire["dataschemaversion"] == 1:
                expected = _with_unit(expected)
            assert msgspec.to_builtins(event.data) == expected

    @invariant()
    def positions_have_no_gap_and_the_chain_is_whole(self) -> None:
        events = list(self.ledger.read())
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert [event.prevhash for event in events[1:]] == [event.hash for event in events[:-1]]

    @invariant()
    def what_never_was_is_not_there(self) -> None:
        assert all(event.id != "never" for event in self.ledger.read())
        assert all(event.type in DECIDED_TYPES or event.sequence for event in self.ledger.read())


def _run(location: Callable[[], str], examples: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"location": staticmethod(location)})
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_on_sqlite(tmp_path: Path) -> None:
    numbers = iter(range(10**6))
    _run(lambda: str(tmp_path / f"{next(numbers)}.db"), examples=12)


def test_on_postgres(new_postgres_database: NewDatabase) -> None:
    _run(new_postgres_database, examples=4)
