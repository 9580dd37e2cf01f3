"""The spool on disk: durable, exactly once, never blocked by one bad batch."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from collectors.spool import Delivered, Spool, SpoolError, SpoolFull
from ledger import Event, Ledger, Unavailable, new_event, open_ledger
from ledger.payloads import JobFinished

NOON = 1_769_000_000_000_000


def job(id: str, attempt: int = 1) -> Event:
    return new_event(
        JobFinished(job="j", attempt=attempt), time_us=NOON, source="t", subject="job/j", id=id
    )


def away(_: Sequence[Event]) -> object:
    raise Unavailable("busy")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "ledger.db")


def ids(ledger: Ledger) -> list[str]:
    return [event.id for event in ledger.read()]


def test_what_was_put_is_delivered_in_order_and_gone(spool: Spool, ledger: Ledger) -> None:
    spool.put([job("a"), job("b")])
    spool.put([job("c")])
    assert spool.pending() == 3
    assert spool.deliver(ledger.append) == Delivered(3, 0, 0)
    assert ids(ledger) == ["a", "b", "c"]
    assert spool.pending() == 0


def test_without_a_folder_nothing_waits_and_none_is_made(spool: Spool, ledger: Ledger) -> None:
    assert spool.pending() == 0
    assert spool.deliver(ledger.append) == Delivered(0, 0, 0)
    spool.put([])
    assert not spool.folder.exists()


def test_folder_and_files_are_the_owners_alone(spool: Spool) -> None:
    old = os.umask(0)
    try:
        spool.put([job("a")])
    finally:
        os.umask(old)
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in spool.folder.iterdir()} == {0o600}


def test_while_the_ledger_is_away_everything_is_kept(spool: Spool, ledger: Ledger) -> None:
    spool.put([job("a")])
    spool.put([job("b")])
    assert spool.deliver(away) == Delivered(0, 2, 0)
    assert spool.deliver(ledger.append) == Delivered(2, 0, 0)


def test_a_batch_delivered_twice_is_stored_once(spool: Spool, ledger: Ledger) -> None:
    spool.put([job("a"), job("b")])

    def append_and_die(events: Sequence[Event]) -> object:
        ledger.append(events)
        raise OSError("lost before the answer came")

    assert spool.deliver(append_and_die).kept == 2
    assert spool.deliver(ledger.append) == Delivered(2, 0, 0)
    assert ids(ledger) == ["a", "b"]


def test_a_conflicting_batch_is_set_aside_with_its_reason_and_blocks_nothing(
    spool: Spool, ledger: Ledger
) -> None:
    ledger.append(job("a"))
    spool.put([job("a", attempt=2)])
    spool.put([job("b")])
    assert spool.deliver(ledger.append) == Delivered(1, 0, 1)
    assert ids(ledger) == ["a", "b"]
    (reason,) = (spool.folder / "refused").glob("*.reason")
    assert "Conflict" in reason.read_text()
    batch = reason.with_suffix("")
    assert '"attempt": 2' in batch.read_text()
    assert spool.refused() == 1
    assert spool.deliver(ledger.append) == Delivered(0, 0, 0)


@pytest.mark.parametrize("content", [b"\xff\xfe not json", b'{"type": "nonsense"}\n', b"[]"])
def test_a_file_that_holds_no_events_is_set_aside_unchanged(
    spool: Spool, ledger: Ledger, content: bytes
) -> None:
    spool.put([job("a")])
    (path,) = spool.folder.glob("*.ndjson")
    path.write_bytes(content)
    spool.put([job("b")])
    assert spool.deliver(ledger.append) == Delivered(1, 0, 1)
    assert (spool.folder / "refused" / path.name).read_bytes() == content


def test_an_unexpected_failure_keeps_that_batch_and_delivers_the_others(
    spool: Spool, ledger: Ledger
) -> None:
    spool.put([job("a")])
    spool.put([job("b")])

    def append(events: Sequence[Event]) -> object:
        if events[0].id == "a":
            raise ZeroDivisionError
        return ledger.append(events)

    assert spool.deliver(append) == Delivered(1, 1, 0)


def test_a_full_spool_says_how_full_and_adds_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1000)
    with pytest.raises(SpoolFull, match="at most 1000 bytes") as caught:
        for number in range(100):
            spool.put([job(f"a{number}")])
    assert caught.value.limit == 1000
    assert sum(f.stat().st_size for f in spool.folder.iterdir()) <= 1000


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="file/spool"):
        Spool(tmp_path / "file" / "spool").put([job("a")])
    with pytest.raises(SpoolError, match="No such file"):
        Spool(tmp_path / "gone" / "spool", parents=False).put([job("a")])
    assert not (tmp_path / "gone").exists()


def test_other_files_in_the_folder_are_left_alone(spool: Spool, ledger: Ledger) -> None:
    spool.put([job("a")])
    (spool.folder / "notes.txt").write_text("mine")
    (spool.folder / ".new-half").write_text('{"half')
    assert spool.deliver(ledger.append) == Delivered(1, 0, 0)
    assert (spool.folder / "notes.txt").exists()
    assert (spool.folder / ".new-half").exists()  # its writer may be at work still


def test_what_a_dead_writer_left_is_swept_a_day_later(spool: Spool, ledger: Ledger) -> None:
    spool.put([job("a")])
    half = spool.folder / ".new-half"
    half.write_text('{"half')
    os.utime(half, (1, 1))
    spool.deliver(ledger.append)
    assert not half.exists()


def test_a_budget_of_time_ends_a_delivery_between_batches(spool: Spool, ledger: Ledger) -> None:
    for number in range(5):
        spool.put([job(f"a{number}")])

    def slowly(events: Sequence[Event]) -> object:
        time.sleep(0.05)
        return ledger.append(events)

    first = spool.deliver(slowly, budget_s=0.01)
    assert (first.delivered, first.kept) == (1, 4)
    assert spool.deliver(ledger.append) == Delivered(4, 0, 0)


def test_many_threads_delivering_at_once_store_everything_once(
    spool: Spool, ledger: Ledger
) -> None:
    for number in range(30):
        spool.put([job(f"a{number:02}")])
    results: list[Delivered] = []
    threads = [
        threading.Thread(target=lambda: results.append(spool.deliver(ledger.append)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.delivered for result in results) == 30
    assert ids(ledger) == [f"a{number:02}" for number in range(30)]


_DELIVER = """
import sys
from collectors.spool import Spool
from ledger import open_ledger
print("begun", flush=True)
print(Spool(sys.argv[1]).deliver(open_ledger(sys.argv[2]).append).delivered)
"""


def deliverer(spool: Spool, ledger: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _DELIVER, str(spool.folder), str(ledger)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_killed_while_they_deliver_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, spool: Spool, ledger: Ledger
) -> None:
    wanted = [f"a{number:03}" for number in range(300)]
    for start in range(0, 300, 3):
        spool.put([job(id) for id in wanted[start : start + 3]])
    kills = 0
    for delay_s in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.13):
        process = deliverer(spool, tmp_path / "ledger.db")
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        if not spool.pending():
            break
        assert {*ids(ledger)} | _waiting(spool) == {*wanted}
    assert kills
    spool.deliver(ledger.append)
    assert ids(ledger) == wanted
    assert spool.pending() == spool.refused() == 0


def _waiting(spool: Spool) -> set[str]:
    from ledger import parse_ndjson

    files = spool.folder.glob("*.ndjson")
    return {event.id for file in files for event in parse_ndjson(file.read_bytes().split(b"\n"))}


def test_several_processes_delivering_at_once_store_everything_once(
    tmp_path: Path, spool: Spool, ledger: Ledger
) -> None:
    for number in range(60):
        spool.put([job(f"a{number:02}")])
    processes = [deliverer(spool, tmp_path / "ledger.db") for _ in range(3)]
    counts = [int(process.communicate()[0].split()[-1]) for process in processes]
    spool.deliver(ledger.append)
    assert sum(counts) == 60
    assert len(set(ids(ledger))) == len(ids(ledger)) == 60
