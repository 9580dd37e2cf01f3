"""Jobs under guard: what is recorded before a retry, from Python and from the shell."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import runledger
from ledger import Event, open_ledger
from ledger.payloads import JobFailedWithTraceback, JobFinished


def _events(folder: Path) -> list[Event]:
    with open_ledger(folder / "runledger.db", readonly=True) as ledger:
        return list(ledger.read())


def _failed(event: Event) -> JobFailedWithTraceback:
    assert isinstance(event.data, JobFailedWithTraceback)
    return event.data


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestFail:
    """Failures that raise nothing."""

    def test_it_is_stored_at_once_and_the_job_did_not_end_well(self, folder: Path) -> None:
        with runledger.job("j1", node="rig", index=3, attempt=2, will_retry=True) as job:
            job.fail("SSH_ERROR", "connection lost", stderr="client_loop: send disconnect\n")
            assert len(_events(folder)) == 1
        (event,) = _events(folder)
        data = _failed(event)
        assert (data.exception, data.message) == ("SSH_ERROR", "connection lost")
        assert (data.attempt, data.will_retry, data.index) == (2, True, 3)
        assert data.traceback == "client_loop: send disconnect\n"

    def test_what_ended_the_job_is_told_beside_what_the_caller_calls_it(self, folder: Path) -> None:
        said = b"Traceback (most recent call last):\n  x\nRuntimeError: HIP error: hang\n"
        with runledger.job("j1", node="rig") as job:
            job.fail("FILE_MISSING", "results/x.json", stderr=said)
        (event,) = _events(folder)
        data = _failed(event)
        assert data.exception == "FILE_MISSING"
        assert data.message == "results/x.json (RuntimeError: HIP error: hang)"
        with runledger.open() as fleet:
            rows = fleet.to_pandas("SELECT cause FROM v_failures")
        assert list(rows["cause"]) == ["gpu"]

    def test_what_the_caller_raises_then_is_no_second_failure(self, folder: Path) -> None:
        with pytest.raises(RuntimeError), runledger.job("j1") as job:
            job.fail("TIMEOUT", "no end after 60 s")
            raise RuntimeError
        assert len(_events(folder)) == 1


class TestGuard:
    def test_a_failure_is_stored_and_goes_on_its_way(self, folder: Path) -> None:
        with (
            pytest.raises(ZeroDivisionError),
            runledger.job("j1", node="rig", pci="22:00.0", attempt=2, will_retry=True),
        ):
            _ = 1 / 0
        (event,) = _events(folder)
        data = _failed(event)
        assert (data.job, data.attempt, data.will_retry) == ("j1", 2, True)
        assert (data.node, data.pci) == ("rig", "0000:22:00.0")
        assert data.exception == "ZeroDivisionError"
        assert "1 / 0" in data.traceback
        assert len(data.fingerprint) == 16

    def test_a_good_end_is_stored(self, folder: Path) -> None:
        with runledger.job("j1"):
            pass
        (event,) = _events(folder)
        assert isinstance(event.data, JobFinished)
        assert event.data.job == "j1"

    def test_each_attempt_is_stored_before_the_next_one(self, folder: Path) -> None:
        seen: list[int] = []

        @runledger.guarded("work", retries=2, wait=0.0)
        def work() -> str:
            seen.append(len(_events(folder)) if seen else 0)
            if len(seen) < 3:
                raise OSError("the disk is on fire")
            return "done"

        assert work() == "done"
        assert seen == [0, 1, 2]
        events = _events(folder)
        assert [_failed(event).will_retry for event in events[:2]] == [True, True]
        assert [event.data.attempt for event in events] == [1, 2, 3]  # type: ignore[attr-defined]
        assert _failed(events[0]).fingerprint == _failed(events[1]).fingerprint

    def test_the_last_failure_is_raised_and_is_not_retried(self, folder: Path) -> None:
        @runledger.guarded(retries=1, wait=0.0)
        def work() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            work()
        assert [_failed(event).will_retry for event in _events(folder)] == [True, False]

    def test_coroutines_are_guarded(self, folder: Path) -> None:
        @runledger.guarded("co")
        async def work() -> int:
            await asyncio.sleep(0)
            raise RuntimeError("HIP error: GPU hang")

        with pytest.raises(RuntimeError):
            asyncio.run(work())
        assert _failed(_events(folder)[0]).job == "co"

    def test_an_interrupt_is_the_operators(self, folder: Path) -> None:
        with pytest.raises(KeyboardInterrupt), runledger.job("j"):
            raise KeyboardInterrupt
        assert _failed(_events(folder)[0]).exception == "KeyboardInterrupt"

    def test_secrets_are_not_stored(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_API_KEY", "zq8-very-own-value")
        with pytest.raises(RuntimeError), runledger.job("j"):
            password = "hunter2-local"
            assert password
            raise RuntimeError("postgresql://u:hunter2@db failed with zq8-very-own-value")
        text = repr(_events(folder))
        for secret in ("hunter2@", "zq8-very-own-value", "hunter2-local'"):
            assert secret not in text.replace('password = "hunter2-local"', "")

    def test_chained_causes_are_in_the_traceback(self, folder: Path) -> None:
        with pytest.raises(RuntimeError), runledger.job("j"):
            try:
                raise OSError("first")
            except OSError as error:
                raise RuntimeError("second") from error
        trace = _failed(_events(folder)[0]).traceback
        assert trace.index("first") < trace.index("second")

    def test_a_job_runs_though_the_ledger_is_away_and_is_told_of_later(self, folder: Path) -> None:
        ledger = folder / "gone" / "l.db"
        with runledger.job("j", ledger=ledger):
            pass
        ledger.parent.mkdir()
        with runledger.job("k", ledger=ledger):
            pass
        with open_ledger(ledger) as opened:
            jobs = [event.data.job for event in opened.read()]  # type: ignore[attr-defined]
        assert sorted(jobs) == ["j", "k"]


def _exec(folder: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runledger", "exec", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


class TestExec:
    def test_output_and_exit_code_are_the_commands_own(self, folder: Path) -> None:
        done = _exec(folder, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
        assert _failed(_events(folder)[0]).exception == "ExitCode 7"

    def test_a_python_traceback_is_understood(self, folder: Path) -> None:
        code = "def f():\n    raise MemoryError('HIP out of memory, token=abcdefgh12345')\nf()"
        _exec(folder, "--job", "j", "--node", "rig", "--pci", "1:00.0", "--", sys.executable,
              "-c", code)  # fmt: skip
        assert not (folder / "runledger.db").exists()  # 1:00.0 is no address: refused
        _exec(folder, "--job", "j", "--node", "rig", "--pci", "01:00.0", "--", sys.executable,
              "-c", code)  # fmt: skip
        data = _failed(_events(folder)[0])
        assert (data.exception, data.pci) == ("MemoryError", "0000:01:00.0")
        assert "HIP out of memory" in data.message
        assert "abcdefgh12345" not in data.message + data.traceback

    def test_a_signal_is_named(self, folder: Path) -> None:
        done = _exec(folder, "--", "sh", "-c", "kill -9 $$")
        assert done.returncode == 137
        assert _failed(_events(folder)[0]).exception == "SIGKILL"

    def test_a_command_that_is_not_there(self, folder: Path) -> None:
        assert _exec(folder, "--", "no-such-command").returncode == 127
        assert "not found" in _failed(_events(folder)[0]).message

    def test_retries_until_it_works(self, folder: Path) -> None:
        script = "test -e mark || { touch mark; exit 1; }"
        done = _exec(folder, "--retries", "3", "--retry-wait", "0", "--", "sh", "-c", script)
        assert done.returncode == 0
        kinds = [event.type for event in _events(folder)]
        assert kinds == ["job_failed_with_traceback", "job_finished"]

    def test_words_are_handed_over_as_they_are(self, folder: Path) -> None:
        odd = ["$(touch x)", "; rm -rf .", "a b", "'", '"', "--json", "é"]
        show = "import sys, json; print(json.dumps(sys.argv[1:]))"
        done = _exec(folder, "--", sys.executable, "-c", show, *odd)
        assert done.returncode == 0
        assert eval(done.stdout) == odd
        assert not (folder / "x").exists()

    def test_what_nobody_may_know_of_never_stops_a_job(self, folder: Path) -> None:
        done = _exec(folder, "--ledger", "none/l.db", "--", "sh", "-c", "echo ran; exit 4")
        assert (done.returncode, done.stdout) == (4, "ran\n")
        assert "spooled" in done.stderr

    def test_no_command_is_bad_usage(self, folder: Path) -> None:
        assert _exec(folder).returncode == 2

    def test_termination_is_handed_on(self, folder: Path) -> None:
        code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(9)); " \
               "print('up', flush=True); time.sleep(60)"  # fmt: skip
        running = subprocess.Popen(
            [sys.executable, "-m", "runledger", "exec", "--", sys.executable, "-c", code],
            cwd=folder,
            stdout=subprocess.PIPE,
            env=dict(os.environ),
        )
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        time.sleep(0.1)
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 9
        running.stdout.close()
        assert len(_events(folder)) == 1


class TestExecResults:
    """Commands whose exit code does not tell, and commands without an end."""

    def exec_(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runledger", "exec", "--job", "j", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def python(self, code: str) -> tuple[str, ...]:
        return "--", sys.executable, "-c", code

    def test_a_result_on_stdout_is_read_and_passed_through(self, folder: Path) -> None:
        code = 'print(\'working\'); print(\'{"status": "error", "error": "HIP error: x"}\')'
        done = self.exec_("--result", "stdout", *self.python(code))
        assert done.returncode == 1
        assert done.stdout.startswith("working\n{")
        data = _failed(_events(folder)[0])
        assert (data.exception, data.message) == ("error", "HIP error: x")

    def test_a_result_that_says_nothing_bad_is_a_good_end(self, folder: Path) -> None:
        code = "print('{\"survivors\": 0}')"
        assert self.exec_("--result", "stdout", *self.python(code)).returncode == 0
        assert isinstance(_events(folder)[0].data, JobFinished)

    @pytest.mark.parametrize(
        ("written", "exception"),
        [(None, "FILE_MISSING"), ("", "FILE_EMPTY"), ("{", "INVALID_JSON"),
         ('{"success": false, "error": "no"}', "Failed")],
    )  # fmt: skip
    def test_a_result_in_a_file_is_read_where_it_was_said(
        self, folder: Path, written: str | None, exception: str
    ) -> None:
        code = "pass" if written is None else f"open('r.json', 'w').write({written!r})"
        done = self.exec_("--result", "json:r.json", *self.python(code))
        assert done.returncode == 1
        assert _failed(_events(folder)[0]).exception == exception

    def test_a_result_of_yesterday_is_none(self, folder: Path) -> None:
        (folder / "r.json").write_text('{"success": true}')
        os.utime(folder / "r.json", (1, 1))
        assert self.exec_("--result", "json:r.json", "--", "true").returncode == 1
        assert "before the job began" in _failed(_events(folder)[0]).message

    def test_an_attempt_without_an_end_is_ended_told_and_tried_again(self, folder: Path) -> None:
        words = ("--timeout", "0.3", "--retries", "1", "--retry-wait", "0", "--", "sleep", "60")
        done = self.exec_(*words)
        assert done.returncode == 124
        assert "attempt 1 of 2 had no end after 0.3 s; again in 0 s" in done.stderr
        assert "attempt 2 of 2 had no end after 0.3 s" in done.stderr
        told = [_failed(event) for event in _events(folder)]
        assert [(each.exception, each.attempt, each.will_retry) for each in told] == [
            ("Timeout", 1, True),
            ("Timeout", 2, False),
        ]

    def test_a_result_elsewhere_is_bad_usage(self, folder: Path) -> None:
        assert self.exec_("--result", "r.json", "--", "true").returncode == 2
