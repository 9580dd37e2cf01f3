"""Which exception ended a program, told from the whole of what it and its launcher printed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from collectors.jobs import capture, fingerprint, run_command, told
from collectors.jobs.stderr import cleaned, last_python_error


def traceback(error: str, function: str = "main", mark: str = "") -> str:
    lines = [
        "Traceback (most recent call last):",
        f'  File "train.py", line 3, in {function}',
        "    run()",
        *error.split("\n"),
    ]
    return "".join(f"{mark}{line}\n" for line in lines)


CAUSE = traceback("RuntimeError: HIP error: out of tunes")
SUMMARY = """============================================================
train.py FAILED
------------------------------------------------------------
Failures:
  <NO_OTHER_FAILURES>
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-01-24_18:00:00
  host      : rig-6600
  rank      : 1 (local_rank: 1)
  exitcode  : 1 (pid: 812)
  error_file: <N/A>
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
============================================================
"""
TORCHRUN = traceback(
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n" + SUMMARY
)
ACCELERATE = traceback(
    "subprocess.CalledProcessError: Command '['python', 'train.py']' returned non-zero exit "
    "status 1."
)
COLLATERAL = "torch.distributed.DistBackendError: NCCL communicator was aborted on rank 0"

ENDINGS = {
    "destructor": "Exception ignored in: <function Pool.__del__ at 0x7f>\n"
    + traceback("AttributeError: 'NoneType' object has no attribute 'dumps'"),
    "destructor, chained": "Exception ignored in: <function Pool.__del__ at 0x7f>\n"
    + traceback("KeyError: 7")
    + "\nDuring handling of the above exception, another exception occurred:\n\n"
    + traceback("ValueError: again"),
    "atexit": "Error in atexit._run_exitfuncs:\n" + traceback("OSError: [Errno 9] Bad descriptor"),
    "atexit, newer": "Exception ignored in atexit callback <function stop at 0x7f>:\n"
    + traceback("OSError: [Errno 9] Bad file descriptor"),
    "logging": "--- Logging error ---\n"
    + traceback("ValueError: I/O operation on closed file.")
    + "Call stack:\n  File \"train.py\", line 9, in <module>\nMessage: 'bye'\nArguments: ()\n",
    "thread": "Exception in thread Thread-1 (watch):\n" + traceback("OSError: gone"),
    "task": "Task exception was never retrieved\nfuture: <Task finished name='Task-1'>\n"
    + traceback("TimeoutError"),
    "torchrun": TORCHRUN,
    "accelerate": ACCELERATE,
    "deepspeed": "[2026-01-24 18:00:00] [ERROR] [launch.py:322] exits with return code = 1\n"
    + ACCELERATE,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_comes_after_the_end_is_not_what_ended_it(ending: str) -> None:
    assert last_python_error("loading\n" + CAUSE + ENDINGS[ending]) == (
        "RuntimeError",
        "HIP error: out of tunes",
    )


def test_an_exception_that_was_handled_before_is_not_the_last_one() -> None:
    logged = "retrying after\n" + traceback("ConnectionError: reset")
    assert last_python_error(logged + CAUSE) == ("RuntimeError", "HIP error: out of tunes")


def test_a_lone_thread_that_failed_is_better_than_nothing() -> None:
    assert last_python_error(ENDINGS["thread"]) == ("OSError", "gone")


def test_of_ranks_it_is_the_one_that_failed_by_itself() -> None:
    text = (
        traceback(COLLATERAL, mark="[rank0]: ")
        + traceback("ValueError: nan loss", mark="[rank1]: ")
        + traceback(COLLATERAL, mark="[rank2]: ")
    )
    assert last_python_error(text) == ("ValueError", "nan loss")
    assert last_python_error(text + TORCHRUN) == ("ValueError", "nan loss")


def test_the_root_cause_that_torchrun_names_is_taken_at_its_word() -> None:
    text = traceback("ValueError: later", mark="[rank0]: ") + traceback(
        "KeyError: 'first'", mark="[rank1]: "
    )
    assert last_python_error(text + TORCHRUN) == ("KeyError", "'first'")


def test_a_traceback_inside_torchruns_summary_is_read() -> None:
    inner = "  traceback : " + traceback("RuntimeError: HIP error: out of tunes").replace(
        "\n", "\n  "
    )
    old = next(line for line in TORCHRUN.split("\n") if "To enable" in line)
    assert last_python_error(TORCHRUN.replace(old, inner.rstrip())) == (
        "RuntimeError",
        "HIP error: out of tunes",
    )


def test_what_a_pool_or_spawn_wraps_is_unwrapped() -> None:
    remote = 'concurrent.futures.process._RemoteTraceback: \n"""\n' + CAUSE + '"""\n\nThe above '
    remote += "exception was the direct cause of the following exception:\n\n" + CAUSE
    assert last_python_error(remote) == ("RuntimeError", "HIP error: out of tunes")
    spawned = traceback(
        "torch.multiprocessing.spawn.ProcessRaisedException: \n\n"
        "-- Process 1 terminated with the following error:"
    )
    assert last_python_error(spawned + CAUSE) == ("RuntimeError", "HIP error: out of tunes")


def test_a_launcher_without_a_workers_traceback_tells_the_workers_last_line() -> None:
    one, other = ("terminate called after 'bad_alloc'\n", "GPU node-1 hang\n")
    for line in (one, other):
        found = last_python_error(line + ACCELERATE)
        assert found is not None
        assert found[0] == "subprocess.CalledProcessError"
        assert found[1].startswith(line.strip())
    prints = {
        fingerprint(*last_python_error(line + ACCELERATE), ACCELERATE)  # type: ignore[misc]
        for line in (one, other)
    }
    assert len(prints) == 2


def test_a_traceback_behind_a_progress_bar_is_found() -> None:
    text = " 50%|#####     | 5/10 [00:00<00:00, 49.9it/s]" + CAUSE
    assert last_python_error(text) == ("RuntimeError", "HIP error: out of tunes")


def test_a_progress_bar_does_not_push_the_error_out() -> None:
    script = (
        "import sys\n"
        "sys.stderr.write('RuntimeError-like: card is gone\\n')\n"
        "for n in range(8000): sys.stderr.write('\\r%5d/8000 %s' % (n, '#' * 50))\n"
        "sys.stderr.write('\\n'); sys.exit(3)\n"
    )
    ended = run_command([sys.executable, "-c", script])
    assert ended.left_out == 0
    assert len(ended.stderr) < 1000
    assert "card is gone" in told(ended, ["x"]).message
    assert " 7999/8000" in cleaned(ended.stderr)


def test_a_line_that_never_ends_is_kept_by_its_end() -> None:
    ended = run_command(
        [sys.executable, "-c", "import sys; sys.stderr.write('x' * 500_000 + 'end')"]
    )
    assert ended.stderr.endswith(b"xend")
    assert len(ended.stderr) <= 192 * 1024


def failed_command(stderr: str) -> subprocess.CalledProcessError:
    return subprocess.CalledProcessError(1, ["python", "train.py"], stderr=stderr)


def test_a_guarded_command_that_fails_is_known_by_what_it_said() -> None:
    captured = capture(failed_command("loading\n" + CAUSE))
    assert (captured.exception, captured.message) == ("RuntimeError", "HIP error: out of tunes")
    plain = [capture(failed_command(f"loading\n{word}\n")) for word in ("no card", "no disk")]
    assert [each.exception for each in plain] == ["subprocess.CalledProcessError"] * 2
    assert plain[0].message.startswith("no card (Command")
    assert plain[0].fingerprint != plain[1].fingerprint
