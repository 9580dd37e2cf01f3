"""A suite that every database must pass unchanged to hold a ledger.

Subclass `StoreConformance` in a test module and give it a ``new_location``
fixture: a function that returns a fresh, empty place each time it is called.
Needs pytest; nothing outside of tests imports this module. Longer than most: a
database passes all of it or holds no ledger.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice

import pytest

from ledger import (
    Conflict,
    Event,
    HeadMoved,
    InvalidEvents,
    Ledger,
    LedgerError,
    NotEmpty,
    NotFound,
    export_lines,
    new_event,
    open_ledger,
    parse_filters,
    restore,
    to_wire,
    verify,
)
from ledger.canonical import GENESIS
from ledger.chain import chained, wire_line
from ledger.payloads import Payload, RunStarted, SmuError, SshProbe, TrialCompleted
from ledger.rows import to_row

NewLocation = Callable[[], str]

NIGHT_US = 1_769_277_731_000_000
"""2026-01-24T18:02:11Z."""


def sample_event(
    number: int, *, id: str | None = None, run: str | None = None, time_us: int | None = None
) -> Event:
    """The ``number``-th of an endless series of valid events of several types."""
    payloads: tuple[Payload, ...] = (
        SmuError(
            node="rig-6600", pci="0000:22:00.0", signature="response_ff", raw=f"line {number}"
        ),
        SshProbe(node="zeus", reachable=number % 3 == 0, latency_s=0.25 * number),
        TrialCompleted(
            study="window", number=number, state="COMPLETE", params={"w": 1e-7, "ü": "𝄞"}
        ),
        RunStarted(trials=50, seed_count=10_000_000, scope={"data": 'a "b" \\ c\n'}),
    )
    return new_event(
        payloads[number % len(payloads)],
        time_us=NIGHT_US + number if time_us is None else time_us,
        source="collector/test@zeus",
        runid=run or f"R{number % 7}",
        id=id,
    )


def sample_events(count: int, *, first: int = 1, prefix: str | None = None) -> list[Event]:
    """``count`` of the series; with ``prefix``, their ids are ``PREFIX-NUMBER``."""
    return [
        sample_event(number, id=None if prefix is None else f"{prefix}-{number}")
        for number in range(first, first + count)
    ]


def append_in_turn(location: str, prefix: str, count: int) -> list[int]:
    """Append ``count`` events one at a time; the position after each (for worker processes)."""
    with open_ledger(location, create=False) as ledger:
        return [ledger.append(event).head.sequence for event in sample_events(count, prefix=prefix)]


def append_from_processes(location: str, *, writers: int, each: int) -> Iterator[list[int]]:
    """``writers`` processes appending ``each`` events at once; the positions each one saw."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(writers, mp_context=context) as pool:
        yield from pool.map(
            append_in_turn,
            [location] * writers,
            [f"w{number}" for number in range(writers)],
            [each] * writers,
        )


class _Fixtures:
    @pytest.fixture
    def location(self, new_location: NewLocation) -> str:
        """One fresh place for a ledger."""
        return new_location()

    @pytest.fixture
    def ledger(self, location: str) -> Iterator[Ledger]:
        """A new, empty ledger."""
        with open_ledger(location) as opened:
            yield opened


