"""The node that is this machine: the same bounds, without SSH."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.reach import Limits, NodeResult, NodeSpec, run_script_blocking

LIMITS = Limits(command_s=5, total_s=20)
HERE = NodeSpec(name="zeus", address="localhost")


def _run(script: bytes, limits: Limits = LIMITS) -> NodeResult:
    (result,) = run_script_blocking([HERE], lambda _: script, limits=limits)
    return result


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def _wait_until_dead(pid: int) -> bool:
    for _ in range(100):
        if not _alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_only_the_word_localhost_is_this_machine() -> None:
    assert HERE.is_local
    assert NodeSpec(name="localhost").is_local
    assert not NodeSpec(name="zeus", address="127.0.0.1").is_local


def test_output_errors_and_status_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLEDGER_TEST", "inherited")
    result = _run(b"printf 'a\\0'; echo $RUNLEDGER_TEST; echo bad >&2; exit 7\n")
    assert (result.stdout, result.stderr, result.exit_status) == (
        b"a\x00inherited\n",
        b"bad\n",
        7,
    )
    assert (result.ok, result.reachable) == (True, True)


def test_a_script_larger_than_a_pipe_arrives_whole() -> None:
    assert _run(b": 0123456789\n" * 50_000 + b"echo end\n").stdout == b"end\n"


def test_a_script_that_does_not_read_to_its_end_is_no_failure() -> None:
    result = _run(b"exit 0\n" + b": 0123456789\n" * 50_000)
    assert (result.ok, result.exit_status) == (True, 0)


def test_a_hanging_script_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    # `timeout` gives its child a process group of its own.
    script = (
        f"echo so far; timeout 50 sh -c 'echo $$ > {tmp_path}/inner; sleep 50' & "
        f"sleep 50 & echo $! > {tmp_path}/sleep; wait\n"
    )
    started = time.monotonic()
    result = _run(script.encode(), replace(LIMITS, command_s=2))
    assert time.monotonic() - started < 30
    assert result.failure is not None
    assert (result.reachable, result.failure.error, result.stdout) == (True, "timeout", b"so far\n")
    for name in ("inner", "sleep"):
        assert _wait_until_dead(int((tmp_path / name).read_text()))


def test_a_stopped_script_may_tidy_up(tmp_path: Path) -> None:
    litter = tmp_path / "litter"
    script = f"touch {litter}; trap 'rm {litter}; exit' TERM; while :; do sleep 0.1; done\n"
    _run(script.encode(), replace(LIMITS, command_s=0.5))
    assert not litter.exists()


def test_a_script_that_ignores_being_told_is_killed(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; trap '' TERM HUP INT; while :; do sleep 0.1; done\n"
    started = time.monotonic()
    _run(script.encode(), replace(LIMITS, command_s=2))
    assert time.monotonic() - started < 30
    assert _wait_until_dead(int((tmp_path / "pid").read_text()))


def test_what_a_script_leaves_behind_neither_holds_us_nor_stays() -> None:
    started = time.monotonic()
    result = _run(b"sleep 50 & echo $!; exit 2\n", replace(LIMITS, exit_grace_s=0.3))
    assert time.monotonic() - started < 30
    assert (result.ok, result.exit_status) == (True, 2)
    assert _wait_until_dead(int(result.stdout))


def test_endless_output_is_cut_and_its_maker_killed() -> None:
    result = _run(b"echo $$; exec yes\n", replace(LIMITS, stdout_bytes=50_000))
    assert result.failure is not None
    assert (result.failure.error, len(result.stdout)) == ("protocol", 50_000)
    assert _wait_until_dead(int(result.stdout.split()[0]))


def test_a_session_of_its_own_keeps_our_terminals_signals_away() -> None:
    result = _run(b"cut -d' ' -f1,5,6 /proc/$$/stat\n")
    pid, group, session = (int(field) for field in result.stdout.split())
    assert pid == group == session != os.getsid(0)


def test_hostile_names_do_no_harm_here_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    node = NodeSpec(name="$(touch x); touch y\n", address="localhost")
    (result,) = run_script_blocking([node], lambda _: b"echo ok\n", limits=LIMITS)
    assert result.ok
    assert list(tmp_path.iterdir()) == []
