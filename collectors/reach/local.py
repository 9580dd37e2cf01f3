"""Run a script on this machine, within the same bounds as on a far one.

The shell gets a session of its own, and whatever is left of that session at
the end is killed: a script leaves nothing running here. A child in state D
cannot be killed and is not waited for.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from collectors.reach.capture import Capture, signal_name
from collectors.reach.node import Limits, NodeSpec
from collectors.reach.result import Failure, NodeResult

_SHELL = ("/bin/sh", "-s")
_POLITE_S = 0.5
"""How long a shell told to stop has for its own clean-up."""


async def run_local(node: NodeSpec, script: bytes, limits: Limits) -> NodeResult:
    """Feed ``script`` to ``sh -s`` here; never raises for what the script does."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    capture = Capture(limits)
    try:
        transport, _ = await loop.subprocess_exec(
            lambda: _Shell(capture), *_SHELL, start_new_session=True
        )
    except OSError as error:
        return NodeResult(node=node, reachable=False, failure=_not_started(error))
    latency_s = loop.time() - started
    pid = transport.get_pid()
    failure: Failure | None = None
    try:
        stdin = transport.get_pipe_transport(0)
        assert isinstance(stdin, asyncio.WriteTransport)
        stdin.write(script)
        stdin.close()  # once what was written has left
        async with asyncio.timeout(limits.command_s):
            await asyncio.shield(capture.done)
    except TimeoutError:
        failure = Failure(
            "timeout",
            f"the script did not end within {limits.command_s:g} s and was stopped",
            "look for a tool that hangs (state D in ps) on this machine",
        )
    finally:
        capture.finish()
        try:
            if not capture.ended:
                await _ask_to_stop(pid, capture)
        finally:
            _kill_session(pid)
            transport.close()
    return capture.result(node, latency_s, failure)


class _Shell(asyncio.SubprocessProtocol):
    """Hands on what the shell says."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._open_pipes = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._capture.feed(data, is_stderr=fd == 2)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open_pipes.discard(fd)
        if not self._open_pipes:
            self._capture.output_closed()

    def process_exited(self) -> None:
        # The status comes by connection_lost's transport in asyncio's order of
        # events only later, so the transport itself is asked.
        status = self._transport.get_returncode()
        assert status is not None
        if status < 0:
            self._capture.shell_ended(None, signal_name(-status))
        else:
            self._capture.shell_ended(status)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport


async def _ask_to_stop(pid: int, capture: Capture) -> None:
    """SIGTERM to the shell, which may have a trap to tidy up; a short wait."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _POLITE_S
    while not capture.ended and loop.time() < give_up:
        await asyncio.sleep(0.01)


def _kill_session(session: int) -> None:
    """SIGKILL to every process of a session; ``timeout`` gives its child a group of its own.

    Repeated a few times, because a process may be forking as we look.
    """
    for _ in range(5):
        members = _session_members(session)
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if not members:
            return


def _session_members(session: int) -> list[int]:
    found = []
    try:
        entries = list(Path("/proc").iterdir())
    except OSError:
        entries = []
    for entry in entries:
        if not entry.name.isdecimal():
            continue
        try:
            # The command name may hold anything, so the fields are counted from its end:
            # state, parent, group, session.
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if len(fields) > 3 and int(fields[3]) == session and fields[0] not in b"ZX":
            found.append(int(entry.name))
    return found


def _not_started(error: OSError) -> Failure:
    return Failure(
        "other",
        f"the shell {_SHELL[0]} did not start here: {error}",
        "free memory or process slots on this machine, then rerun",
    )
