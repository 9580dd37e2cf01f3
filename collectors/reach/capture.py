"""Output of a script, kept up to a cap: what SSH sessions and local shells have in common."""

from __future__ import annotations

import asyncio
import signal

from collectors.reach.node import Limits, NodeSpec
from collectors.reach.result import Failure, NodeResult


def signal_name(number: int) -> str | None:
    """The name of a signal as SSH spells it, None where there is no such signal.

    >>> signal_name(9), signal_name(0)
    ('KILL', None)
    """
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return None


class Capture:
    """Collects what one script says, and knows when it is over.

    It is over when the shell has ended and its output is closed, when output
    exceeds the cap, or when a shell that has ended leaves its output open (a
    stuck grandchild holds it) without saying more for ``exit_grace_s``.
    Standard error beyond its cap is dropped, not an error.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._closed = False
        self._ended = False
        self._grace: asyncio.TimerHandle | None = None
        self.exit_status: int | None = None
        self.signal: str | None = None
        self.overflowed = False
        self.done: asyncio.Future[None] = self._loop.create_future()

    @property
    def saw_shell(self) -> bool:
        """Whether anything shows that a shell ran at the other end."""
        return bool(self._stdout or self._stderr or self._ended)

    @property
    def ended(self) -> bool:
        """Whether the shell itself has ended."""
        return self._ended

    def feed(self, data: bytes, *, is_stderr: bool = False) -> None:
        """Take what arrived."""
        if self._grace is not None:
            self._await_silence()
        kept, cap = (
            (self._stderr, self._limits.stderr_bytes)
            if is_stderr
            else (self._stdout, self._limits.stdout_bytes)
        )
        room = cap - len(kept)
        kept += data[:room]
        if len(data) > room and not is_stderr:
            self.overflowed = True
            self.finish()

    def shell_ended(self, status: int | None, killed_by: str | None = None) -> None:
        """The shell is gone, by itself or by a signal; its output may still be on the way."""
        self.exit_status, self.signal, self._ended = status, killed_by, True
        if self._closed:
            self.finish()
        else:
            self._await_silence()

    def output_closed(self) -> None:
        """Nothing more can arrive."""
        self._closed = True
        if self._ended:
            self.finish()

    def finish(self) -> None:
        """Nothing more is waited for."""
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        if not self.done.done():
            self.done.set_result(None)

    def result(self, node: NodeSpec, latency_s: float, failure: Failure | None) -> NodeResult:
        """What it came to, given what else is known to have failed."""
        if failure is None and self.overflowed:
            failure = Failure(
                "protocol",
                f"more than {self._limits.stdout_bytes} bytes of output; cut off there",
                "look for a start-up file of the login shell on the node that prints, "
                "or a tool that does not stop",
            )
        if failure is None and not self._ended:
            failure = Failure(
                "protocol",
                "the session was closed before the shell ended",
                "see whether the node went down or its sshd was restarted, then rerun",
            )
        if failure is None and self.signal is not None:
            failure = Failure(
                "protocol",
                f"the shell was killed there (signal {self.signal}) before the script was done",
                "see whether its memory ran out (journalctl -k), or who ended it, then rerun",
            )
        return NodeResult(
            node=node,
            reachable=self.saw_shell,
            failure=failure,
            latency_s=latency_s,
            stdout=bytes(self._stdout),
            stderr=bytes(self._stderr),
            exit_status=self.exit_status,
            signal=self.signal,
        )

    def _await_silence(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        if not self.done.done():
            self._grace = self._loop.call_later(self._limits.exit_grace_s, self.finish)