class AppendConformance(_Fixtures):
    """What an append does, and what it leaves alone."""

    def test_an_event_comes_back_as_it_was_stored(self, ledger: Ledger) -> None:
        event = sample_event(1, id="first")
        appended = ledger.append(event)
        found = ledger.get("first")
        assert (appended.stored, appended.duplicates, appended.head.sequence) == (1, 0, 1)
        assert found.data == event.data
        assert to_wire(found) == {
            **to_wire(event),
            "sequence": 1,
            "recordedtime": to_wire(found)["recordedtime"],
            "prevhash": "0" * 64,
            "hash": appended.head.hash,
        }

    def test_a_batch_gets_positions_in_its_order(self, ledger: Ledger) -> None:
        batch = sample_events(50)
        ledger.append(batch[:20])
        head = ledger.append(batch[20:]).head
        stored = list(ledger.read())
        assert [event.sequence for event in stored] == list(range(1, 51))
        assert [event.id for event in stored] == [event.id for event in batch]
        assert [event.prevhash for event in stored[1:]] == [event.hash for event in stored[:-1]]
        assert ledger.head() == head == (50, stored[-1].hash)

    def test_no_events_are_no_change(self, ledger: Ledger) -> None:
        assert ledger.append([]) == (0, 0, (0, "0" * 64))

    def test_the_same_event_again_stores_nothing(self, ledger: Ledger) -> None:
        batch = sample_events(5)
        head = ledger.append(batch).head
        assert ledger.append(batch) == (0, 5, head)
        assert ledger.append([*batch, sample_event(6)])[:2] == (1, 5)

    def test_the_same_event_twice_in_a_batch_is_stored_once(self, ledger: Ledger) -> None:
        event = sample_event(1)
        assert ledger.append([event, event])[:2] == (1, 1)

    def test_an_event_read_back_counts_as_the_same(self, ledger: Ledger) -> None:
        ledger.append(sample_events(8))
        assert ledger.append(list(ledger.read()))[:2] == (0, 8)

    def test_an_id_with_other_content_is_a_conflict_and_nothing_is_stored(
        self, ledger: Ledger
    ) -> None:
        head = ledger.append(sample_event(1, id="taken")).head
        with pytest.raises(Conflict) as caught:
            ledger.append([sample_event(2), sample_event(3, id="taken"), sample_event(4)])
        assert caught.value.ids == ("taken",)
        assert ledger.head() == head

    def test_a_conflict_within_a_batch_stores_nothing(self, ledger: Ledger) -> None:
        with pytest.raises(Conflict):
            ledger.append([sample_event(1, id="x"), sample_event(2, id="x")])
        assert ledger.head().sequence == 0

    def test_only_what_is_new_is_appended_whatever_is_said_of_the_rest(
        self, ledger: Ledger
    ) -> None:
        head = ledger.append(sample_event(1, id="known")).head
        better = [sample_event(2, id="known"), sample_event(3, id="x"), sample_event(4, id="x")]
        done = ledger.append_new(better)
        assert (done.stored, done.duplicates, done.head.sequence) == (1, 2, head.sequence + 1)
        assert ledger.get("known").time_us == NIGHT_US + 1
        assert ledger.get("x").time_us == NIGHT_US + 3

    def test_an_expected_head_holds_or_nothing_is_stored(self, ledger: Ledger) -> None:
        ledger.append(sample_event(1), expect_head=0)
        with pytest.raises(HeadMoved) as caught:
            ledger.append(sample_event(2), expect_head=0)
        assert (caught.value.expected, caught.value.found) == (0, 1)
        assert ledger.append(sample_event(2), expect_head=1).head.sequence == 2

    def test_a_ledger_opened_to_read_takes_nothing(self, ledger: Ledger, location: str) -> None:
        ledger.append(sample_event(1))
        with open_ledger(location, readonly=True) as reader, pytest.raises(LedgerError):
            reader.append(sample_event(2))
        assert ledger.head().sequence == 1

    def test_what_is_odd_but_allowed_survives(self, ledger: Ledger) -> None:
        raw = "\x1b[31m\t\r\n\x7f\u2028\ufeff𝄞'\"\\;--%s?"
        params = {"": None, "a": [1, 2.5, {"b": True}], "\U0001f600": -0.0, "é": 1e300}
        ledger.append(
            [
                new_event(
                    SmuError(node="ü;'\"%s", signature="s", raw=raw), time_us=-1, source="a'b"
                ),
                new_event(
                    TrialCompleted(
                        study="s", number=0, state="FAIL", params=params, values=(1e17,)
                    ),
                    time_us=0,
                    source="s",
                ),
            ]
        )
        first, second = ledger.read()
        assert isinstance(first.data, SmuError)
        assert first.data.raw == raw
        assert first.time == "1969-12-31T23:59:59.999999Z"
        assert isinstance(second.data, TrialCompleted)
        assert second.data.params == params
        assert verify(ledger).ok


