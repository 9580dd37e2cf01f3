"""Recording that never holds up the work it reports on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from collectors.recorder import Recorder
from collectors.spool import Spool, SpoolError
from ledger import Conflict, Event, InvalidEvents, Ledger, Unavailable, open_ledger
from tests.collectors.test_spool import ids, job


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "ledger.db")


class Switch:
    """A ledger that is away until it is back."""

    def __init__(self, ledger: Ledger, error: Exception | None) -> None:
        self.ledger, self.error = ledger, error
        self.calls = 0

    def __call__(self, events: Sequence[Event]) -> object:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.ledger.append(events)


def test_events_go_to_the_ledger_while_it_is_there(tmp_path: Path, ledger: Ledger) -> None:
    recorder = Recorder(ledger.append, Spool(tmp_path / "spool"))
    assert recorder.record([job("a")]) == "ledger"
    assert ids(ledger) == ["a"]
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("error", [Unavailable("busy"), OSError("gone"), RuntimeError("odd")])
def test_whatever_keeps_the_ledger_away_sends_them_to_the_spool(
    tmp_path: Path, ledger: Ledger, error: Exception
) -> None:
    recorder = Recorder(Switch(ledger, error), Spool(tmp_path / "spool"))
    assert recorder.record([job("a")]) == "spool"
    assert recorder.last_error is error
    assert recorder.pending() == 1


def test_once_the_ledger_is_back_what_waited_is_delivered(tmp_path: Path, ledger: Ledger) -> None:
    switch = Switch(ledger, Unavailable("busy"))
    recorder = Recorder(switch, Spool(tmp_path / "spool"), pause_s=0)
    recorder.record([job("a")])
    switch.error = None
    assert recorder.record([job("b")]) == "ledger"
    assert recorder.flush(30)
    assert sorted(ids(ledger)) == ["a", "b"]
    assert recorder.pending() == 0


def test_after_a_failure_the_ledger_is_left_alone_for_a_while(
    tmp_path: Path, ledger: Ledger
) -> None:
    now = [100.0]
    switch = Switch(ledger, Unavailable("busy"))
    recorder = Recorder(switch, Spool(tmp_path / "spool"), pause_s=15, clock=lambda: now[0])
    for id in "abc":
        recorder.record([job(id)])
    assert switch.calls == 1
    now[0] += 15
    recorder.record([job("d")])
    assert switch.calls == 2


def test_a_ledger_that_does_not_answer_holds_nobody_up(tmp_path: Path, ledger: Ledger) -> None:
    release = threading.Event()

    def stuck(events: Sequence[Event]) -> object:
        release.wait(60)
        return ledger.append(events)

    recorder = Recorder(stuck, Spool(tmp_path / "spool"), patience_s=0.1)
    began = time.monotonic()
    assert recorder.record([job("a")]) == "spool"
    assert recorder.record([job("b")]) == "spool"
    assert time.monotonic() - began < 20
    assert isinstance(recorder.last_error, TimeoutError)
    release.set()
    assert recorder.flush(30)
    recorder.deliver()
    assert sorted(ids(ledger)) == ["a", "b"]  # "a" was stored late, and is in the spool as well


def test_what_the_ledger_refuses_for_good_is_the_callers_to_know(
    tmp_path: Path, ledger: Ledger
) -> None:
    ledger.append(job("a"))
    recorder = Recorder(ledger.append, Spool(tmp_path / "spool"))
    with pytest.raises(Conflict):
        recorder.record([job("a", attempt=2)])
    with pytest.raises(InvalidEvents):
        Recorder(Switch(ledger, InvalidEvents([])), recorder.spool).record([job("b")])
    assert recorder.pending() == 0
    assert recorder.record([job("c")]) == "ledger"


def test_the_first_spool_that_can_take_them_does(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "file").write_text("")
    bad, good = Spool(tmp_path / "file" / "spool"), Spool(tmp_path / "good")
    switch = Switch(ledger, Unavailable("busy"))
    recorder = Recorder(switch, bad, good)
    assert recorder.record([job("a")]) == "spool"
    assert good.pending() == 1
    switch.error = None
    assert recorder.deliver().delivered == 1


def test_where_neither_takes_them_it_says_so(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "file").write_text("")
    recorder = Recorder(Switch(ledger, OSError("gone")), Spool(tmp_path / "file" / "spool"))
    with pytest.raises(SpoolError):
        recorder.record([job("a")])


def test_a_forked_child_records_on_its_own(tmp_path: Path, ledger: Ledger) -> None:
    recorder = Recorder(ledger.append, Spool(tmp_path / "spool"))
    recorder.record([job("parent")])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if recorder.record([job("child")]) == "ledger" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ids(ledger) == ["parent", "child"]
