"""Folding a ledger with checkpoints is folding it without them, whatever arrives when."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from ledger import Event, Ledger, open_ledger
from rules.fold import Fold
from rules.policy import default_policy, with_settings
from rules.state import dump_state
from runledger.deciding import folding
from runledger.deciding.folding import Edit, History, check_checkpoints
from tests.postgres import NewDatabase
from tests.rules.histories import FLEET, NOON, H, M, S, Story, ordered
from tests.runledger.nights import eventful

FOLD = Fold(default_policy(), FLEET)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "CHECKPOINT_EVERY", 20)


def _shuffled(seed: int) -> list[Event]:
    """A history whose events arrive late and out of order, some by hours."""
    rng = random.Random(seed)
    events = [msgspec.structs.replace(event, sequence=0) for event in eventful(seed, 2).events]
    return sorted(events, key=lambda event: event.time_us + rng.choice([0, 0, 0, 5 * M, 3 * H]))


def _from_scratch(ledger: Ledger, sequence: int, at_us: int) -> str:
    events = [event for event in ledger.read(upto=sequence) if event.time_us <= at_us]
    return dump_state(FOLD.run(ordered(events, at_us)))


def _agree(ledger: Ledger, seed: int) -> None:
    rng = random.Random(seed)
    events = _shuffled(seed)
    live, replayed = History(ledger, FOLD, persist=True), History(ledger, FOLD, persist=False)
    for start in range(0, len(events), 37):
        ledger.append(events[start : start + 37])
        head = ledger.head().sequence
        newest = max(event.time_us for event in events[: start + 37])
        for at_us in (newest, newest - rng.choice([0, M, 4 * H])):
            sequence = rng.choice([head, head, max(1, head - 30)])
            expected = _from_scratch(ledger, sequence, at_us)
            assert dump_state(live.state_at(sequence, at_us)) == expected
            assert dump_state(replayed.state_at(sequence, at_us)) == expected
            fresh = History(ledger, FOLD, persist=True)
            assert dump_state(fresh.state_at(sequence, at_us)) == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_checkpoints_change_nothing_on_sqlite(tmp_path: Path, seed: int) -> None:
    with open_ledger(tmp_path / "l.db") as ledger:
        _agree(ledger, seed)
        assert check_checkpoints(ledger, FOLD)[0] == 0
        assert check_checkpoints(ledger, FOLD)[1] > 0


def test_checkpoints_change_nothing_on_postgres(new_postgres_database: NewDatabase) -> None:
    with open_ledger(new_postgres_database()) as ledger:
        _agree(ledger, 4)


def _with_checkpoints(path: Path) -> tuple[Ledger, int, int]:
    ledger = open_ledger(path)
    events = [msgspec.structs.replace(each, sequence=0) for each in eventful(5, 2).events]
    ledger.append(events)
    head, at_us = ledger.head().sequence, max(event.time_us for event in events)
    for cut in range(40, head, 40):
        History(ledger, FOLD, persist=True).state_at(cut, at_us)
    return ledger, head, at_us


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE checkpoints SET state = replace(state, 'excluded', 'watch') || ' '",
        "UPDATE checkpoints SET digest = 'x'",
        "UPDATE checkpoints SET chain_hash = 'x'",
        "UPDATE checkpoints SET newest_us = 0, at_us = at_us + 86400000000",
        "UPDATE checkpoints SET at_us = at_us + 86400000000",
        "UPDATE checkpoints SET sequence = sequence + 1",
        "UPDATE checkpoints SET fold = 'x'",
        "UPDATE checkpoints SET key_id = 'x'",
        "DELETE FROM checkpoints",
    ],
)
def test_a_checkpoint_that_does_not_verify_is_dropped(tmp_path: Path, spoil: str) -> None:
    ledger, head, at_us = _with_checkpoints(tmp_path / "l.db")
    with ledger:
        expected = _from_scratch(ledger, head, at_us)
        with closing(sqlite3.connect(tmp_path / "l.db")) as connection, connection:
            connection.execute(spoil)
        assert dump_state(History(ledger, FOLD, persist=True).state_at(head, at_us)) == expected


def _corrected(error: Event, *, of_old: bool) -> Event:
    """What `reclassify` makes of an error that turns out to be no card's, now and before."""
    told = {} if of_old else {"supersedes": error.id}
    data = msgspec.structs.replace(error.data, pci=None, **told)  # type: ignore[call-arg]
    source = "reclassify/x" if of_old else "x"
    return msgspec.structs.replace(
        error, id=f"{error.id}-anew", causationid=error.id, source=source, data=data
    )