class ReadConformance(_Fixtures):
    """Which events come back, in which order."""

    def test_reads_narrow_by_position_type_run_subject_and_time(self, ledger: Ledger) -> None:
        ledger.append(sample_events(100))
        everything = list(ledger.read())

        def positions(**narrowed: object) -> list[int]:
            return [event.sequence for event in ledger.read(**narrowed)]  # type: ignore[arg-type]

        def where(*filters: str) -> list[int]:
            return positions(where=parse_filters(filters))

        assert positions(after=97) == [98, 99, 100]
        assert positions(after=10, upto=12) == [11, 12]
        assert positions(types=["run_started"]) == [3 + 4 * n for n in range(25)]
        assert positions(until_us=NIGHT_US + 3) == [1, 2, 3]
        assert where("run=R3") == [e.sequence for e in everything if e.runid == "R3"]
        assert where("subject=node/zeus") == [1 + 4 * n for n in range(25)]
        assert where("pci=22:00.0,seq=..8".replace("seq=..8", "seq=1..8")) == [4, 8]
        assert where("node=rig-*,seq=90..", "id=" + everything[0].id) == [1, 92, 96, 100]
        assert where("since=2026-01-24T18:02:11.000099Z") == [99, 100]
        assert where("pci=*:22:00.*,seq=1..8") == [4, 8]
        # All terms of one filter must hold, a key given twice included.
        assert where("seq=3..9,seq=5..") == [5, 6, 7, 8, 9]
        assert where("seq=1..3,seq=5") == []
        late, early = "since=2026-01-24T18:02:11.000099Z", "since=2026-01-24T00:00:00Z"
        assert where(f"{late},{early}") == where(f"{early},{late}") == [99, 100]
        assert where("type=ssh_probe,type=run_started") == []

    def test_both_orders_hold_over_many_pages(self, ledger: Ledger) -> None:
        count = 2500
        ledger.append(
            [
                sample_event(number, time_us=NIGHT_US + number * 7919 % 997)
                for number in range(1, count + 1)
            ]
        )
        assert [event.sequence for event in ledger.read()] == list(range(1, count + 1))
        by_time = [(event.time_us, event.sequence) for event in ledger.read(order="time")]
        assert by_time == sorted(by_time)
        assert len(by_time) == count

    @pytest.mark.parametrize(
        "where", [(), ("node=rig-*",), ("type=ssh_probe",), ("since=2026-01-24T18:02:30Z",)]
    )
    def test_the_newest_are_the_end_of_what_a_reader_gets(
        self, ledger: Ledger, where: tuple[str, ...]
    ) -> None:
        ledger.append(sample_events(450))
        filters = parse_filters(where)
        everything = [event.id for event in ledger.read(upto=440, where=filters)]
        for count in (0, 1, 7, 300, 1000):
            newest = ledger.newest(count, upto=440, where=filters)
            assert [event.id for event in newest] == everything[-count:] if count else not newest

    def test_a_stretch_too_long_to_sort_comes_in_the_same_order(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger.append([sample_event(n, time_us=NIGHT_US + n * 7919 % 97) for n in range(1, 1001)])
        sorted_in_one = [event.sequence for event in ledger.read(after=10, upto=900, order="time")]
        monkeypatch.setattr("ledger.reading._SORT_AT_MOST", 0)
        assert sorted_in_one == [
            event.sequence for event in ledger.read(after=10, upto=900, order="time")
        ]

    def test_a_reader_may_leave_early_and_others_write_on(self, ledger: Ledger) -> None:
        ledger.append(sample_events(500))
        reading = ledger.read()
        assert len(list(islice(reading, 3))) == 3
        ledger.append(sample_event(501))
        assert len(list(reading)) == 498

    def test_what_is_not_there_is_not_found(self, ledger: Ledger) -> None:
        with pytest.raises(NotFound):
            ledger.get("nothing")
        with pytest.raises(NotFound):
            ledger.hash_at(1)
        assert list(ledger.read()) == []

    def test_hashes_are_found_by_position(self, ledger: Ledger) -> None:
        ledger.append(sample_events(3))
        assert [ledger.hash_at(n) for n in range(1, 4)] == [e.hash for e in ledger.read()]
        assert ledger.hash_at(0) == "0" * 64
        assert ledger.hashes_at([0, 2, 9]) == {0: "0" * 64, 2: ledger.hash_at(2)}

    def test_many_are_found_by_id_and_by_whether_they_are_there(self, ledger: Ledger) -> None:
        ledger.append(sample_events(1200, prefix="e"))
        asked = [f"e-{number}" for number in range(600, 1300)]
        found = ledger.get_many(asked)
        assert [event.sequence for event in found.values()] == list(range(600, 1201))
        assert ledger.held([*asked, "e-600"]) == set(found)
        assert ledger.exists(types=["ssh_probe"], after=3)
        assert not ledger.exists(types=["ssh_probe"], after=1197)
        assert not ledger.exists(until_us=NIGHT_US)
        assert ledger.exists(where=parse_filters(["source=collector/te*"]))
        assert not ledger.exists(where=parse_filters(["source=collector%*", "source=c*_zeus"]))

    def test_times_and_versions_tell_what_is_there(self, ledger: Ledger) -> None:
        assert (ledger.oldest_us(), ledger.newest_us(), ledger.versions()) == (None, None, set())
        ledger.append(sample_events(8))
        assert (ledger.oldest_us(), ledger.newest_us()) == (NIGHT_US + 1, NIGHT_US + 8)
        assert ledger.newest_us(until_us=NIGHT_US + 5) == NIGHT_US + 5
        assert ledger.newest_us(but=["smu_error", "run_started"]) == NIGHT_US + 6
        assert ledger.newest_us(until_us=0) is None
        assert ledger.versions(upto=2) == {("ssh_probe", 1), ("trial_completed", 1)}

    def test_a_stretch_of_time_is_read_in_either_order(self, ledger: Ledger) -> None:
        ledger.append([sample_event(n, time_us=NIGHT_US + n * 7919 % 997) for n in range(1, 1001)])
        everything = [(e.time_us, e.sequence) for e in ledger.read()]
        bounds = {"since_us": NIGHT_US + 100, "until_us": NIGHT_US + 500}
        inside = [each for each in everything if 100 <= each[0] - NIGHT_US <= 500]
        for order, expected in (("sequence", inside), ("time", sorted(inside))):
            found = ledger.read(**bounds, order=order)  # type: ignore[arg-type]
            assert [(e.time_us, e.sequence) for e in found] == expected

    def test_rows_come_in_pages_that_hold_what_matches(self, ledger: Ledger) -> None:
        ledger.append(sample_events(500))
        found = [
            row for page in ledger.pages(where=parse_filters(["pci=*:22:00.*"])) for row in page
        ]
        assert [row.sequence for row in found] == [4 * n for n in range(1, 126)]
        assert found[0].type == "smu_error"


class ConcurrencyConformance(_Fixtures):
    """Several writers and readers at once."""

    writers = 8
    each = 1000

    def test_writers_in_processes_leave_no_gap_and_a_follower_misses_nothing(
        self, ledger: Ledger, location: str
    ) -> None:
        total = self.writers * self.each
        followed: list[Event] = []

        def follow() -> None:
            with open_ledger(location, readonly=True) as reader:
                followed.extend(islice(reader.follow(poll_s=0.001), total))

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        seen = list(append_from_processes(location, writers=self.writers, each=self.each))
        follower.join(60)
        stored = list(ledger.read())
        assert sorted(sequence for positions in seen for sequence in positions) == list(
            range(1, total + 1)
        )
        assert [event.sequence for event in stored] == list(range(1, total + 1))
        assert len({event.id for event in stored}) == total
        assert [event.id for event in followed] == [event.id for event in stored]
        assert verify(ledger).ok

    def test_threads_may_share_one_ledger(self, ledger: Ledger) -> None:
        def work(number: int) -> int:
            appended = ledger.append(sample_events(10, prefix=f"t{number}"))
            return appended.stored + sum(1 for _ in ledger.read(upto=10))

        with ThreadPoolExecutor(24) as pool:
            assert list(pool.map(work, range(24))) == [20] * 24
        assert ledger.head().sequence == 240
        assert verify(ledger).ok

    def test_a_batch_is_seen_whole_or_not_at_all(self, ledger: Ledger, location: str) -> None:
        stop = threading.Event()
        counts: set[int] = set()

        def watch() -> None:
            with open_ledger(location, readonly=True) as reader:
                while not stop.is_set():
                    counts.add(reader.head().sequence)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for batch in range(20):
            ledger.append(sample_events(50, first=1 + 50 * batch))
        stop.set()
        watcher.join()
        assert all(count % 50 == 0 for count in counts)

    def test_the_same_events_from_several_threads_are_stored_once(self, ledger: Ledger) -> None:
        batch = sample_events(20, prefix="same")
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: ledger.append(batch), range(8)))
        assert sum(result.stored for result in results) == 20
        assert sum(result.duplicates for result in results) == 140

    def test_a_forked_child_starts_afresh(self, ledger: Ledger) -> None:
        ledger.append(sample_event(1))
        child = os.fork()
        if child == 0:  # no assertion may leave the child
            try:
                stored = ledger.append(sample_event(2)).head.sequence
            except BaseException:
                os._exit(99)
            os._exit(stored)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
        assert ledger.append(sample_event(3)).head.sequence == 3


