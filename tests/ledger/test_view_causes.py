"""The cause that a view reads from a failure's text is the one that the rules name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger import Ledger, new_event, open_ledger
from ledger.payloads import JobFailedWithTraceback
from ledger.testing import NIGHT_US
from rules.causes import CAUSE_RULES, says
from rules.conditions import when
from runledger.querying import query
from tests.postgres import NewDatabase

TEXTS = [
    ("RuntimeError", "CUDA error: all CUDA-capable devices are busy or unavailable", ""),
    ("RuntimeError", "HIP error: invalid device ordinal", ""),
    ("torch.OutOfMemoryError", "HIP out of memory. Tried to allocate 2 GiB", ""),
    ("MemoryError", "", ""),
    ("SIGKILL", "ended by signal 9 (SIGKILL)", ""),
    ("ExitCode 137", "exit code 137", ""),
    ("KeyboardInterrupt", "", ""),
    ("SIGTERM", "ended by signal 15 (SIGTERM)", ""),
    ("ModuleNotFoundError", "No module named 'cupy'", ""),
    ("ImportError", "cannot import name 'x' from 'y'", ""),
    ("FileNotFoundError", "[Errno 2] No such file or directory: 'survivors.json'", ""),
    ("ConnectionResetError", "[Errno 104] Connection reset by peer", ""),
    ("paramiko.SSHException", "Connection lost", ""),
    ("asyncssh.misc.ConnectionLost", "Connection lost", ""),
    ("RuntimeError", "HIP error: the GPU hangs, hardware exception", ""),
    ("RuntimeError", "HSA_STATUS_ERROR: Memory access fault by GPU node-1", ""),
    ("RuntimeError", "SMU: response:0xFFFFFFFF", ""),
    ("TypeError", "unsupported operand", ""),
    ("ZeroDivisionError", "division by zero", ""),
    ("Strange", "nothing that is known", "Traceback\n  x\nOSError: Broken pipe"),
    ("Strange", "nothing that is known", "first\nHIP error: hang\nlast words"),
    ("ExitCode 1", "exit code 1, and nothing on stderr", ""),
    ("JobError", "killed by operator", ""),
    ("JobError", "FILE_MISSING: results/x.json", ""),
    ("JobError", "INVALID_JSON: results/x.json", ""),
    ("JobError", "FILE_EMPTY: results/x.json", "Traceback\nRuntimeError: HIP error: hang"),
    ("JobError", "expected output results/x.json not found", ""),
    ("JobError", "Killed by signal 15.", ""),
    ("SIGKILL", "ended by signal 9 (SIGKILL) after SIGTERM", ""),
    ("BrokenProcessPool", "A process was terminated abruptly while running", ""),
    ("JobError", "Terminated", ""),
    ("RuntimeError", "DefaultCPUAllocator: can't allocate memory: you tried", ""),
    ("RuntimeError", "CUDA error: cudaErrorMemoryAllocation", ""),
    ("RuntimeError", "CUDA_ERROR_DEVICE_UNAVAILABLE", ""),
    ("RuntimeError", "GPU is lost. Reboot the system to recover this GPU", ""),
    ("XlaRuntimeError", "CUDA_ERROR_LAUNCH_TIMEOUT: the launch timed out", ""),
    ("OSError", "libcudart.so.12: cannot open shared object file: No such file", ""),
    ("OSError", "survivors.npz not found", ""),
    ("paramiko.ssh_exception.SSHException", "Error reading SSH protocol banner", ""),
    ("ExitCode 255", "Connection to 192.0.2.1 closed by remote host.", ""),
    ("ExitCode 255", "Timeout, server 192.0.2.1 not responding.", ""),
]


def _by_rules(exception: str, message: str, traceback: str) -> str:
    """What the rules say where nothing else happened on the node."""
    word = says(exception, message, traceback)
    for rule in CAUSE_RULES:
        if rule.when == when(f"says == {word}"):
            return rule.name
    return "unknown"


def _by_view(ledger: Ledger) -> dict[str, str]:
    events = [
        new_event(
            JobFailedWithTraceback(
                job="j", attempt=1, exception=exception, message=message, traceback=traceback,
                will_retry=False, fingerprint=f"f{number:02d}",
            ),
            time_us=NIGHT_US + number,
            source="test",
        )
        for number, (exception, message, traceback) in enumerate(TEXTS)
    ]  # fmt: skip
    ledger.append(events)
    with query(ledger, "SELECT fingerprint, cause FROM v_failures") as result:
        return dict(result.rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_view_and_rules_agree(
    tmp_path: Path, new_postgres_database: NewDatabase, database: str
) -> None:
    where = tmp_path / "l.db" if database == "sqlite" else new_postgres_database()
    with open_ledger(where) as ledger:
        shown = _by_view(ledger)
    expected = {f"f{number:02d}": _by_rules(*text) for number, text in enumerate(TEXTS)}
    assert shown == expected
    assert len(set(expected.values())) > 7
