"""A script run over an open SSH connection.

The command on the far side is always the constant `COMMAND`; what varies
travels over its stdin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, cast

from collectors.reach.capture import Capture, signal_name
from collectors.reach.failures import Attempt, Unusable, explain, timed_out
from collectors.reach.node import SSH_PORT, Limits, NodeSpec
from collectors.reach.result import Failure, NodeResult, plain

if TYPE_CHECKING:
    import asyncssh
    from asyncssh import SSHClientChannel, SSHClientConnection

COMMAND = "sh -s"
"""What runs on a node, whatever is to be found out: a shell that reads its script from stdin."""


class Link:
    """One open connection, and the channel that tells when it is lost."""

    def __init__(self, connection: SSHClientConnection) -> None:
        self._connection = connection

    @property
    def is_open(self) -> bool:
        """Whether the connection is not known to be lost; a silent loss shows only on use."""
        return not self._connection.is_closed()

    async def open_shell(self, capture: Capture) -> SSHClientChannel[bytes]:
        """Start `COMMAND`; nothing has been sent to it yet, so a failure may be tried again."""
        channel, _ = await self._connection.create_session(
            lambda: _session_class()(capture),
            COMMAND,
            encoding=None,
            request_pty=False,
            send_env=[],
        )
        return cast("SSHClientChannel[bytes]", channel)

    def close(self) -> None:
        """Say goodbye and close."""
        self._connection.close()

    def abort(self) -> None:
        """Drop the connection at once, unsent and unread data included."""
        self._connection.abort()

    async def wait_closed(self) -> None:
        """Return once it is closed."""
        await self._connection.wait_closed()


async def run_on_link(
    node: NodeSpec,
    link: Link,
    script: bytes,
    limits: Limits,
    *,
    open_s: float,
    connected_in_s: float = 0.0,
) -> NodeResult:
    """Run ``script`` on an open connection, which is dropped where anything goes wrong.

    ``open_s`` bounds the opening of the session; ``connected_in_s`` is what
    connecting took, for the latency. Raises `Unusable` where no session could
    be opened: then the script has not been sent, and may be elsewhere.
    """
    attempt = Attempt(address=node.address, port=node.port or SSH_PORT, stage="opening a session")
    loop = asyncio.get_running_loop()
    capture = Capture(limits)
    started = loop.time()
    try:
        async with asyncio.timeout(open_s):
            channel = await link.open_shell(capture)
    except BaseException as error:
        capture.finish()
        link.abort()
        if isinstance(error, TimeoutError):
            raise Unusable(timed_out(attempt, open_s)) from error
        if isinstance(error, Exception):
            raise Unusable(explain(error, attempt)) from error
        raise
    latency_s = connected_in_s + loop.time() - started
    failure: Failure | None = None
    intact = False
    try:
        with suppress(OSError):  # a shell may end without reading it all
            channel.write(script)
            channel.write_eof()
        async with asyncio.timeout(limits.command_s):
            await asyncio.shield(capture.done)
        intact = capture.ended and not capture.overflowed
    except TimeoutError:
        failure = _script_timed_out(capture, limits)
    finally:
        capture.finish()
        if intact:
            channel.close()
        else:
            link.abort()
    return capture.result(node, latency_s, failure)


def _script_timed_out(capture: Capture, limits: Limits) -> Failure:
    seen = "its output until then is kept" if capture.saw_shell else "it never said a word"
    return Failure(
        "timeout",
        f"logged in, but the script did not end within {limits.command_s:g} s ({seen})",
        "look for a tool that hangs (state D in ps) and for memory running out on the node",
    )


@cache
def _session_class() -> Callable[[Capture], asyncssh.SSHClientSession[bytes]]:
    import asyncssh  # a quarter of a second: only once it is needed

    class Session(asyncssh.SSHClientSession[bytes]):
        """Hands on what the far shell says."""

        def __init__(self, capture: Capture) -> None:
            self._capture = capture

        def data_received(self, data: bytes, datatype: int | None) -> None:
            self._capture.feed(data, is_stderr=datatype == asyncssh.EXTENDED_DATA_STDERR)

        def exit_status_received(self, status: int) -> None:
            # A login shell that does not step aside reports the end of `sh` as 128 + signal.
            self._capture.shell_ended(status, signal_name(status - 128))

        def exit_signal_received(self, signal: str, core: bool, msg: str, lang: str) -> None:
            self._capture.shell_ended(None, plain(signal))

        def eof_received(self) -> bool:
            # OpenSSH sends EOF when the output is closed, mostly before the exit status.
            self._capture.output_closed()
            return True

        def connection_lost(self, exc: Exception | None) -> None:
            self._capture.output_closed()
            self._capture.finish()

    return Session