class ExportConformance(_Fixtures):
    """Leaving a database and entering another one."""

    def test_an_export_restored_elsewhere_is_the_same_ledger(
        self, ledger: Ledger, new_location: NewLocation
    ) -> None:
        head = ledger.append(sample_events(2500)).head
        with open_ledger(new_location()) as other:
            assert restore(other, export_lines(ledger)) == (2500, 0, head)
            assert list(export_lines(other)) == list(export_lines(ledger))
            assert list(other.read()) == list(ledger.read())
            assert verify(other).ok
            assert other.append(sample_event(1)).head.sequence == 2501

    def test_a_restore_that_fails_at_the_end_leaves_nothing(
        self, ledger: Ledger, new_location: NewLocation
    ) -> None:
        ledger.append(sample_events(2200))
        lines = list(export_lines(ledger))
        lines[-1] = lines[-1].replace(b'"source":"c', b'"source":"k')
        with open_ledger(new_location()) as other:
            with pytest.raises(InvalidEvents, match="line 2200: hash"):
                restore(other, lines)
            assert other.head().sequence == 0
            assert other.append(sample_event(1)).head.sequence == 1

    def test_a_forged_chain_with_an_id_that_stands_twice_is_refused(self, ledger: Ledger) -> None:
        lines, prevhash = [], GENESIS
        for sequence in (1, 2):
            draft = to_row(sample_event(sequence, id="twice"))
            row = chained(draft, sequence, NIGHT_US, prevhash)
            prevhash = row.hash
            lines.append(wire_line(row))
        with pytest.raises(InvalidEvents, match="'twice' of position 2 is taken"):
            restore(ledger, lines)
        assert ledger.head().sequence == 0

    def test_only_an_empty_ledger_is_filled(self, ledger: Ledger) -> None:
        ledger.append(sample_event(1))
        with pytest.raises(NotEmpty):
            restore(ledger, export_lines(ledger))

    def test_a_filtered_export_holds_what_matches(self, ledger: Ledger) -> None:
        ledger.append(sample_events(8))
        lines = list(export_lines(ledger, parse_filters(["node=zeus"])))
        assert len(lines) == 2
        assert all(b'"node/zeus"' in line for line in lines)


class StoreConformance(
    AppendConformance, ReadConformance, ConcurrencyConformance, ExportConformance
):
    """All of it."""