@pytest.mark.parametrize("of_old", [False, True])
def test_a_correction_holds_however_the_history_was_asked_before(
    tmp_path: Path, of_old: bool
) -> None:
    """Asked about a time before an error and its correction, and then about one after."""
    story = Story().healthy().error(H)
    events = [*story.events, _corrected(story.events[-1], of_old=of_old)]
    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append([msgspec.structs.replace(each, sequence=0) for each in events])
        head = ledger.head().sequence
        asked = History(ledger, FOLD, persist=True)
        for at_us in (NOON + M, NOON + 2 * H, NOON + M, NOON + H):
            expected = _from_scratch(ledger, head, at_us)
            assert dump_state(asked.state_at(head, at_us)) == expected
        assert not asked.state_at(head, NOON + 2 * H).cards["rig 0000:22:00.0"].incidents


def test_a_cut_is_exact_to_the_microsecond(tmp_path: Path) -> None:
    """Events a microsecond and a second around a cut, in any order of arrival."""
    around = sorted({second * S + step for second in (-1, 0, 1) for step in (-1, 0, 1)})
    story = Story().healthy()
    for number, offset in enumerate(around):
        story.error(H + offset, card=number % 4)
    rng = random.Random(7)
    events = [msgspec.structs.replace(each, sequence=0) for each in story.events]
    rng.shuffle(events)
    asked = [
        (sequence, NOON + H + offset + more)
        for sequence in range(1, len(events) + 1)
        for offset in around
        for more in (0, S // 2)
    ]
    growing = sorted(asked, key=lambda cut: (cut[1], cut[0]))
    rng.shuffle(asked)
    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append(events)
        live, replayed = History(ledger, FOLD, persist=True), History(ledger, FOLD, persist=False)
        for sequence, at_us in (*asked, *growing):
            expected = _from_scratch(ledger, sequence, at_us)
            assert dump_state(live.state_at(sequence, at_us)) == expected
            assert dump_state(replayed.state_at(sequence, at_us)) == expected


def test_each_policy_has_checkpoints_of_its_own(tmp_path: Path) -> None:
    ledger, head, at_us = _with_checkpoints(tmp_path / "l.db")
    other = Fold(with_settings(default_policy(), ["gpu.incident_gap_s=7200"]), FLEET)
    with ledger:
        events = ordered(ledger.read(), at_us)
        state = History(ledger, other, persist=True).state_at(head, at_us)
        assert dump_state(state) == dump_state(other.run(events))


def test_an_edit_leaves_out_and_adds_without_a_trace(tmp_path: Path) -> None:
    ledger, head, at_us = _with_checkpoints(tmp_path / "l.db")
    with ledger:
        before = ledger.checkpoints.of(FOLD.key)
        stored = list(ledger.read())
        left_out = {event.id for event in stored if event.type == "smu_error"}
        added = [
            msgspec.structs.replace(
                event, id=f"{event.id}-again", time_us=event.time_us + 90 * S, sequence=0
            )
            for event in stored
            if event.type == "smu_error"
        ]
        edited = History(
            ledger, FOLD, persist=True, edit=Edit(lambda event: event.id not in left_out, added)
        )
        kept = [event for event in stored if event.id not in left_out]
        # Added events have no position: they come last among those of their time.
        last = [msgspec.structs.replace(each, sequence=2**62 + n) for n, each in enumerate(added)]
        expected = dump_state(FOLD.run(ordered([*kept, *last], at_us)))
        assert dump_state(edited.state_at(head, at_us)) == expected
        assert ledger.checkpoints.of(FOLD.key) == before
