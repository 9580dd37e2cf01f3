"""Commands that may mend a failed check: run only when asked to, believed only after a second look.

A remedy is a list of arguments from the configuration. ``{node}``, ``{address}``
and ``{step}`` in it are replaced, within an argument; no shell sees any of it.
It runs on the controller, in the configuration's folder, once for each node
whose check failed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from collectors.jobs import redact
from ledger import Event, new_event
from ledger.payloads import RemedyCompleted
from ledger.text.secrets import environment_secrets, redact_words
from rules.fleet import FileCheck, Step
from rules.state import File, NodeState
from runledger.probing.outcome import Remedied
from runledger.probing.plan import Known, good
from runledger.probing.targets import Target

_AT_ONCE = 8
_TAIL = 2000
_MOST_BYTES = 64 * 1024 * 1024
"""A remedy that says more than this is stopped: what it says goes to a disk."""
_LOOK_EVERY_S = 0.2


class Remedy(NamedTuple):
    """One command to run for one failed check of one node."""

    target: Target
    check: str
    argv: tuple[str, ...]


def needed(
    targets: Iterable[Target],
    step_name: str,
    step: Step,
    known: dict[str, Known],
    inputs: NodeState,
) -> list[Remedy]:
    """The remedies for files that were looked for and found missing, empty or changed."""
    remedies = step.remedy
    if remedies is None:
        return []
    found = []
    for target in targets:
        state = known[target.name].state
        lost = state.reach is not None and not state.reach.reachable
        if remedies.ramdisk and not lost and _bad(target.ramdisk, state.ramdisk):
            found.append(Remedy(target, "ramdisk", _filled(remedies.ramdisk, target, step_name)))
        if remedies.inputs and _bad(target.inputs, inputs.inputs):
            found.append(Remedy(target, "inputs", _filled(remedies.inputs, target, step_name)))
    return found


def _bad(checks: Sequence[FileCheck], files: dict[str, File]) -> bool:
    return any((file := files.get(each.path)) and not good(file, each) for each in checks)


def _filled(argv: Sequence[str], target: Target, step: str) -> tuple[str, ...]:
    values = {"{node}": target.name, "{address}": target.spec.address, "{step}": step}

    def fill(text: str) -> str:
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    return tuple(fill(each) for each in argv)


def run_all(
    remedies: Sequence[Remedy],
    *,
    folder: Path,
    timeout_s: float,
    source: str,
    clock: Callable[[], int],
) -> tuple[list[Remedied], list[Event]]:
    """Run the remedies, some side by side, and report the result of each, without secrets."""
    secrets = environment_secrets(os.environ)

    def one(remedy: Remedy) -> tuple[Remedied, Event]:
        exit_code, detail = _run(remedy.argv, folder, timeout_s)
        done = Remedied(
            node=remedy.target.name,
            check=remedy.check,
            command=shlex.join(redact_words(remedy.argv, secrets)),
            exit_code=exit_code,
            detail=redact(detail, secrets)[-_TAIL:] or None,
        )
        payload = RemedyCompleted(
            node=done.node,
            check=done.check,
            command=done.command,
            exit_code=exit_code,
            detail=done.detail,
        )
        return done, new_event(payload, time_us=clock(), source=source)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="runledger-remedy") as pool:
        results = list(pool.map(one, remedies))
    return [done for done, _ in results], [event for _, event in results]


def _run(argv: Sequence[str], folder: Path, timeout_s: float) -> tuple[int | None, str]:
    """Exit code, None where there was none, and the end of what the command said."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return None, f"did not start: {error}"
        try:
            code, stopped = _wait(process, output.fileno(), timeout_s)
        finally:
            # Whatever it left running in its session goes with it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        # More than is kept, so that no secret loses the name in front of it before it is seen.
        output.seek(max(0, output.seek(0, os.SEEK_END) - 4 * _TAIL))
        text = stopped + output.read(4 * _TAIL).decode("utf-8", "replace")
    return code, text.replace("\0", "").strip()


def _wait(
    process: subprocess.Popen[bytes], output: int, timeout_s: float
) -> tuple[int | None, str]:
    """The exit code; or None, and why it is to be stopped."""
    give_up = time.monotonic() + timeout_s
    while (left_s := give_up - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(min(left_s, _LOOK_EVERY_S)), ""
        if os.fstat(output).st_size > _MOST_BYTES:
            return None, f"stopped after {_MOST_BYTES} bytes of output\n"
    return None, f"stopped after {timeout_s:g} s\n"
